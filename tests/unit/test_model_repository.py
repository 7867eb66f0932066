"""Every shipped model keeps the promise of docs/models.md: configurations, graph and card agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import pytest
from google.protobuf import json_format, text_format
from onnx import TensorProto
from tritonclient.grpc import model_config_pb2

from hepar.contracts.cards import ModelCard
from hepar.inference import read_cards

REPOSITORY = Path(__file__).parents[2] / "triton_models"
FOLDERS = sorted(path for path in REPOSITORY.iterdir() if path.is_dir())
Promise = dict[str, tuple[str, list[int | str]]]
PROMISED_INPUTS: Promise = {"image": ("UINT8", ["H", "W", 1])}
PROMISED_OUTPUTS: dict[str, Promise] = {
    "classification": {"logits": ("FP32", ["labels"]), "activation": ("FP32", ["labels", "any", "any"])},
    "input_check": {"typicality": ("FP32", [1])},
    "detection": {"boxes": ("FP32", [100, 4]), "scores": ("FP32", [100]), "labels": ("INT32", [100])},
}
ONNX_TYPES: dict[int, str] = {TensorProto.FLOAT: "FP32", TensorProto.INT32: "INT32", TensorProto.UINT8: "UINT8"}


# Its graph takes one image (docs/models.md).
WITHOUT_BATCH = {"detect_faster_rcnn"}


def parsed(file: Path) -> dict[str, Any]:
    """As Triton's own schema reads it: an unknown or misspelt field is an error."""
    message = text_format.Parse(file.read_text(), model_config_pb2.ModelConfig())  # pyright: ignore[reportAttributeAccessIssue]  made at run time
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def batch_size(configuration: dict[str, Any]) -> int:
    """The schema leaves out what is 0."""
    return int(configuration.get("max_batch_size", 0))


def card_of(folder: Path) -> ModelCard:
    return ModelCard.model_validate_json((folder / "card.json").read_bytes())


def test_there_is_a_model_for_each_task() -> None:
    assert read_cards(REPOSITORY, "classification")
    assert read_cards(REPOSITORY, "detection")
    assert read_cards(REPOSITORY, "input_check")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
@pytest.mark.parametrize("name", ["config.pbtxt", "configs/gpu.pbtxt"])
def test_a_configuration_agrees_with_the_graph_and_the_promise(folder: Path, name: str) -> None:
    configuration, card = parsed(folder / name), card_of(folder)
    assert (configuration["name"], configuration["backend"]) == (folder.name, "onnxruntime")
    batched = batch_size(configuration) > 0
    assert batched == ("dynamic_batching" in configuration) == (folder.name not in WITHOUT_BATCH)
    sizes = {"H": card.input.height, "W": card.input.width, "labels": len(card.labels)}
    graph = onnx.load(folder / "1" / "model.onnx").graph
    for promised, tensors, values in (
        (PROMISED_INPUTS, configuration["input"], graph.input),
        (PROMISED_OUTPUTS[card.task], configuration["output"], graph.output),
    ):
        configured = {tensor["name"]: tensor for tensor in tensors}
        computed = {value.name: value.type.tensor_type for value in values}
        assert set(configured) == set(computed) == set(promised)
        for tensor, (kind, axes) in promised.items():
            dims = [int(size) for size in configured[tensor]["dims"]]
            assert configured[tensor]["data_type"] == f"TYPE_{kind}"
            assert ONNX_TYPES[computed[tensor].elem_type] == kind
            shape = [axis.dim_value for axis in computed[tensor].shape.dim]
            assert shape == ([0, *dims] if batched else dims), "a batch axis is free"
            for axis, size in zip(axes, dims, strict=True):
                assert axis == "any" or size == (sizes[axis] if isinstance(axis, str) else axis)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_cpu_has_one_thread_a_model_and_a_gpu_has_tensorrt_in_fp16(folder: Path) -> None:
    cpu, gpu = parsed(folder / "config.pbtxt"), parsed(folder / "configs" / "gpu.pbtxt")
    assert cpu["parameters"]["intra_op_thread_count"] == {"string_value": "1"}
    assert cpu["parameters"]["session.intra_op.allow_spinning"] == {"string_value": "0"}
    assert [group["kind"] for group in gpu["instance_group"]] == ["KIND_GPU"]
    (accelerator,) = gpu["optimization"]["execution_accelerators"]["gpu_execution_accelerator"]
    assert accelerator["name"] == "tensorrt"
    assert accelerator["parameters"]["precision_mode"] == "FP16"
    assert batch_size(gpu) > batch_size(cpu) or folder.name in WITHOUT_BATCH


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_card_says_where_the_model_comes_from_and_what_it_is_not_for(folder: Path) -> None:
    card = card_of(folder)
    assert card.name == folder.name
    assert card.metrics
    assert all(metric.low <= metric.value <= metric.high for metric in card.metrics.values())
    assert "CC BY-SA 4.0" in card.training_data
    assert any("not a medical device" in limit for limit in card.limits)
    assert len(card.data_sha256) == len(card.code_sha256) == 64


def test_the_shipped_models_are_small() -> None:
    assert sum(file.stat().st_size for file in REPOSITORY.rglob("*") if file.is_file()) < 80_000_000
