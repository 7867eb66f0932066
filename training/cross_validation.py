"""k-fold cross-validation of one network, grouped by patient. Every fold is a training run that can be resumed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from hepar.contracts.cards import ModelCard

PrepareFold = Callable[[tuple[int, int], Path], None]
RunCommand = Callable[[Path, str, str], None]


def cross_validate(network: str, folds: int, folder: Path, prepare_fold: PrepareFold, run_command: RunCommand) -> Path:
    """Trains and evaluates `network` on each fold and returns the file with the results.

    prepare_fold: prepares the data of one fold: prepare_fold((number from 1, folds), data_folder).
    run_command: runs a training command for one fold in its own process: run_command(fold_folder, command, network).
    <folder>/folds-<k>/<i>/ is the run of fold i; cross_validation_<network>.json has the values by fold, mean and
    standard deviation of each metric.
    """
    values: dict[str, list[float]] = {}
    for number in range(1, folds + 1):
        fold = folder / f"folds-{folds}" / str(number)
        if not (fold / "data" / "manifest.jsonl").is_file():
            prepare_fold((number, folds), fold / "data")
        for command in ("train", "export"):
            run_command(fold, command, network)
        card = ModelCard.model_validate_json((fold / "models" / network / "card.json").read_bytes())
        for name, metric in card.metrics.items():
            values.setdefault(name, []).append(metric.value)
    path = folder / f"cross_validation_{network}.json"
    rows = {
        name: {
            "mean": round(float(np.mean(by_fold)), 4),
            "standard_deviation": round(float(np.std(by_fold, ddof=1)), 4) if len(by_fold) > 1 else 0.0,
            "folds": by_fold,
        }
        for name, by_fold in values.items()
    }
    path.write_text(json.dumps(rows, indent=1) + "\n")
    return path
