"""k-fold cross-validation of one network, grouped by patient; every fold is a run that resumes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from hepar.contracts.cards import ModelCard

Call = Callable[..., None]
Divide = Callable[[tuple[int, int], Path], None]


def cross_validate(network: str, folds: int, folder: Path, divide: Divide, call: Call) -> Path:
    """Trains and judges `network` on each fold and returns the file with the figures.

    divide: prepares one fold's data in a folder: divide((number from 1, folds), folder).
    call: runs one command of ours on one fold's folder, in a process of its own: call(fold_folder, "train", network).
    <folder>/folds-<k>/<i>/ is the run of fold i; cross_validation_<network>.json holds each figure's value by fold,
    mean and standard deviation.
    """
    values: dict[str, list[float]] = {}
    for number in range(1, folds + 1):
        fold = folder / f"folds-{folds}" / str(number)
        if not (fold / "data" / "manifest.jsonl").is_file():
            divide((number, folds), fold / "data")
        for command in ("train", "export"):
            call(fold, command, network)
        card = ModelCard.model_validate_json((fold / "models" / network / "card.json").read_bytes())
        for name, metric in card.metrics.items():
            values.setdefault(name, []).append(metric.value)
    path = folder / f"cross_validation_{network}.json"
    rows = {
        name: {
            "mean": round(float(np.mean(of_folds)), 4),
            "standard_deviation": round(float(np.std(of_folds, ddof=1)), 4) if len(of_folds) > 1 else 0.0,
            "folds": of_folds,
        }
        for name, of_folds in values.items()
    }
    path.write_text(json.dumps(rows, indent=1) + "\n")
    return path
