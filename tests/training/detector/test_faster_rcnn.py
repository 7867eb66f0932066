"""Training Faster R-CNN: an interrupted run gives the same weights as an uninterrupted one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from training.configuration import load_configuration


def test_an_interrupted_run_ends_with_the_same_weights_as_an_uninterrupted_one(prepared: Path, tmp_path: Path) -> None:
    from training.detector.faster_rcnn import LAST, train_faster_rcnn

    smoke = load_configuration("smoke")
    two_epochs = smoke.model_copy(update={"detector": smoke.detector.model_copy(update={"epochs": 2})})
    states = []
    for interrupted in (False, True):
        out = tmp_path / f"interrupted_{interrupted}"
        if interrupted:
            with pytest.raises(KeyboardInterrupt), interrupted_after(1):
                train_faster_rcnn(two_epochs.detector.faster_rcnn, two_epochs, prepared / "data", out)
        train_faster_rcnn(two_epochs.detector.faster_rcnn, two_epochs, prepared / "data", out)
        states.append(torch.load(out / LAST, weights_only=True)["network"])
    for name, value in states[0].items():
        assert value.numpy() == pytest.approx(states[1][name].numpy(), abs=1e-6), name


@contextmanager
def interrupted_after(epochs: int) -> Iterator[None]:
    """Raises KeyboardInterrupt, as Ctrl-C does, after this number of epochs."""
    from training.detector import faster_rcnn

    original, started = faster_rcnn._train_epoch, 0

    def limited(*arguments: Any) -> float:  # noqa: ANN401
        nonlocal started
        started += 1
        if started > epochs:
            raise KeyboardInterrupt
        return float(original(*arguments))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(faster_rcnn, "_train_epoch", limited)
        yield
