"""Writes a folder of triton_models/: graph, configurations and card."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import TensorProto

from hepar.contracts.cards import ModelCard

MAX_BATCH = 8
GPU_MAX_BATCH = 32
_WARM_BATCHES = (1, 8, 16, 32)
_TYPES = {TensorProto.FLOAT: "TYPE_FP32", TensorProto.INT32: "TYPE_INT32", TensorProto.UINT8: "TYPE_UINT8"}


def write_model(repository: Path, graph: onnx.ModelProto, card: ModelCard, version: int = 1) -> Path:
    """Writes `<repository>/<card.name>` and returns it. A graph whose images have three axes has no batch axis."""
    folder = repository / card.name
    (folder / str(version)).mkdir(parents=True, exist_ok=True)
    (folder / "configs").mkdir(exist_ok=True)
    onnx.save(graph, folder / str(version) / "model.onnx")
    batched = len(graph.graph.input[0].type.tensor_type.shape.dim) == 4
    cpu, gpu = (MAX_BATCH, GPU_MAX_BATCH) if batched else (0, 0)
    (folder / "config.pbtxt").write_text(
        _configuration(card.name, graph, cpu)
        + ("dynamic_batching { }\n" if batched else "")
        + _CPU.replace("@COUNT@", "1" if batched else "2")
    )
    (folder / "configs" / "gpu.pbtxt").write_text(
        _configuration(card.name, graph, gpu) + (_GPU_BATCHING if batched else "") + _GPU + _warm_up(graph, gpu)
    )
    (folder / "card.json").write_text(card.model_dump_json(indent=2) + "\n")
    return folder


def _configuration(name: str, graph: onnx.ModelProto, max_batch: int) -> str:
    batch_axes = 1 if max_batch else 0
    inputs = ",\n".join(_tensor(value, batch_axes) for value in graph.graph.input)
    outputs = ",\n".join(_tensor(value, batch_axes) for value in graph.graph.output)
    return (
        f'name: "{name}"\nbackend: "onnxruntime"\nmax_batch_size: {max_batch}\n'
        f"input [\n{inputs}\n]\noutput [\n{outputs}\n]\n"
    )


def _tensor(value: onnx.ValueInfoProto, batch_axes: int) -> str:
    """One input or output without its batch axis. Raises ValueError if another axis has no size."""
    tensor = value.type.tensor_type
    sizes = [axis.dim_value for axis in tensor.shape.dim[batch_axes:]]
    if 0 in sizes:
        raise ValueError(f"{value.name} has an axis of unknown size")
    dims = ", ".join(map(str, sizes))
    return f'  {{ name: "{value.name}" data_type: {_TYPES[tensor.elem_type]} dims: [ {dims} ] }}'


def _warm_up(graph: onnx.ModelProto, max_batch: int) -> str:
    """Warm-up with black images in each preferred batch size."""
    (value,) = graph.graph.input
    tensor = value.type.tensor_type
    dims = ", ".join(str(axis.dim_value) for axis in tensor.shape.dim[1 if max_batch else 0 :])
    image = f"value {{ data_type: {_TYPES[tensor.elem_type]} dims: [ {dims} ] zero_data: true }}"
    return "".join(
        f'model_warmup {{\n  name: "{size} image{"s" if size > 1 else ""}"\n  batch_size: {size}\n'
        f'  inputs {{ key: "{value.name}" {image} }}\n}}\n'
        for size in (_WARM_BATCHES if max_batch else (1,))
    )


# One thread per model, as many models in parallel as cores: docs/decisions/0003. Graphs without a batch axis have two
# instances.
_CPU = """\
instance_group [ { count: @COUNT@ kind: KIND_CPU } ]
parameters { key: "intra_op_thread_count" value: { string_value: "1" } }
parameters { key: "inter_op_thread_count" value: { string_value: "1" } }
parameters { key: "session.intra_op.allow_spinning" value: { string_value: "0" } }
"""

_GPU_BATCHING = """\
dynamic_batching {
  preferred_batch_size: [ 8, 16, 32 ]
  max_queue_delay_microseconds: 2000
}
"""
# TensorRT builds one plan per shape and GPU and caches it; the warm-up covers the preferred batch sizes, so that no
# request waits for a plan. Identical images are answered from Triton's response cache.
_GPU = """\
instance_group [ { count: 1 kind: KIND_GPU } ]
response_cache { enable: true }
optimization {
  execution_accelerators {
    gpu_execution_accelerator [ {
      name: "tensorrt"
      parameters { key: "precision_mode" value: "FP16" }
      parameters { key: "max_workspace_size_bytes" value: "2147483648" }
      parameters { key: "trt_engine_cache_enable" value: "1" }
      parameters { key: "trt_engine_cache_path" value: "/cache" }
      parameters { key: "trt_timing_cache_enable" value: "1" }
      parameters { key: "trt_timing_cache_path" value: "/cache" }
    } ]
  }
}
"""
