"""Versions of a model in the repository that Triton serves: putting one in, sharing the calls out, going back.

A version is whole before `versions.json` names it, the services take it up only once Triton has loaded it, and it stays
loaded after it is left: no call ever asks for one that is not there.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from hepar.contracts.cards import ModelCard, Versions

_POLICY = re.compile(r"^version_policy .*\n", re.MULTILINE)
KEPT = 3


class UnknownVersion(Exception):
    """The message says what is missing and where."""


def present(folder: Path) -> list[str]:
    """The versions that hold a graph, oldest first."""
    return sorted((graph.parent.name for graph in folder.glob("*/model.onnx")), key=int)


def current(folder: Path) -> Versions:
    """What versions.json says; without one the newest serves. Raises UnknownVersion where there is none at all."""
    file = folder / "versions.json"
    if file.is_file():
        return Versions.model_validate_json(file.read_bytes())
    if not (there := present(folder)):
        raise UnknownVersion(f"{folder} holds no version of a model")
    return Versions(serving={there[-1]: 1.0})


def leading(versions: Versions) -> str:
    """The version that answers most."""
    return max(versions.serving, key=lambda one: (versions.serving[one], int(one)))


def put_in(folder: Path, version: str, graph: Path, card: ModelCard) -> None:
    """Adds a version, with its card; nobody asks it yet. Raises FileExistsError where there is one of that number."""
    kept = current(folder)
    _keep_cards(folder, kept)
    place, draft = folder / version, folder / f".{version}.draft"
    if place.exists():
        raise FileExistsError(f"{place} is there already: give the new version another number")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    shutil.copy2(graph, draft / "model.onnx")
    (draft / "card.json").write_text(_as_text(card))
    draft.rename(place)
    _write(folder / "versions.json", kept.model_dump_json(indent=2) + "\n")
    _load(folder, {*kept.serving, *kept.shadow, version})


def share(folder: Path, versions: Versions) -> None:
    """Who answers from now on, and how often. Raises UnknownVersion for a version that is not there."""
    there = present(folder)
    for version in [*versions.serving, *versions.shadow]:
        if version not in there:
            raise UnknownVersion(f"{folder} has no version {version}; it has {', '.join(there) or 'none'}")
    before = current(folder)
    _keep_cards(folder, before)
    # Those that were asked until now stay loaded: calls under way end, and going back takes no loading.
    _load(folder, {*before.serving, *before.shadow, *versions.serving, *versions.shadow})
    _write(folder / "versions.json", versions.model_dump_json(indent=2) + "\n")
    # How the models decide together was said to all of them at once: it stays, whichever version of this one leads.
    together = read_card(folder / "card.json").ensemble
    led = read_card(folder / leading(versions) / "card.json")
    _write(folder / "card.json", _as_text(led.model_copy(update={"ensemble": together})))


def write_card(folder: Path, card: ModelCard) -> None:
    """The card of the version that answers most, in every place where it stands."""
    own = folder / leading(current(folder)) / "card.json"
    for file in (own, folder / "card.json"):
        if file.is_file():
            _write(file, _as_text(card))


def read_card(file: Path) -> ModelCard:
    """Raises OSError and pydantic's ValidationError."""
    return ModelCard.model_validate_json(file.read_bytes())


def _as_text(card: ModelCard) -> str:
    return card.model_dump_json(indent=2) + "\n"


def _keep_cards(folder: Path, versions: Versions) -> None:
    """A version that came before there were several has its card beside the configuration alone."""
    own = folder / leading(versions) / "card.json"
    if not own.is_file():
        _write(own, (folder / "card.json").read_text())


def _load(folder: Path, versions: set[str]) -> None:
    """Tells Triton which versions to hold, in every configuration: those that are named, and the KEPT newest."""
    held = sorted({*versions, *present(folder)[-KEPT:]}, key=int)
    line = f"version_policy {{ specific {{ versions: [ {', '.join(held)} ] }} }}\n"
    for file in [folder / "config.pbtxt", *(folder / "configs").glob("*.pbtxt")]:
        text = file.read_text()
        told = _POLICY.sub(line, text) if _POLICY.search(text) else text.rstrip("\n") + "\n" + line
        if told != text:
            _write(file, told)


def _write(file: Path, text: str) -> None:
    """Whole, or not at all."""
    draft = file.with_name(f".{file.name}.draft")
    with draft.open("w") as output:
        output.write(text)
        output.flush()
        os.fsync(output.fileno())
    draft.replace(file)
