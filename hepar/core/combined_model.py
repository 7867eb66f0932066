"""The combined model: one model of Triton that runs the input check and all classifiers of a repository.

triton_runtime writes it and the services call it. Both compute its name from the files of its parts, so a name stands
for one set of graphs: docs/decisions/0070.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMBINED_TASK = "classification"
"""Its models are all parts, and the first input check by name."""
GRAPHS_PARAMETER = "graphs"
_PREFIX = "combined_"
_OUTPUTS: dict[str, dict[str, list[int | str]]] = {
    "classification": {"logits": ["labels"], "activation": ["labels", -1, -1]},
    "input_check": {"typicality": [1]},
}
"""FP32 outputs of a part by task."""
FILES = ("*/card.json", "*/config.pbtxt", "*/versions.json", "*/[0-9]*/model.onnx")
"""Patterns of all files that `find_combined_model` reads."""
_OWN_SETTINGS = {"name", "input", "output", "version_policy"}
_SHARED_SETTINGS = {"backend", "max_batch_size", "dynamic_batching", "instance_group", "parameters"}


@dataclass(frozen=True)
class CombinedPart:
    """One graph.

    outputs: their shapes by name, without the batch axis.  size: (h, w) of the input.  settings: those lines of its
    config.pbtxt that the combined model has as well.
    """

    model: str
    version: str
    graph: Path
    sha256: str
    outputs: dict[str, list[int]]
    size: tuple[int, int]
    settings: tuple[str, ...]


@dataclass(frozen=True)
class CombinedModel:
    """parts: at least two, of equal size and settings, the input check first."""

    parts: tuple[CombinedPart, ...]

    @property
    def name(self) -> str:
        """Differs where a part differs."""
        lines = [line for part in self.parts for line in (part.model, part.version, part.sha256, *part.settings)]
        return _PREFIX + hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]

    @property
    def configuration(self) -> str:
        """Its config.pbtxt. The outputs of a part have the part's name in front: see `output_name`."""
        height, width = self.parts[0].size
        outputs = [
            f'  {{ name: "{output_name(part.model, name)}" data_type: TYPE_FP32 dims: {shape} }}'
            for part in self.parts
            for name, shape in part.outputs.items()
        ]
        graphs = ",".join(part.model for part in self.parts)
        return "\n".join(
            [
                f'name: "{self.name}"',
                f'input [ {{ name: "image" data_type: TYPE_UINT8 dims: [ {height}, {width}, 1 ] }} ]',
                "output [",
                ",\n".join(outputs),
                "]",
                *self.parts[0].settings,
                f'parameters {{ key: "{GRAPHS_PARAMETER}" value: {{ string_value: "{graphs}" }} }}',
                "",
            ]
        )


def output_name(model: str, output: str) -> str:
    """Of a part's output in the combined model."""
    return f"{model}/{output}"


def find_combined_model(repository: Path) -> CombinedModel | None:
    """The combined model of a repository as its files are now.

    None where its models cannot be combined: there is only one, one has several versions or a versions.json, a graph
    is missing, or inputs or settings differ.
    """
    try:
        folders = [(folder, _card(folder)) for folder in sorted(path.parent for path in repository.glob("*/card.json"))]
        checks = [entry for entry in folders if entry[1]["task"] == "input_check"]
        models = [entry for entry in folders if entry[1]["task"] == COMBINED_TASK]
        parts = tuple(_part(folder, card) for folder, card in (*checks[:1], *models))
    except (OSError, ValueError, KeyError):  # a folder that is incomplete or changes now
        return None
    if not models or len(parts) < 2 or len({(part.size, part.settings) for part in parts}) > 1:
        return None
    return CombinedModel(parts)


def _card(folder: Path) -> dict[str, Any]:
    card: dict[str, Any] = json.loads((folder / "card.json").read_bytes())
    return card


def _part(folder: Path, card: dict[str, Any]) -> CombinedPart:
    """Raises OSError, KeyError, and ValueError where the model cannot be a part."""
    (version,) = (path.name for path in folder.iterdir() if path.name.isdigit())
    if (folder / "versions.json").exists():
        raise ValueError(f"{folder} has versions")
    graph = folder / version / "model.onnx"
    outputs = {
        name: [len(card["labels"]) if axis == "labels" else int(axis) for axis in shape]
        for name, shape in _OUTPUTS[card["task"]].items()
    }
    return CombinedPart(
        folder.name,
        version,
        graph,
        hashlib.sha256(graph.read_bytes()).hexdigest(),
        outputs,
        (int(card["input"]["height"]), int(card["input"]["width"])),
        _shared_settings((folder / "config.pbtxt").read_text()),
    )


def _shared_settings(configuration: str) -> tuple[str, ...]:
    """Raises ValueError for a setting that the combined model would lose, and without batches."""
    kept = []
    for line in configuration.splitlines():
        if (found := re.match(r"[a-z_]+", line)) is None or found[0] in _OWN_SETTINGS:
            continue
        if found[0] not in _SHARED_SETTINGS or any(
            line.count(left) != line.count(right) for left, right in ("[]", "{}")
        ):
            raise ValueError(f"cannot be combined: {line}")
        kept.append(line)
    if not re.search(r"(?m)^max_batch_size: *[1-9]", configuration):
        raise ValueError("no batches")
    return tuple(kept)
