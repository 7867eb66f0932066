"""What `python -m training` understands."""

from __future__ import annotations

import argparse
from pathlib import Path

from training.networks import NETWORKS

REPOSITORY = Path("triton_models")
ALL = "all"


def parsed_arguments(description: str | None) -> argparse.Namespace:
    """Of this process. Ends it, with what is wrong, where they cannot be understood."""
    parser = argparse.ArgumentParser(prog="python -m training", description=description)
    parser.add_argument("--configuration", default="compact", help="a name of training/configs, or a .toml file")
    parser.add_argument("--folder", type=Path, help="where runs are kept; var/training/<configuration> by default")
    parser.add_argument("--repository", type=Path, default=REPOSITORY)
    commands = parser.add_subparsers(dest="command", required=True)
    exploring = commands.add_parser("explore", help="join datasets into one manifest and report on them")
    exploring.add_argument("--source", action="append", required=True, metavar="KIND=FOLDER")
    exploring.add_argument("--every-nth", type=int, default=5, help="of a volume's slices without a lesion")
    exploring.add_argument("--phase", help="of datasets with several contrast phases; portal-venous by default")
    exploring.add_argument("--split", type=Path, help="a split to report on; what leaks between its parts is an error")
    preparing = commands.add_parser("prepare", help="split by patient and synthesise lesions")
    preparing.add_argument("--data", type=Path, help="the folder msd-liver-slices; phantoms alone without it")
    preparing.add_argument("--collection", action="store_true", help="what `explore` collected, with its own labels")
    choosing = preparing.add_mutually_exclusive_group()
    choosing.add_argument("--split", type=Path, help="a file that maps each patient to train, validation or test")
    choosing.add_argument("--fold", metavar="I/K", type=_fold, help="the I-th of K folds, grouped by patient")
    choosing.add_argument("--leave-out", metavar="SOURCE", help="test on this dataset of the collection alone")
    for command, text in (
        ("train", "train, or go on training"),
        ("export", "write to the model repository, with figures"),
        ("evaluate", "print the figures of the shipped model, measured anew"),
    ):
        commands.add_parser(command, help=text).add_argument("network", choices=[ALL, *sorted(NETWORKS)])
    validating = commands.add_parser("cross-validate", help="train and judge one network on each of K folds")
    validating.add_argument("network", choices=sorted(NETWORKS))
    validating.add_argument("--folds", type=int, default=5)
    validating.add_argument("--data", type=Path, help="the folder msd-liver-slices; a collection's folds without it")
    fitting = commands.add_parser("ensemble", help="fit how the shipped models decide together; writes their cards")
    fitting.add_argument("--pages", type=Path, default=Path("docs/model-cards"), help="where people's cards go")
    promoting = commands.add_parser("promote", help="let a version answer that beats the serving one")
    promoting.add_argument("model", help="a folder of the repository")
    promoting.add_argument("version", type=_version)
    promoting.add_argument("--candidate", type=Path, help="the exported folder of a version that is not here yet")
    sharing = promoting.add_mutually_exclusive_group()
    sharing.add_argument("--weight", type=_weight, default=1.0, help="share of the calls that it answers (a canary)")
    sharing.add_argument("--shadow", action="store_true", help="ask it beside the others, and give nobody its answers")
    returning = commands.add_parser("rollback", help="let a version that is here answer alone, within seconds")
    returning.add_argument("model")
    returning.add_argument("version", type=_version)
    reporting = commands.add_parser("report", help="every shipped model beside every ensemble, with graphs")
    reporting.add_argument("--out", type=Path, help="report/ in the run's folder by default")
    volumes = commands.add_parser("volumes", help="what the shipped ensembles say of whole volumes, slice by slice")
    volumes.add_argument("--volume", action="append", required=True, metavar="IMAGE[,LABELS]", help="NIfTI or DICOM")
    volumes.add_argument("--out", type=Path, help="write the figures there, as JSON")
    optimising = commands.add_parser("optimise-graphs", help="apply the graph passes to what is in the repository")
    optimising.add_argument("--images", type=Path, default=Path("samples"), help="PNG files to compare the outputs on")
    sheet = commands.add_parser("lesion-sheet", help="a contact sheet of synthesised lesions")
    sheet.add_argument("--data", type=Path, help="the folder msd-liver-slices, for real livers beside phantoms")
    sheet.add_argument("--out", type=Path, default=Path("var/lesion-sheet.png"))
    augmenting = commands.add_parser("augmentation-sheet", help="a picture of what each augmentation does")
    augmenting.add_argument("--out", type=Path, default=Path("var/augmentation-sheet.png"))
    comparing = commands.add_parser("realism", help="synthesised lesions beside the reviewed real ones")
    comparing.add_argument("--data", type=Path, required=True, help="the folder msd-liver-slices")
    comparing.add_argument("--tables", type=Path, help="the folder mct-ltdiag, to compare sizes and forms by type")
    samples = commands.add_parser("samples", help="phantoms with lesions, to ship")
    samples.add_argument("--out", type=Path, default=Path("samples"))
    return parser.parse_args()


def _fold(text: str) -> tuple[int, int]:
    """Raises ValueError, which argparse tells the user."""
    number, count = map(int, text.split("/"))
    if not 1 <= number <= count:
        raise ValueError(f"{text} is not the I-th of K folds")
    return number, count


def _version(text: str) -> str:
    """Raises ValueError, which argparse tells the user."""
    if int(text) < 1:
        raise ValueError(f"{text} is not a version: 1, 2, ...")
    return str(int(text))


def _weight(text: str) -> float:
    """Raises ValueError, which argparse tells the user."""
    if not 0 < (weight := float(text)) <= 1:
        raise ValueError(f"{text} is not a share: above 0, at most 1")
    return weight
