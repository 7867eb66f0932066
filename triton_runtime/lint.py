"""`python -m triton_runtime.lint [REPOSITORY]`: checks that configurations, graphs and cards of a repository agree.

Every config.pbtxt and configs/*.pbtxt is parsed with Triton's own schema, so that an unknown or misspelt field is an
error. Names, types and shapes are compared with the ONNX graphs and the contract of docs/models.md. Needs the packages
of `dev`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from google.protobuf import json_format, text_format
from onnx import TensorProto
from tritonclient.grpc import model_config_pb2

BACKEND = "onnxruntime"
_TYPES: dict[int, str] = {
    TensorProto.FLOAT: "TYPE_FP32",
    TensorProto.INT32: "TYPE_INT32",
    TensorProto.UINT8: "TYPE_UINT8",
}
Promise = dict[str, tuple[str, list[int | str]]]
_PROMISED_INPUTS: Promise = {"image": ("TYPE_UINT8", ["height", "width", 1])}
_PROMISED_OUTPUTS: dict[str, Promise] = {
    "classification": {"logits": ("TYPE_FP32", ["labels"]), "activation": ("TYPE_FP32", ["labels", "any", "any"])},
    "input_check": {"typicality": ("TYPE_FP32", [1])},
    "segmentation": {"masks": ("TYPE_UINT8", ["labels", "height", "width"])},
    "detection": {"boxes": ("TYPE_FP32", [100, 4]), "scores": ("TYPE_FP32", [100]), "labels": ("TYPE_INT32", [100])},
}


@dataclass(frozen=True)
class Tensor:
    """dims: without the batch axis."""

    kind: str
    dims: list[int]


def faults(repository: Path) -> list[str]:
    """One line per fault, with its file; empty where there is none."""
    folders = sorted(path for path in repository.iterdir() if path.is_dir())
    if not folders:
        return [f"{repository}: no model"]
    return [fault for folder in folders for fault in _of_model(folder)]


def _of_model(folder: Path) -> Iterator[str]:
    try:
        card = json.loads((folder / "card.json").read_text())
        sizes = {**card["input"], "labels": len(card["labels"])}
        promised = {"input": _PROMISED_INPUTS, "output": _PROMISED_OUTPUTS[card["task"]]}
    except (OSError, ValueError, KeyError) as error:
        yield f"{folder / 'card.json'}: {error!r}"
        return
    graphs = sorted(folder.glob("*/model.onnx"))
    if not graphs:
        yield f"{folder}: no version has a model.onnx"
    named = _versions(folder)
    for version in sorted(named - {graph.parent.name for graph in graphs}):
        yield f"{folder / 'versions.json'}: there is no version {version}"
    for file in [folder / "config.pbtxt", *sorted((folder / "configs").glob("*.pbtxt"))]:
        try:
            configuration = parsed(file)
        except (OSError, text_format.ParseError) as error:
            yield f"{file}: {error}"
            continue
        found = [*_of_configuration(folder.name, configuration, promised, sizes), *_of_policy(configuration, named)]
        for graph in graphs:
            found += [f"{graph.relative_to(folder)}: {fault}" for fault in _against_graph(configuration, graph)]
        found += _of_gpu(configuration) if file.stem == "gpu" else []
        yield from (f"{file}: {fault}" for fault in found)


def _of_policy(configuration: dict[str, Any], named: set[str]) -> Iterator[str]:
    policy = configuration.get("version_policy", {}).get("specific", {}).get("versions", [])
    if missing := named - set(map(str, policy)):
        yield f"version_policy does not hold version {', '.join(sorted(missing))}"


def _versions(folder: Path) -> set[str]:
    """Those that versions.json names; none where there is none."""
    file = folder / "versions.json"
    if not file.is_file():
        return set()
    said = json.loads(file.read_text())
    return {*said["serving"], *said.get("shadow", [])}


def parsed(file: Path) -> dict[str, Any]:
    """As Triton's own schema reads it. Raises OSError and text_format.ParseError."""
    message = text_format.Parse(file.read_text(), model_config_pb2.ModelConfig())  # pyright: ignore[reportAttributeAccessIssue]  made at run time
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def _of_configuration(
    name: str, configuration: dict[str, Any], promised: dict[str, Promise], sizes: dict[str, int]
) -> Iterator[str]:
    if configuration.get("name") != name:
        yield f"names the model {configuration.get('name')!r}, but its folder is {name}"
    if configuration.get("backend") != BACKEND:
        yield f"backend is {configuration.get('backend')!r}, not {BACKEND!r}"
    if batched(configuration) != ("dynamic_batching" in configuration):
        yield "dynamic_batching goes with a max_batch_size above 0, and only with it"
    for side, promise in promised.items():
        tensors = _configured(configuration, side)
        if tensors.keys() != promise.keys():
            yield f"{side}s are {', '.join(sorted(tensors))}; promised are {', '.join(sorted(promise))}"
            continue
        for tensor, (kind, axes) in promise.items():
            wanted = [sizes.get(str(axis), axis) for axis in axes]
            got = tensors[tensor]
            fits = len(wanted) == len(got.dims) and all(w in ("any", g) for w, g in zip(wanted, got.dims, strict=True))
            if got.kind != kind or not fits:
                yield f"{tensor} is {got.kind} {got.dims}; promised is {kind} {wanted}"


