"""A Triton backend named `onnxruntime`, in Python: runs `<model>/<version>/model.onnx` on the CPU or an NVIDIA GPU.

With a parameter `graphs`, a list of names with commas, it runs `<name>.onnx` for each of them instead: their
outputs are `<name>/<output>`, and a graph of which no output is requested is not run (docs/decisions/0070).
It replaces the official backend of that name, so that the same model repository works with both. Triton
starts one process of it for each instance of `instance_group`. Of the official backend's
parameters it reads `intra_op_thread_count`, `inter_op_thread_count` (default 1 each) and `execution_mode`
(0 sequential, 1 parallel); any parameter named `session.*` becomes a session entry of ONNX Runtime.
Spinning is off by default: several sessions share few cores (docs/decisions/0003). On the CPU, a batch runs in two
halves at the same time: each has the threads of its session. An instance of KIND_GPU runs with the CUDA provider, which
needs onnxruntime-gpu instead of onnxruntime; accelerators such as TensorRT are those of the official backend only.
triton_runtime writes checked_graphs.json into the folder of this file. A graph that it lists is loaded when the first
request arrives, because the combined model answers nearly all requests instead (docs/decisions/0077).
"""

import ctypes
import hashlib
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor, wait
from itertools import groupby
from pathlib import Path

import numpy as np
import triton_python_backend_utils as pb_utils

_SPINNING = "session.intra_op.allow_spinning"
_CUDA = "CUDAExecutionProvider"
_USED_CAPSULE = b"used_dltensor"  # DLPack's own name; the capsule keeps a pointer to these bytes


class TritonPythonModel:
    def initialize(self, args):
        config = json.loads(args["model_config"])
        self._name = args["model_name"]
        self._batched = config["max_batch_size"] > 0
        self._inputs = [tensor["name"] for tensor in config["input"]]
        self._outputs = [tensor["name"] for tensor in config["output"]]
        folder = Path(args["model_repository"]) / args["model_version"]
        parameters = {name: value["string_value"] for name, value in config.get("parameters", {}).items()}
        graphs = [name for name in parameters.get("graphs", "").split(",") if name]
        self._files = {f"{name}/": folder / f"{name}.onnx" for name in graphs} or {"": folder / "model.onnx"}
        self._parameters = parameters
        self._gpu = int(args["model_instance_device_id"]) if args["model_instance_kind"] == "GPU" else None
        self._sessions = None
        self._thread = ThreadPoolExecutor(1)
        offered = None if graphs else _checked_outputs(folder / "model.onnx")
        if offered is None:
            sessions = self._loaded()
            offered = [prefix + output.name for prefix, session in sessions for output in session.get_outputs()]
        missing = [name for name in self._outputs if name not in offered]
        if missing:
            raise pb_utils.TritonModelException(f"{folder} has no output {', '.join(missing)}")

    def _loaded(self):
        """The sessions by the prefix of their outputs."""
        if self._sessions is None:
            import onnxruntime

            self._sessions = [
                (prefix, _session(file, self._parameters, self._gpu)) for prefix, file in self._files.items()
            ]
            ctypes.CDLL(None).malloc_trim(0)  # the file and its graph: as much again as the session keeps
            pb_utils.Logger.log_info(
                f"{self._name}: onnxruntime {onnxruntime.__version__} of {sys.prefix}, "
                f"{_session_options(self._parameters).intra_op_num_threads} thread(s), "
                f"{'CPU' if self._gpu is None else f'GPU {self._gpu}'}"
            )
        return self._sessions

    def execute(self, requests):
        """Runs the network once for all requests of the same shape in this batch."""
        inputs = [
            [np.from_dlpack(pb_utils.get_input_tensor_by_name(request, name)) for name in self._inputs]
            for request in requests
        ]
        responses = [None] * len(requests)
        order = sorted(range(len(requests)), key=lambda index: _shape(inputs[index]))
        for _, group in groupby(order, key=lambda index: _shape(inputs[index])):
            self._answer(list(group), requests, inputs, responses)
        return responses

    def _answer(self, group, requests, inputs, responses):
        runs = [group] if self._batched else [[index] for index in group]
        for run in runs:
            try:
                requested = {name for index in run for name in requests[index].requested_output_names()}
                answers = self._run([inputs[index] for index in run], requested)
            except Exception as error:  # noqa: BLE001  the client gets any error as an error response
                if len(run) > 1:  # one bad request must not fail the others
                    for index in run:
                        self._answer([index], requests, inputs, responses)
                    continue
                responses[run[0]] = _error(f"{self._name} failed: {error}")
                continue
            for index, outputs in zip(run, answers):
                responses[index] = _response(requests[index], outputs)
                pb_utils.Logger.log_info(f"{self._name} answered request {requests[index].request_id() or '-'}")

    def _run(self, requests, requested):
        """Outputs by name for each of `requests`, each a list of input arrays of one shape."""
        started = time.perf_counter()
        if not self._batched:
            outputs = [self._run_graphs(dict(zip(self._inputs, requests[0])), requested)]
        else:
            feeds = {name: np.concatenate(parts) for name, parts in zip(self._inputs, zip(*requests))}
            ends = np.cumsum([request[0].shape[0] for request in requests])[:-1]
            whole = self._run_batch(feeds, requested)
            pieces = [np.split(output, ends) for output in whole.values()]
            outputs = [dict(zip(whole, row)) for row in zip(*pieces)]
        pb_utils.Logger.log_verbose(f"{self._name}: {len(requests)} in {time.perf_counter() - started:.4f} s")
        return outputs

    def _run_batch(self, feeds, requested):
        """Outputs by name. On the CPU, halves of a batch run at the same time: one model alone uses two cores."""
        self._loaded()
        half = len(next(iter(feeds.values()))) // 2 if self._gpu is None else 0
        if half == 0:
            return self._run_graphs(feeds, requested)
        second = self._thread.submit(self._run_graphs, {name: value[half:] for name, value in feeds.items()}, requested)
        try:
            first = self._run_graphs({name: value[:half] for name, value in feeds.items()}, requested)
        finally:
            wait([second])
        return {name: np.concatenate([output, second.result()[name]]) for name, output in first.items()}

    def _run_graphs(self, feeds, requested):
        """Outputs by name."""
        outputs = {}
        for prefix, session in self._loaded():
            names = [name for name in self._outputs if name.startswith(prefix) and name in requested]
            if names:
                outputs.update(zip(names, session.run([name.removeprefix(prefix) for name in names], feeds)))
        return outputs


