"""Training Faster R-CNN: an interrupted run gives the same weights as an uninterrupted one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from training.configuration import load_configuration


def test_an_interrupted_run_ends_with_the_same_weights_as_an_uninterrupted_one(prepared: Path, tmp_path: Path) -> None:
    from training.detector.faster_rcnn import LAST, train_faster_rcnn

    def weights(synthesis: str, *, interrupted: bool) -> dict[str, torch.Tensor]:
        changes = {"epochs": 2, "synthesis": synthesis}
        two_epochs = smoke.model_copy(update={"detector": smoke.detector.model_copy(update=changes)})
        out = tmp_path / f"{synthesis}_{interrupted}"
        if interrupted:
            with pytest.raises(KeyboardInterrupt), interrupted_after(1):
                train_faster_rcnn(two_epochs.detector.faster_rcnn, two_epochs, prepared / "data", out)
        train_faster_rcnn(two_epochs.detector.faster_rcnn, two_epochs, prepared / "data", out)
        state: dict[str, torch.Tensor] = torch.load(out / LAST, weights_only=True)["network"]
        return state

    smoke = load_configuration("smoke")
    whole, resumed = (weights("each_epoch", interrupted=interrupted) for interrupted in (False, True))
    for name, value in whole.items():
        np.testing.assert_allclose(value.numpy(), resumed[name].numpy(), rtol=0, atol=1e-6, err_msg=name)
    same_images = weights("prepared", interrupted=False)
    assert any((value - same_images[name]).abs().max() > 1e-3 for name, value in whole.items()), "it saw other images"


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
