"""Tiny ONNX models that keep the model contract, with outputs that a test can compute by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIZE = 64
CLASSIFIER_LABELS = ["cholangiocarcinoma", "metastasis", "no_tumour"]
DETECTOR_LABELS = ["cholangiocarcinoma", "metastasis"]


def write_classifier(
    repository: Path,
    name: str,
    bias: tuple[float, float, float],
    *,
    brightness_gain: float = 0.0,
    batched: bool = True,
    **card: object,
) -> None:
    """Logits are the bias, the first one plus brightness_gain * mean grey (0..1).

    batched: False for a graph without a batch axis (max_batch_size 0).
    """
    batch = 1 if batched else 0
    gain = np.array([brightness_gain / 255, 0, 0], dtype=np.float32)
    nodes = [
        helper.make_node("Cast", ["image"], ["grey"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["grey"], ["mean"], axes=[batch, batch + 1, batch + 2], keepdims=0),
        helper.make_node("Unsqueeze", ["mean", "axis"], ["column"]),
        helper.make_node("Mul", ["column", "gain"], ["scaled"]),
        helper.make_node("Add", ["scaled", "bias"], ["logits"]),
        helper.make_node("Unsqueeze", ["logits", "last_axes"], ["activation"]),
    ]
    constants = [
        numpy_helper.from_array(np.array([batch], dtype=np.int64), "axis"),
        numpy_helper.from_array(np.array([batch + 1, batch + 2], dtype=np.int64), "last_axes"),
        numpy_helper.from_array(gain, "gain"),
        numpy_helper.from_array(np.array(bias, dtype=np.float32), "bias"),
    ]
    axes: list[int | str] = ["n"] if batched else []
    outputs = [_tensor("logits", [*axes, 3]), _tensor("activation", [*axes, 3, 1, 1])]
    _write(repository, name, "classification", nodes, constants, outputs, CLASSIFIER_LABELS, card, batched=batched)


def write_detector(
    repository: Path,
    name: str,
    box: tuple[float, float, float, float],
    score: float,
    label: int,
    **card: object,
) -> None:
    """A detector that always returns the same box."""
    boxes = np.zeros((1, 100, 4), dtype=np.float32)
    boxes[0, 0] = box
    scores = np.zeros((1, 100), dtype=np.float32)
    scores[0, 0] = score
    labels = np.zeros((1, 100), dtype=np.int32)
    labels[0, 0] = label
    nodes = [
        helper.make_node("Shape", ["image"], ["shape"]),
        helper.make_node("Slice", ["shape", "zero", "one"], ["batch"]),
        helper.make_node("Concat", ["batch", "rows4"], ["boxes_shape"], axis=0),
        helper.make_node("Concat", ["batch", "rows"], ["rows_shape"], axis=0),
        helper.make_node("Expand", ["all_boxes", "boxes_shape"], ["boxes"]),
        helper.make_node("Expand", ["all_scores", "rows_shape"], ["scores"]),
        helper.make_node("Expand", ["all_labels", "rows_shape"], ["labels"]),
    ]
    constants = [
        numpy_helper.from_array(np.array([0], dtype=np.int64), "zero"),
        numpy_helper.from_array(np.array([1], dtype=np.int64), "one"),
        numpy_helper.from_array(np.array([100], dtype=np.int64), "rows"),
        numpy_helper.from_array(np.array([100, 4], dtype=np.int64), "rows4"),
        numpy_helper.from_array(boxes, "all_boxes"),
        numpy_helper.from_array(scores, "all_scores"),
        numpy_helper.from_array(labels, "all_labels"),
    ]
    outputs = [
        _tensor("boxes", ["n", 100, 4]),
        _tensor("scores", ["n", 100]),
        helper.make_tensor_value_info("labels", TensorProto.INT32, ["n", 100]),
    ]
    _write(repository, name, "detection", nodes, constants, outputs, DETECTOR_LABELS, card)


def write_input_check(repository: Path, name: str, gain: float = 1.0, **card: object) -> None:
    """Typicality is gain * mean grey (0..1): white images are in scope."""
    nodes = [
        helper.make_node("Cast", ["image"], ["grey"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["grey"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Unsqueeze", ["mean", "axis"], ["column"]),
        helper.make_node("Mul", ["column", "gain"], ["typicality"]),
    ]
    constants = [
        numpy_helper.from_array(np.array([1], dtype=np.int64), "axis"),
        numpy_helper.from_array(np.array([gain / 255], dtype=np.float32), "gain"),
    ]
    _write(repository, name, "input_check", nodes, constants, [_tensor("typicality", ["n", 1])], ["abdominal_ct"], card)


def write_segmenter(repository: Path, name: str, *, in_the_dark: bool = False, **card: object) -> None:
    """The liver is where the grey level is 100 or more, a lesion where it is 200 or more.

    in_the_dark: the liver is where it is below 100, a lesion where it is below 50.
    """
    nodes = [
        helper.make_node("Cast", ["image"], ["grey"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["grey"], ["plane"], perm=[0, 3, 1, 2]),
        helper.make_node("Less" if in_the_dark else "GreaterOrEqual", ["plane", "levels"], ["inside"]),
        helper.make_node("Cast", ["inside"], ["ones"], to=TensorProto.UINT8),
        helper.make_node("Mul", ["ones", "full"], ["masks"]),
    ]
    levels = np.array([100, 50 if in_the_dark else 200], dtype=np.float32).reshape(1, 2, 1, 1)
    constants = [
        numpy_helper.from_array(levels, "levels"),
        numpy_helper.from_array(np.array([255], dtype=np.uint8), "full"),
    ]
    masks = helper.make_tensor_value_info("masks", TensorProto.UINT8, ["n", 2, SIZE, SIZE])
    _write(repository, name, "segmentation", nodes, constants, [masks], ["liver", "lesion"], card)


def agree_on(repository: Path, names: list[str], *others: dict[str, object], **default: object) -> None:
    """Writes the same fitted ensembles into the cards of these models, with equal weights by default."""
    fitted = [{"members": dict.fromkeys(names, 1.0), "metrics": {}} | method for method in (default, *others)]
    ensemble = {"default": default["method"], "methods": {method["method"]: method for method in fitted}}
    for name in names:
        file = repository / name / "card.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"ensemble": ensemble}))


def write_mapped_classifier(repository: Path, name: str, **card: object) -> None:
    """A classifier for metastasis (0.58). The activation map of every label is the image minus mid-grey."""
    nodes = [
        helper.make_node("Cast", ["image"], ["grey"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["grey"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Sub", ["planes", "middle"], ["signed"]),
        helper.make_node("Mul", ["signed", "labels"], ["activation"]),
        helper.make_node("ReduceMean", ["activation"], ["mean"], axes=[2, 3], keepdims=0),
        helper.make_node("Mul", ["mean", "nothing"], ["zeros"]),
        helper.make_node("Add", ["zeros", "bias"], ["logits"]),
    ]
    constants = [
        numpy_helper.from_array(np.array([127.5], dtype=np.float32), "middle"),
        numpy_helper.from_array(np.ones((1, 3, 1, 1), dtype=np.float32), "labels"),
        numpy_helper.from_array(np.zeros(1, dtype=np.float32), "nothing"),
        numpy_helper.from_array(np.array([0, 1, 0], dtype=np.float32), "bias"),
    ]
    outputs = [_tensor("logits", ["n", 3]), _tensor("activation", ["n", 3, SIZE, SIZE])]
    _write(repository, name, "classification", nodes, constants, outputs, CLASSIFIER_LABELS, card)


def write_slow(repository: Path, name: str, products: int = 96, **card: object) -> None:
    """A classifier for metastasis that multiplies 2,048 x 2,048 matrices first: many seconds of one core."""
    side = 2048
    nodes = [
        helper.make_node("Cast", ["image"], ["grey"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["grey"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("ReduceMax", ["mean"], ["any"], keepdims=0),
        helper.make_node("Add", ["matrix", "any"], ["product_0"]),
        *(
            helper.make_node("MatMul", [f"product_{index}", "matrix"], [f"product_{index + 1}"])
            for index in range(products)
        ),
        helper.make_node("ReduceMean", [f"product_{products}"], ["result"], keepdims=0),
        helper.make_node("Mul", ["result", "nothing"], ["zero"]),
        helper.make_node("Shape", ["image"], ["shape"]),
        helper.make_node("Slice", ["shape", "first", "second"], ["batch"]),
        helper.make_node("Concat", ["batch", "three"], ["wanted"], axis=0),
        helper.make_node("Expand", ["bias", "wanted"], ["answer"]),
        helper.make_node("Add", ["answer", "zero"], ["logits"]),
        helper.make_node("Unsqueeze", ["logits", "last_axes"], ["activation"]),
    ]
    integers = {"first": [0], "second": [1], "three": [3], "last_axes": [2, 3]}
    constants = [numpy_helper.from_array(np.array(value, dtype=np.int64), key) for key, value in integers.items()]
    constants += [
        numpy_helper.from_array(np.full((side, side), 1 / side, dtype=np.float32), "matrix"),
        numpy_helper.from_array(np.array(0, dtype=np.float32), "nothing"),
        numpy_helper.from_array(np.array([[0, 1, 0]], dtype=np.float32), "bias"),
    ]
    outputs = [_tensor("logits", ["n", 3]), _tensor("activation", ["n", 3, 1, 1])]
    _write(repository, name, "classification", nodes, constants, outputs, CLASSIFIER_LABELS, card)


def write_broken(repository: Path, name: str) -> None:
    """A graph whose reshape fails for a batch in which any pixel is not 0."""
    nodes = [
        helper.make_node("Cast", ["image"], ["grey"], to=TensorProto.INT64),
        helper.make_node("ReduceMax", ["grey"], ["brightest"], keepdims=0),
        helper.make_node("Reshape", ["brightest", "flat"], ["excess"]),
        helper.make_node("Add", ["excess", "three"], ["length"]),
        helper.make_node("Shape", ["image"], ["shape"]),
        helper.make_node("Slice", ["shape", "zero", "one"], ["batch"]),
        helper.make_node("Concat", ["batch", "three"], ["wanted"], axis=0),
        helper.make_node("Expand", ["zeros", "wanted"], ["answer"]),
        helper.make_node("Concat", ["batch", "length"], ["asked"], axis=0),
        helper.make_node("Reshape", ["answer", "asked"], ["logits"]),
        helper.make_node("Unsqueeze", ["logits", "last_axes"], ["activation"]),
    ]
    integers = {"flat": [1], "three": [3], "zero": [0], "one": [1], "last_axes": [2, 3]}
    constants = [numpy_helper.from_array(np.array(value, dtype=np.int64), key) for key, value in integers.items()]
    constants.append(numpy_helper.from_array(np.zeros((1, 3), dtype=np.float32), "zeros"))
    outputs = [_tensor("logits", ["n", 3]), _tensor("activation", ["n", 3, 1, 1])]
    _write(repository, name, "classification", nodes, constants, outputs, CLASSIFIER_LABELS, {})


def _tensor(name: str, shape: list[int | str]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def _write(
    repository: Path,
    name: str,
    task: str,
    nodes: list[onnx.NodeProto],
    constants: list[onnx.TensorProto],
    outputs: list[onnx.ValueInfoProto],
    labels: list[str],
    card: dict[str, object],
    *,
    batched: bool = True,
) -> None:
    axes: list[int | str] = ["n"] if batched else []
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, [*axes, SIZE, SIZE, 1])
    graph = helper.make_graph(nodes, name, [image], outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    folder = repository / name
    (folder / "1").mkdir(parents=True)
    onnx.save(model, folder / "1" / "model.onnx")
    types: dict[int, str] = {
        TensorProto.FLOAT: "TYPE_FP32",
        TensorProto.INT32: "TYPE_INT32",
        TensorProto.UINT8: "TYPE_UINT8",
    }
    output_lines = []
    for value in outputs:
        dims = ", ".join(str(axis.dim_value) for axis in value.type.tensor_type.shape.dim[len(axes) :])
        kind = types[value.type.tensor_type.elem_type]
        output_lines.append(f'  {{ name: "{value.name}" data_type: {kind} dims: [ {dims} ] }}')
    (folder / "config.pbtxt").write_text(
        f'name: "{name}"\nbackend: "onnxruntime"\nmax_batch_size: {8 if batched else 0}\n'
        f'input [ {{ name: "image" data_type: TYPE_UINT8 dims: [ {SIZE}, {SIZE}, 1 ] }} ]\n'
        "output [\n"
        + ",\n".join(output_lines)
        + "\n]\n"
        + ("dynamic_batching { max_queue_delay_microseconds: 20000 }\n" if batched else "")
        + "instance_group [ { count: 1 kind: KIND_CPU } ]\n"
        'parameters { key: "intra_op_thread_count" value: { string_value: "1" } }\n'
    )
    (folder / "card.json").write_text(json.dumps(card_document(name, task, labels) | card))


def card_document(name: str, task: str, labels: list[str], side: int = SIZE) -> dict[str, object]:
    """A minimal valid card."""
    return {
        "name": name,
        "task": task,
        "architecture": "a constant, for tests",
        "size": "compact",
        "labels": labels,
        "input": {"height": side, "width": side},
        "window": {"low_hu": 0, "high_hu": 250},
        "temperature": 1.0,
        "decision_threshold": 0.5,
        "metrics": {},
        "training_data": "none",
        "data_sha256": "0" * 64,
        "code_sha256": "0" * 64,
        "licence": "AGPL-3.0-or-later",
        "date": "2026-11-23",
        "limits": ["a constant, for tests"],
    }
