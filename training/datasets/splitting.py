"""Who trains, who validates, who is tested on: by patient, stratified by label, and written down as a file.

A group is a patient, or several whose images are the same or nearly so: a dataset that does not tell its patients often
holds neighbouring slices under different names, and they must not stand on both sides.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from sklearn.model_selection import StratifiedKFold

from training.configuration import DataConfiguration
from training.datasets.collection import Record
from training.datasets.records import Leakage
from training.prepare import CLASS_LABELS, PARTS
from training.sources import UnusableData

Split = dict[str, str]
Pairs = Sequence[tuple[str, str, int]]


def stratified_split(records: Sequence[Record], data: DataConfiguration, alike: Pairs = ()) -> Split:
    """Every group to one part, each label in the same shares; a group counts by the first tumour it has.

    alike: pairs of paths of images that are the same or nearly so.
    Raises UnusableData naming the label that too few patients have.
    """
    groups = _groups(records, alike)
    rng = np.random.default_rng(data.seed)
    split: Split = {}
    for label, names in _by_label(records, groups).items():
        if len(names) < len(PARTS):
            raise UnusableData(f"{len(names)} patients with {label} are too few to train, validate and test on")
        shuffled = rng.permutation(names).tolist()
        tests = max(1, round(len(shuffled) * data.test_share))
        validations = max(1, round(len(shuffled) * data.validation_share))
        parts = ["test"] * tests + ["validation"] * validations
        split |= dict(zip(shuffled, parts + ["train"] * (len(shuffled) - len(parts)), strict=True))
    if not split:
        raise UnusableData("the collection has no image with a label of ours")
    return {patient: split[group] for patient, group in groups.items()}


def folds(records: Sequence[Record], count: int, seed: int, alike: Pairs = ()) -> list[Split]:
    """`count` splits for cross-validation: each group is tested on once, and validates in the fold before.

    Raises UnusableData where some label has fewer groups than there are folds.
    """
    groups = _groups(records, alike)
    by_label = _by_label(records, groups)
    for label, names in by_label.items():
        if len(names) < count:
            raise UnusableData(f"{len(names)} patients with {label} are too few for {count} folds")
    if count < len(PARTS):
        raise UnusableData(f"{count} folds are too few to train, validate and test on")
    names = [name for own in by_label.values() for name in own]
    labels = [label for label, own in by_label.items() for _ in own]
    divided = StratifiedKFold(count, shuffle=True, random_state=seed).split(names, labels)
    fold_of = {names[index]: fold for fold, (_, tested) in enumerate(divided) for index in tested}
    parts = {0: "test", 1: "validation"}
    return [
        {patient: parts.get((fold_of[group] - fold) % count, "train") for patient, group in groups.items()}
        for fold in range(count)
    ]


def leave_out(records: Sequence[Record], source: str, data: DataConfiguration, alike: Pairs = ()) -> Split:
    """One dataset is tested on; the others train and validate. Raises UnusableData for an unknown source."""
    sources = sorted({record.source for record in records})
    if source not in sources or len(sources) < 2:
        raise UnusableData(f"cannot leave {source!r} out: the collection joins {', '.join(sources)}")
    left_out = {record.patient for record in records if record.source == source}
    split = stratified_split([record for record in records if record.source != source], data, alike)
    parts = {patient: "validation" if part == "validation" else "train" for patient, part in split.items()}
    return parts | dict.fromkeys(sorted(left_out), "test")


def read_split(path: Path, records: Sequence[Record]) -> Split:
    """A split from a file: patient to train, validation or test. Raises UnusableData where it does not fit."""
    try:
        split = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UnusableData(f"{path}: {error}") from error
    if not isinstance(split, dict) or not set(map(str, split.values())) <= set(PARTS):
        raise UnusableData(f"{path} does not map patients to {', '.join(PARTS)}")
    missing = sorted({record.patient for record in records} - set(split))
    if missing:
        raise UnusableData(f"{path} does not say where {missing[0]} belongs, nor {len(missing) - 1} others")
    return {str(patient): str(part) for patient, part in split.items()}


def leaks_of(records: Sequence[Record], split: Mapping[str, str], alike: Pairs) -> list[str]:
    """What stands in two parts, exactly or nearly, in words. alike: pairs of paths."""
    patient_of = {record.path: record.patient for record in records}
    return [
        f"{one} ({split[patient_of[one]]}) and {other} ({split[patient_of[other]]}) differ in {bits} of 256 bits"
        for one, other, bits in alike
        if one in patient_of and other in patient_of and split[patient_of[one]] != split[patient_of[other]]
    ]


def require_no_leakage(records: Sequence[Record], split: Mapping[str, str], alike: Pairs) -> None:
    """Raises Leakage where an image, exactly or nearly, stands in two parts. alike: pairs of paths."""
    leaks = leaks_of(records, split, alike)
    if leaks:
        raise Leakage(f"{len(leaks)} images leak between parts: {'; '.join(leaks[:10])}")


def _groups(records: Sequence[Record], alike: Pairs) -> dict[str, str]:
    """Patient to the name of its group: the first, by name, of all patients it is chained to by like images."""
    patient_of = {record.path: record.patient for record in records}
    leader = {patient: patient for patient in sorted(set(patient_of.values()))}

    def of(patient: str) -> str:
        while leader[patient] != patient:
            patient = leader[patient]
        return patient

    for one, other, _ in alike:
        if one in patient_of and other in patient_of:
            first, second = sorted((of(patient_of[one]), of(patient_of[other])))
            leader[second] = first
    return {patient: of(patient) for patient in leader}


def _by_label(records: Sequence[Record], groups: Mapping[str, str]) -> dict[str, list[str]]:
    """Label to its groups, in name order."""
    label_of: dict[str, str] = {}
    for record in records:
        group = groups[record.patient]
        if label_of.get(group, CLASS_LABELS[-1]) == CLASS_LABELS[-1]:
            label_of[group] = str(record.label)
    found: dict[str, list[str]] = {}
    for name, label in sorted(label_of.items()):
        found.setdefault(label, []).append(name)
    return dict(sorted(found.items()))
