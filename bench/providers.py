"""Milliseconds of an image by execution provider and number of threads of ONNX Runtime.

Run by any Python that has an onnxruntime, for example one with onnxruntime-openvino, which our environments lack:
`providers.py [--providers NAME ...] [--threads N ...] [--runs N] MODEL ...`. Whole runs take turns between all of
them. Time is that of the process on all cores, because a provider brings threads of its own.
"""

import argparse
import itertools
import statistics
import time

import numpy as np
import onnxruntime

CPU, OPENVINO = "CPUExecutionProvider", "OpenVINOExecutionProvider"
_WARM_UP_RUNS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--providers", nargs="+", default=onnxruntime.get_available_providers())
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--runs", type=int, default=20)
    arguments = parser.parse_args()
    cases = list(itertools.product(arguments.models, arguments.providers, arguments.threads))
    sessions = [session_of(*case) for case in cases]
    taken_ms: list[tuple[list[float], list[float]]] = [([], []) for _ in cases]
    for _ in range(arguments.runs + _WARM_UP_RUNS):
        for session, (cpu_ms, wall_ms) in zip(sessions, taken_ms, strict=True):
            feeds = feeds_of(session)
            cpu_s, wall_s = time.process_time(), time.perf_counter()
            session.run(None, feeds)
            cpu_ms.append((time.process_time() - cpu_s) * 1e3)
            wall_ms.append((time.perf_counter() - wall_s) * 1e3)
    print(f"onnxruntime {onnxruntime.__version__}; CPU ms: median of {arguments.runs} runs; clock ms: of the fastest")
    print("| model | provider | threads | CPU ms | clock ms |", "|---|---|---|---|---|", sep="\n")
    for (model, provider, threads), (cpu_ms, wall_ms) in zip(cases, taken_ms, strict=True):
        cpu, wall = statistics.median(cpu_ms[_WARM_UP_RUNS:]), min(wall_ms[_WARM_UP_RUNS:])
        print(f"| {model} | {provider} | {threads} | {cpu:.2f} | {wall:.2f} |")


def session_of(model: str, provider: str, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    settings = {"device_type": "CPU", "num_of_threads": str(threads)} if provider == OPENVINO else {}
    chosen = onnxruntime.InferenceSession(model, options, providers=[(provider, settings)])
    if provider not in chosen.get_providers():
        raise SystemExit(f"onnxruntime {onnxruntime.__version__} of this Python has no {provider}")
    return chosen


def feeds_of(session: onnxruntime.InferenceSession) -> dict[str, np.ndarray]:
    """Noise, a batch of one where the graph has a batch axis."""
    (value,) = session.get_inputs()
    shape = [size if isinstance(size, int) else 1 for size in value.shape]
    return {value.name: np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)}


if __name__ == "__main__":
    main()
