"""Splits a collection into training, validation and test parts: by patient, stratified by label.

A group is one patient, or several patients with (nearly) identical images: a dataset that does not identify patients
often contains neighbouring slices under different names, and these must be in the same part.
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
from training.prepared.dataset import CLASS_LABELS, PARTS
from training.prepared.splitting import shuffled_parts
from training.sources import UnusableData

Split = dict[str, str]
Pairs = Sequence[tuple[str, str, int]]


def stratified_split(records: Sequence[Record], data: DataConfiguration, duplicates: Pairs = ()) -> Split:
    """Assigns every group to one part, in the configured shares for each label.

    The label of a group is that of its first tumour.
    duplicates: pairs of paths of (nearly) identical images.
    Raises UnusableData naming a label that too few patients have.
    """
    groups = _groups(records, duplicates)
    rng = np.random.default_rng(data.seed)
    split: Split = {}
    for label, names in _by_label(records, groups).items():
        if len(names) < len(PARTS):
            raise UnusableData(f"{len(names)} patients with {label} are too few to train, validate and test on")
        shuffled = rng.permutation(names).tolist()
        split |= dict(zip(shuffled, shuffled_parts(len(shuffled), data), strict=True))
    if not split:
        raise UnusableData("no image of the collection has a known label")
    return {patient: split[group] for patient, group in groups.items()}


def folds(records: Sequence[Record], count: int, seed: int, duplicates: Pairs = ()) -> list[Split]:
    """`count` splits for cross-validation: each group is in the test part once, and in validation one fold before.

    Raises UnusableData if a label has fewer groups than there are folds.
    """
    groups = _groups(records, duplicates)
    by_label = _by_label(records, groups)
    for label, names in by_label.items():
        if len(names) < count:
            raise UnusableData(f"{len(names)} patients with {label} are too few for {count} folds")
    if count < len(PARTS):
        raise UnusableData(f"{count} folds are too few to train, validate and test on")
    names = [name for own in by_label.values() for name in own]
    labels = [label for label, own in by_label.items() for _ in own]
    index_folds = StratifiedKFold(count, shuffle=True, random_state=seed).split(names, labels)
    fold_of = {names[index]: fold for fold, (_, tested) in enumerate(index_folds) for index in tested}
    parts = {0: "test", 1: "validation"}
    return [
        {patient: parts.get((fold_of[group] - fold) % count, "train") for patient, group in groups.items()}
        for fold in range(count)
    ]


def leave_out(records: Sequence[Record], source: str, data: DataConfiguration, duplicates: Pairs = ()) -> Split:
    """One dataset is the test part; the others train and validate. Raises UnusableData for an unknown source."""
    sources = sorted({record.source for record in records})
    if source not in sources or len(sources) < 2:
        raise UnusableData(f"cannot leave out {source!r}: the collection has {', '.join(sources)}")
    left_out = {record.patient for record in records if record.source == source}
    split = stratified_split([record for record in records if record.source != source], data, duplicates)
    parts = {patient: "validation" if part == "validation" else "train" for patient, part in split.items()}
    return parts | dict.fromkeys(sorted(left_out), "test")


def read_split(path: Path, records: Sequence[Record]) -> Split:
    """Reads a split file: patient to train, validation or test. Raises UnusableData if it does not fit."""
    try:
        split = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UnusableData(f"{path}: {error}") from error
    if not isinstance(split, dict) or not set(map(str, split.values())) <= set(PARTS):
        raise UnusableData(f"{path} does not map patients to {', '.join(PARTS)}")
    missing = sorted({record.patient for record in records} - set(split))
    if missing:
        raise UnusableData(f"{path} has no part for patient {missing[0]} and {len(missing) - 1} others")
    return {str(patient): str(part) for patient, part in split.items()}


def find_leaks(records: Sequence[Record], split: Mapping[str, str], duplicates: Pairs) -> list[str]:
    """One sentence per pair of (nearly) identical images in different parts. duplicates: pairs of paths."""
    patient_of = {record.path: record.patient for record in records}
    return [
        f"{one} ({split[patient_of[one]]}) and {other} ({split[patient_of[other]]}) differ in {bits} of 256 bits"
        for one, other, bits in duplicates
        if one in patient_of and other in patient_of and split[patient_of[one]] != split[patient_of[other]]
    ]


def require_no_leakage(records: Sequence[Record], split: Mapping[str, str], duplicates: Pairs) -> None:
    """Raises Leakage if (nearly) identical images are in different parts. duplicates: pairs of paths."""
    leaks = find_leaks(records, split, duplicates)
    if leaks:
        raise Leakage(f"{len(leaks)} images leak between parts: {'; '.join(leaks[:10])}")


def _groups(records: Sequence[Record], duplicates: Pairs) -> dict[str, str]:
    """Maps each patient to its group, named after the first of all patients connected by duplicate images."""
    patient_of = {record.path: record.patient for record in records}
    parent = {patient: patient for patient in sorted(set(patient_of.values()))}

    def root(patient: str) -> str:
        while parent[patient] != patient:
            patient = parent[patient]
        return patient

    for one, other, _ in duplicates:
        if one in patient_of and other in patient_of:
            first, second = sorted((root(patient_of[one]), root(patient_of[other])))
            parent[second] = first
    return {patient: root(patient) for patient in parent}


def _by_label(records: Sequence[Record], groups: Mapping[str, str]) -> dict[str, list[str]]:
    """Maps each label to its groups, both in name order."""
    label_of: dict[str, str] = {}
    for record in records:
        group = groups[record.patient]
        if label_of.get(group, CLASS_LABELS[-1]) == CLASS_LABELS[-1]:
            label_of[group] = str(record.label)
    by_label: dict[str, list[str]] = {}
    for name, label in sorted(label_of.items()):
        by_label.setdefault(label, []).append(name)
    return dict(sorted(by_label.items()))
