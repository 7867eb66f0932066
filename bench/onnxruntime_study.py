"""ONNX Runtime alone on the slices of a study, with the model files that Triton serves: the baseline of `bench study`.

Run by the Python of .venv-triton, which has no other package of ours: `onnxruntime_study.py JSON`, the answer on
stdout. The slices are uint8 of the models' size already. The segmenter runs on all slices, then every other model on
the slices of the liver; `workers` runs at a time, each in a session of `threads` threads, on `batch` slices where a
graph has a batch axis.
"""

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import onnxruntime

_AXES_OF_A_BATCH = 4


def main() -> None:
    order = json.loads(sys.argv[1])
    slices = np.load(order["slices"], allow_pickle=False)[..., None]
    liver = slices[order["liver"]]
    segmenter = _Model(order["segmenter"], order)
    models = [_Model(file, order) for file in order["models"]]
    with ThreadPoolExecutor(order["workers"]) as workers:

        def all_of(runs: Iterable[Callable[[], object]]) -> None:
            for run in [workers.submit(run) for run in runs]:
                run.result()

        for model in [segmenter, *models]:
            next(model.runs(slices))()
        started, cpu_started = time.perf_counter(), time.process_time()
        all_of(segmenter.runs(slices))
        all_of(chain.from_iterable(model.runs(liver) for model in models))
        seconds, cpu_s = time.perf_counter() - started, time.process_time() - cpu_started
    json.dump({"seconds": seconds, "cpu_s": cpu_s}, sys.stdout)


class _Model:
    def __init__(self, file: str, order: dict[str, Any]) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = order["threads"]
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", str(int(order["spinning"])))
        self._session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        self._batched = len(self._session.get_inputs()[0].shape) == _AXES_OF_A_BATCH
        self._batch = order["batch"] if self._batched else 1
        # Activation maps are returned only on request, so they are not computed for a study.
        self._outputs = [output.name for output in self._session.get_outputs() if output.name != "activation"]

    def runs(self, slices: np.ndarray) -> Iterator[Callable[[], object]]:
        """One function for each run of the network."""
        for start in range(0, len(slices), self._batch):
            part = slices[start : start + self._batch]
            image = part if self._batched else part[0]
            yield partial(self._session.run, self._outputs, {"image": image})


if __name__ == "__main__":
    main()
