"""ONNX Runtime alone on an NVIDIA GPU, with a model file that Triton serves: the limit of the CUDA provider.

Run by the Python of .venv-triton, which has no other package of ours: `onnxruntime_cuda.py JSON`, the answer on stdout.
Two threads run a session each at the same time, so that one copies while the other computes. The outputs for the image
are compared with those of the CPU provider.
"""

import json
import sys
import threading
import time

import numpy as np
import onnxruntime

_CUDA, _CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
_WARM_UP_RUNS = 3


def main() -> None:
    order = json.loads(sys.argv[1])
    image = np.load(order["image"])[None]
    json.dump(_measured(order["file"], image, order["batch"], order["seconds"]), sys.stdout)


def _measured(file: str, image: np.ndarray, batch: int, seconds: float) -> dict[str, object]:
    sessions = [_session(file, [_CUDA, _CPU]) for _ in range(2)]
    (value,) = sessions[0].get_inputs()
    size = batch if not isinstance(value.shape[0], int) else value.shape[0]
    feeds = {value.name: np.repeat(image, size, axis=0)}
    names = [output.name for output in sessions[0].get_outputs()]
    expected = _session(file, [_CPU]).run(names, feeds)
    found = sessions[0].run(names, feeds)
    differences = {name: _difference(*pair) for name, *pair in zip(names, expected, found, strict=True)}
    runs = [0, 0]

    def repeat(index: int, end: float) -> None:
        while time.perf_counter() < end:
            sessions[index].run(names, feeds)
            runs[index] += 1

    for session in sessions:
        for _ in range(_WARM_UP_RUNS):
            session.run(names, feeds)
    started = time.perf_counter()
    threads = [threading.Thread(target=repeat, args=(index, started + seconds)) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"images_per_s": sum(runs) * size / (time.perf_counter() - started), "differences": differences}


def _session(file: str, providers: list[str]) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(file, options, providers=providers)
    if session.get_providers() != providers:
        raise SystemExit(f"onnxruntime {onnxruntime.__version__} of this Python cannot use {providers[0]}")
    return session


def _difference(expected: np.ndarray, found: np.ndarray) -> float:
    """The largest of any value."""
    return float(np.abs(expected.astype(np.float64) - found.astype(np.float64)).max(initial=0.0))


if __name__ == "__main__":
    main()
