"""Versions of a model in the repository that Triton serves: adding one, weighting them, rolling back.

A version is complete before `versions.json` names it. The services use it only once Triton has loaded it, and it stays
loaded after it is replaced, so that no request is ever sent to a missing version.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from hepar.contracts.cards import ModelCard, Versions

_POLICY = re.compile(r"^version_policy .*\n", re.MULTILINE)
NEWEST_LOADED = 3
"""How many of the newest versions stay loaded even if versions.json does not name them."""


class UnknownVersion(Exception):
    """The message names the missing version and the folder."""


def existing_versions(folder: Path) -> list[str]:
    """The versions that have an ONNX file, oldest first."""
    return sorted((file.parent.name for file in folder.glob("*/model.onnx")), key=int)


def read_versions(folder: Path) -> Versions:
    """The content of versions.json; without that file, the newest version serves.

    Raises UnknownVersion if the folder has no version.
    """
    file = folder / "versions.json"
    if file.is_file():
        return Versions.model_validate_json(file.read_bytes())
    existing = existing_versions(folder)
    if not existing:
        raise UnknownVersion(f"{folder} has no version of a model")
    return Versions(serving={existing[-1]: 1.0})


def leading_version(versions: Versions) -> str:
    """The version with the largest weight; the newest of several."""
    return max(versions.serving, key=lambda version: (versions.serving[version], int(version)))


def add_version(folder: Path, version: str, model: Path, card: ModelCard) -> None:
    """Adds a version with its card; it serves no requests yet. Raises FileExistsError if the version exists."""
    versions = read_versions(folder)
    _write_missing_card(folder, versions)
    target, draft = folder / version, folder / f".{version}.draft"
    if target.exists():
        raise FileExistsError(f"{target} already exists: give the new version another number")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    shutil.copy2(model, draft / "model.onnx")
    (draft / "card.json").write_text(_card_text(card))
    draft.rename(target)
    _write_atomically(folder / "versions.json", versions.model_dump_json(indent=2) + "\n")
    _write_version_policy(folder, {*versions.serving, *versions.shadow, version})


def write_versions(folder: Path, versions: Versions) -> None:
    """Sets which versions serve, and with what weight. Raises UnknownVersion if one of them does not exist."""
    existing = existing_versions(folder)
    for version in [*versions.serving, *versions.shadow]:
        if version not in existing:
            raise UnknownVersion(f"{folder} has no version {version}; it has {', '.join(existing) or 'none'}")
    previous = read_versions(folder)
    _write_missing_card(folder, previous)
    # The previous versions stay loaded: requests in flight complete, and a rollback needs no loading.
    _write_version_policy(folder, {*previous.serving, *previous.shadow, *versions.serving, *versions.shadow})
    _write_atomically(folder / "versions.json", versions.model_dump_json(indent=2) + "\n")
    # The ensemble was fitted for the model, not for one version: it is kept, whichever version leads.
    ensemble = read_card(folder / "card.json").ensemble
    card = read_card(folder / leading_version(versions) / "card.json")
    _write_atomically(folder / "card.json", _card_text(card.model_copy(update={"ensemble": ensemble})))


def write_card(folder: Path, card: ModelCard) -> None:
    """Writes the card of the leading version, in its own folder and in the model's folder, where such a file exists."""
    own = folder / leading_version(read_versions(folder)) / "card.json"
    for file in (own, folder / "card.json"):
        if file.is_file():
            _write_atomically(file, _card_text(card))


def read_card(file: Path) -> ModelCard:
    """Raises OSError and pydantic's ValidationError."""
    return ModelCard.model_validate_json(file.read_bytes())


def _card_text(card: ModelCard) -> str:
    return card.model_dump_json(indent=2) + "\n"


def _write_missing_card(folder: Path, versions: Versions) -> None:
    """Copies the model's card to the leading version: a model exported as its only version has no card there."""
    own = folder / leading_version(versions) / "card.json"
    if not own.is_file():
        _write_atomically(own, (folder / "card.json").read_text())


def _write_version_policy(folder: Path, versions: set[str]) -> None:
    """Tells Triton, in every configuration, to load these versions and the NEWEST_LOADED newest ones."""
    loaded = sorted({*versions, *existing_versions(folder)[-NEWEST_LOADED:]}, key=int)
    line = f"version_policy {{ specific {{ versions: [ {', '.join(loaded)} ] }} }}\n"
    for file in [folder / "config.pbtxt", *(folder / "configs").glob("*.pbtxt")]:
        text = file.read_text()
        changed = _POLICY.sub(line, text) if _POLICY.search(text) else text.rstrip("\n") + "\n" + line
        if changed != text:
            _write_atomically(file, changed)


def _write_atomically(file: Path, text: str) -> None:
    draft = file.with_name(f".{file.name}.draft")
    with draft.open("w") as output:
        output.write(text)
        output.flush()
        os.fsync(output.fileno())
    draft.replace(file)