def _against_graph(configuration: dict[str, Any], file: Path) -> Iterator[str]:
    graph = onnx.load(file, load_external_data=False).graph
    for side, values in (("input", graph.input), ("output", graph.output)):
        configured, computed = _configured(configuration, side), dict(_computed(values))
        if configured.keys() != computed.keys():
            yield f"{side}s are {', '.join(sorted(configured))}; the graph has {', '.join(sorted(computed))}"
            continue
        for name, tensor in configured.items():
            kind, shape = computed[name]
            wanted = [0, *tensor.dims] if batched(configuration) else tensor.dims
            if (kind, shape) != (tensor.kind, wanted):
                yield f"{name} is {tensor.kind} {wanted}; the graph has {kind} {shape} (0: any size)"


def _of_gpu(configuration: dict[str, Any]) -> Iterator[str]:
    if [group.get("kind") for group in configuration.get("instance_group", [])] != ["KIND_GPU"]:
        yield "its instances are not on a GPU"
    accelerators = configuration.get("optimization", {}).get("execution_accelerators", {})
    found = {one["name"]: one.get("parameters", {}) for one in accelerators.get("gpu_execution_accelerator", [])}
    if found.get("tensorrt", {}).get("precision_mode") != "FP16":
        yield "no TensorRT execution accelerator in FP16"
    if "trt_engine_cache_path" not in found.get("tensorrt", {}):
        yield "TensorRT has no engine cache: every start would take minutes"
    if not configuration.get("model_warmup"):
        yield "no model_warmup: the first image would wait for TensorRT"


def batched(configuration: dict[str, Any]) -> bool:
    """The schema leaves out what is 0."""
    return int(configuration.get("max_batch_size", 0)) > 0


def _configured(configuration: dict[str, Any], side: str) -> dict[str, Tensor]:
    return {
        one["name"]: Tensor(one.get("data_type", ""), [int(size) for size in one.get("dims", [])])
        for one in configuration.get(side, [])
    }


def _computed(values: Iterable[onnx.ValueInfoProto]) -> Iterator[tuple[str, tuple[str, list[int]]]]:
    for value in values:
        tensor = value.type.tensor_type
        kind = _TYPES.get(tensor.elem_type, f"ONNX type {tensor.elem_type}")
        yield value.name, (kind, [axis.dim_value for axis in tensor.shape.dim])


def main() -> int:
    found = faults(Path(sys.argv[1] if len(sys.argv) > 1 else "triton_models"))
    for fault in found:
        print(fault)  # noqa: T201  a command
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
