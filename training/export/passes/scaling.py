"""Scaling of grey images before their channel axis moves."""

from __future__ import annotations

from onnx import NodeProto

from training.export.passes.editor import GraphEditor

_ARITHMETIC = {"Add", "Sub", "Mul", "Div"}


def reshape_before_scaling(editor: GraphEditor) -> bool:
    """Reshape(Add(Mul(Cast(image), scale), shift)) of images (n, H, W, 1): reshapes to (n, 1, H, W) first.

    ONNX Runtime takes a scalar over a last axis of one element by element, 40 times slower than over rows of W.
    """
    for node in editor.nodes:
        if node.op_type != "Reshape" or editor.constant(node.input[1]) is None or not _narrow(editor, node.input[0]):
            continue
        chain = _chain_before(editor, node)
        if not any(step.op_type in _ARITHMETIC for step in chain):
            continue
        name = editor.add("Reshape", [_image_of(editor, chain[0]), node.input[1]])
        for step in chain[:-1]:
            name = _copied(editor, step, name)
        last = chain[-1]
        editor.become(node, last.op_type, _inputs(editor, last, name))
        node.attribute.extend(last.attribute)
        return True
    return False


def _narrow(editor: GraphEditor, name: str) -> bool:
    """Whether its last axis has one element, and there are others."""
    shape = editor.shape(name)
    return len(shape) > 1 and shape[-1] == 1


def _chain_before(editor: GraphEditor, node: NodeProto) -> list[NodeProto]:
    """The steps up to `node` that treat every element alike and that nothing else reads, first to last."""
    chain: list[NodeProto] = []
    name = node.input[0]
    while editor.read_once(name) and (step := editor.producer(name, "Cast", *_ARITHMETIC)) is not None:
        if step.op_type in _ARITHMETIC and sum(map(editor.is_scalar, step.input)) != 1:
            break
        chain.insert(0, step)
        name = _image_of(editor, step)
    return chain


def _image_of(editor: GraphEditor, step: NodeProto) -> str:
    return next(name for name in step.input if not editor.is_scalar(name))


def _inputs(editor: GraphEditor, step: NodeProto, image: str) -> list[str]:
    return [name if editor.is_scalar(name) else image for name in step.input]


def _copied(editor: GraphEditor, step: NodeProto, image: str) -> str:
    name = editor.add(step.op_type, _inputs(editor, step, image))
    editor.nodes[-1].attribute.extend(step.attribute)
    return name
