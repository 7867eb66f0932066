"""ONNX Runtime alone in one process, with the model files that Triton serves: the baseline of all ratios.

Run by the Python of .venv-triton, which has no other package of ours: `onnxruntime_alone.py JSON`, the answer on
stdout. An image is one run of every model, its input already uint8 of the models' size. Clients are threads that wait
for all models of their image; `workers` run the models, each in a session of `threads` threads.
"""

import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime


def main() -> None:
    order = json.loads(sys.argv[1])
    sessions = [_session(file, order["threads"], order["spinning"]) for file in order["files"]]
    feeds = [{"image": _image(session.get_inputs()[0].shape)} for session in sessions]
    latencies: list[float] = []
    with ThreadPoolExecutor(order["workers"]) as workers:

        def one_image() -> float:
            started = time.perf_counter()
            runs = [workers.submit(session.run, None, feed) for session, feed in zip(sessions, feeds, strict=True)]
            for run in runs:
                run.result()
            return (time.perf_counter() - started) * 1e3

        for _ in range(order["warm_up"]):
            one_image()
        started, spent_s = time.perf_counter(), time.process_time()
        end = started + order["seconds"]

        def client() -> None:
            while time.perf_counter() < end:
                latencies.append(one_image())

        clients = [threading.Thread(target=client) for _ in range(order["clients"])]
        for thread in clients:
            thread.start()
        for thread in clients:
            thread.join()
        seconds, spent_s = time.perf_counter() - started, time.process_time() - spent_s
    json.dump({"latencies_ms": latencies, "seconds": seconds, "cpu_s": spent_s, "errors": []}, sys.stdout)


def _session(file: str, threads: int, spinning: bool) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spinning)))
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def _image(shape: list[int | str]) -> np.ndarray:
    sizes = [size if isinstance(size, int) else 1 for size in shape]
    return np.random.default_rng(0).integers(0, 255, sizes).astype(np.uint8)


if __name__ == "__main__":
    main()
