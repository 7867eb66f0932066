"""An ONNX graph with the look-ups that a rewrite needs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property
from graphlib import TopologicalSorter
from itertools import count
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, helper, numpy_helper


class GraphEditor:
    """Reads and rewrites the main graph of a model; subgraphs of its nodes are read, and never changed.

    Look-ups are those of the graph as it was: one editor serves one rewrite, and `commit` ends it.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model
        self.nodes: list[NodeProto] = list(model.graph.node)
        self._initializers = {tensor.name: tensor for tensor in model.graph.initializer}
        self._producers = {name: node for node in self.nodes for name in node.output}
        self._users: dict[str, list[NodeProto]] = defaultdict(list)
        for node in self.nodes:
            for name in dict.fromkeys(_names_read(node)):
                self._users[name].append(node)
        self._outputs = {value.name for value in model.graph.output}
        self._taken = {*self._initializers, *self._producers, *(value.name for value in model.graph.input)}

    def producer(self, name: str, *kinds: str) -> NodeProto | None:
        """The node that computes `name`, if its operator is one of `kinds`."""
        node = self._producers.get(name)
        return node if node is not None and node.op_type in kinds else None

    def users(self, name: str) -> list[NodeProto]:
        """The nodes that read `name`, those included whose subgraph does."""
        return self._users[name]

    def is_output(self, name: str) -> bool:
        return name in self._outputs

    def read_once(self, name: str) -> bool:
        """Whether one node alone needs `name`, so that it may become something else."""
        return len(self.users(name)) == 1 and not self.is_output(name)

    def constant(self, name: str) -> NDArray[Any] | None:
        """Its value where the file determines it: an initializer, a Constant, or a Cast of one of them."""
        if name in self._initializers:
            return numpy_helper.to_array(self._initializers[name])
        if (node := self.producer(name, "Constant")) is not None and node.attribute[0].name == "value":
            return numpy_helper.to_array(node.attribute[0].t)
        if (node := self.producer(name, "Cast")) is not None and (value := self.constant(node.input[0])) is not None:
            return value.astype(helper.tensor_dtype_to_np_dtype(attributes(node)["to"]))
        return None

    def is_scalar(self, name: str) -> bool:
        """Whether it is a constant of one element that broadcasts without adding an axis."""
        value = self.constant(name)
        return value is not None and value.size == 1 and value.ndim <= 1

    def shape(self, name: str) -> list[int | None]:
        """Sizes of its axes, None where unknown; empty for a scalar and for what ONNX cannot infer."""
        return self._shapes.get(name, [])

    @cached_property
    def _shapes(self) -> dict[str, list[int | None]]:
        graph = onnx.shape_inference.infer_shapes(self.model, data_prop=True).graph
        return {
            value.name: [axis.dim_value or None for axis in value.type.tensor_type.shape.dim]
            for value in (*graph.input, *graph.value_info, *graph.output)
        }

    def add(self, kind: str, inputs: list[str], **values: Any) -> str:  # noqa: ANN401  any attribute of any operator
        """Adds a node of one output and returns that output's name."""
        name = self._fresh(kind)
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **values))
        return name

    def add_constant(self, value: NDArray[Any]) -> str:
        name = self._fresh("Constant")
        self.model.graph.initializer.append(numpy_helper.from_array(value, name))
        return name

    def become(self, node: NodeProto, kind: str, inputs: list[str], **values: Any) -> None:  # noqa: ANN401
        """Makes `node` another operator that computes the output of the same name."""
        made = helper.make_node(kind, inputs, list(node.output), name=node.name, **values)
        node.CopyFrom(made)

    def _fresh(self, kind: str) -> str:
        names = (f"optimised/{kind}_{number}" for number in count())
        name = next(name for name in names if name not in self._taken)
        self._taken.add(name)
        return name

    def commit(self) -> None:
        """Writes the nodes back in an order in which they can run, without those that nothing needs."""
        nodes = self._needed()
        places = {name: place for place, node in enumerate(nodes) for name in node.output}
        before = {
            place: {places[name] for name in _names_read(node) if name in places} for place, node in enumerate(nodes)
        }
        ordered = [nodes[place] for place in TopologicalSorter(before).static_order()]
        read = {name for node in ordered for name in _names_read(node)}
        kept = [tensor for tensor in self.model.graph.initializer if tensor.name in read]
        graph = self.model.graph
        del graph.node[:], graph.initializer[:], graph.value_info[:]
        graph.node.extend(ordered)
        graph.initializer.extend(kept)

    def _needed(self) -> list[NodeProto]:
        producers = {name: place for place, node in enumerate(self.nodes) for name in node.output}
        waiting, needed = [producers[name] for name in self._outputs], set[int]()
        while waiting:
            place = waiting.pop()
            if place not in needed:
                needed.add(place)
                waiting += [producers[name] for name in _names_read(self.nodes[place]) if name in producers]
        return [node for place, node in enumerate(self.nodes) if place in needed]


def attributes(node: NodeProto) -> dict[str, Any]:
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def _names_read(node: NodeProto) -> Iterator[str]:
    """Of the node and of its subgraphs; names that a subgraph computes itself do no harm."""
    yield from filter(None, node.input)
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                yield from _names_read(inner)
            yield from (value.name for value in graph.output)


def axes_of(editor: GraphEditor, node: NodeProto) -> list[int] | None:
    """Axes of a Squeeze, Unsqueeze or reduction, as attribute or as constant input; None where neither."""
    if "axes" in (values := attributes(node)):
        return list(values["axes"])
    axes = editor.constant(node.input[1]) if len(node.input) > 1 else None
    return None if axes is None else [int(axis) for axis in np.ravel(axes)]