def _checked_outputs(file):
    """Names of the outputs of a graph that triton_runtime has loaded before; None for any other graph."""
    checked = Path(__file__).with_name("checked_graphs.json")
    if not checked.exists():
        return None
    return json.loads(checked.read_bytes()).get(hashlib.sha256(file.read_bytes()).hexdigest())


def _session(file, parameters, gpu):
    """gpu: number of the device; None for the CPU."""
    import onnxruntime

    providers = [] if gpu is None else [(_CUDA, {"device_id": str(gpu)})]
    session = onnxruntime.InferenceSession(
        str(file), _session_options(parameters), providers=[*providers, "CPUExecutionProvider"]
    )
    if gpu is not None and _CUDA not in session.get_providers():  # ONNX Runtime only warns, and uses the CPU
        raise pb_utils.TritonModelException(
            f"onnxruntime {onnxruntime.__version__} of {sys.prefix} cannot use the GPU: it needs the package "
            "onnxruntime-gpu and its CUDA libraries on LD_LIBRARY_PATH"
        )
    return session


def _session_options(parameters):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(parameters.get("intra_op_thread_count", "1"))
    options.inter_op_num_threads = int(parameters.get("inter_op_thread_count", "1"))
    if parameters.get("execution_mode", "0") == "1":
        options.execution_mode = onnxruntime.ExecutionMode.ORT_PARALLEL
    options.add_session_config_entry(_SPINNING, parameters.get(_SPINNING, "0"))
    for name, value in parameters.items():
        if name.startswith("session.") and name != _SPINNING:
            options.add_session_config_entry(name, value)
    return options


def _shape(arrays):
    """Requests with equal values can share a run: every axis but the batch, and the type."""
    return [(array.shape[1:], array.dtype.str) for array in arrays]


def _response(request, outputs):
    wanted = request.requested_output_names()
    return pb_utils.InferenceResponse(
        [_tensor(name, np.ascontiguousarray(outputs[name])) for name in outputs if name in wanted]
    )


def _tensor(name, array):
    """Triton's stub was built for NumPy 1 and misreads arrays of NumPy 2, so the two exchange tensors by DLPack."""
    capsule = array.__dlpack__()
    tensor = pb_utils.Tensor.from_dlpack(name, capsule)
    # Triton marks the capsule as used by another name than DLPack's, which NumPy reports as an error when it frees it.
    ctypes.pythonapi.PyCapsule_SetName(ctypes.py_object(capsule), _USED_CAPSULE)
    return tensor


def _error(message):
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(message))
