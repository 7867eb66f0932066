"""Training YOLO: interruption, and starting from a local checkpoint."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from training.configuration import load_configuration


def test_yolo_is_resumed_and_starts_from_a_local_checkpoint(prepared: Path, tmp_path: Path) -> None:
    from training.detector.yolo import train_yolo, work_offline

    work_offline(tmp_path)
    from ultralytics.engine.trainer import BaseTrainer

    smoke = load_configuration("smoke")
    two_epochs = smoke.model_copy(update={"detector": smoke.detector.model_copy(update={"epochs": 2})})
    save_model = BaseTrainer.save_model

    def save_and_stop(trainer: BaseTrainer) -> None:
        save_model(trainer)
        raise KeyboardInterrupt

    out = tmp_path / "interrupted"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseTrainer, "save_model", save_and_stop)
        with pytest.raises(KeyboardInterrupt):
            train_yolo(two_epochs.detector.yolov5, two_epochs, prepared / "data", out)
    best = train_yolo(two_epochs.detector.yolov5, two_epochs, prepared / "data", out)
    rows = (out / "run" / "results.csv").read_text().splitlines()[1:]
    assert [row.split(",")[0].strip() for row in rows] == ["1", "2"]

    checkpoint = torch.load(best, weights_only=False)
    name, start = next((name, value) for name, value in checkpoint["model"].named_parameters() if value.dim() == 4)
    start.data += 0.5  # the same seed gives nearly the same weights without the checkpoint
    torch.save(checkpoint, tmp_path / "start.pt")
    from_checkpoint = two_epochs.detector.yolov5.model_copy(update={"weights": tmp_path / "start.pt", "epochs": 1})
    almost_no_training = smoke.model_copy(
        update={"detector": smoke.detector.model_copy(update={"learning_rate": 1e-12})}
    )
    again = train_yolo(from_checkpoint, almost_no_training, prepared / "data", tmp_path / "again")
    trained = torch.load(again, weights_only=False)["model"].state_dict()[name]
    assert trained.float().numpy() == pytest.approx(start.detach().float().numpy(), abs=0.01)
