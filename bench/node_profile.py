"""Milliseconds of each node of ONNX graphs, on one thread of ONNX Runtime.

Run by the Python of .venv-triton, which has no other package of ours: `node_profile.py JSON`, the answer on stdout.
All files get the same image, and whole runs take turns between the files. Figures are made so that other processes
disturb them little: a whole run is measured in CPU time of its thread, and a node, which ONNX Runtime measures by the
clock, in its fastest run.
"""

import json
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

_SUFFIX = "_kernel_time"
_WARM_UP_RUNS = 2


def main() -> None:
    order = json.loads(sys.argv[1])
    image = np.load(order["image"])
    answer = {
        "cpu_ms": cpu_times_ms(order["files"], image, order["runs"]),
        "nodes": [node_times(file, image, order["runs"]) for file in order["files"]],
    }
    json.dump(answer, sys.stdout)


def cpu_times_ms(files: list[str], image: np.ndarray, runs: int) -> list[float]:
    """Median of the runs of each file, not profiled. image: (h, w) uint8."""
    sessions = [_session(file, _options()) for file in files]
    taken_ms: list[list[float]] = [[] for _ in files]
    for _ in range(runs + _WARM_UP_RUNS):
        for session, times in zip(sessions, taken_ms, strict=True):
            started = time.thread_time()
            session.run(None, _feed(session, image))
            times.append((time.thread_time() - started) * 1e3)
    return [statistics.median(times[_WARM_UP_RUNS:]) for times in taken_ms]


def node_times(file: str, image: np.ndarray, runs: int) -> list[dict[str, Any]]:
    """Every node that ran, most expensive first: name, operator, shape of its first output, ms in its fastest run."""
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = _session(file, options)
        for _ in range(runs + _WARM_UP_RUNS):
            session.run(None, _feed(session, image))
        events = json.loads(Path(session.end_profiling()).read_text())
    return nodes_of(events, _WARM_UP_RUNS)


def nodes_of(events: list[dict[str, Any]], skipped_runs: int = 0) -> list[dict[str, Any]]:
    """From ONNX Runtime's profile. A node with a subgraph does not count the time of the nodes inside it."""
    starts = sorted(event["ts"] for event in events if event.get("name") == "model_run")[skipped_runs:]
    kernels = [event for event in events if event.get("cat") == "Node" and event["name"].endswith(_SUFFIX)]
    kernels.sort(key=lambda event: (event["ts"], -event["dur"]))
    own_us: dict[str, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    described: dict[str, dict[str, Any]] = {}
    around: list[dict[str, Any]] = []
    for event in kernels:
        run = sum(start <= event["ts"] for start in starts)
        if not run:
            continue
        while around and event["ts"] >= around[-1]["ts"] + around[-1]["dur"]:
            around.pop()
        if around:
            own_us[around[-1]["name"]][run] -= event["dur"]
        around.append(event)
        own_us[event["name"]][run] += event["dur"]
        described[event["name"]] = event["args"]
    nodes = [
        {
            "name": name.removesuffix(_SUFFIX),
            "operator": described[name]["op_name"],
            "shape": _first_shape(described[name].get("output_type_shape", [])),
            "ms": min(by_run.get(run, 0.0) for run in range(1, len(starts) + 1)) / 1e3,
        }
        for name, by_run in own_us.items()
    ]
    return sorted(nodes, key=lambda node: -node["ms"])


def _first_shape(outputs: list[dict[str, list[int]]]) -> list[int]:
    return next(iter(outputs[0].values())) if outputs else []


def _options() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return options


def _session(file: str, options: onnxruntime.SessionOptions) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def _feed(session: onnxruntime.InferenceSession, image: np.ndarray) -> dict[str, np.ndarray]:
    """A batch of one where the graph has a batch axis."""
    (value,) = session.get_inputs()
    return {value.name: image[None, ..., None] if len(value.shape) == 4 else image[..., None]}


if __name__ == "__main__":
    main()
