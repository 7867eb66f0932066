"""Training YOLO: interruption, and starting from a local checkpoint."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from training.configuration import load_configuration
from training.prepared.dataset import read_manifest


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


def train_watched(prepared: Path, out: Path, watch: Callable[[int, dict[str, Any]], None], **changes: float) -> None:
    """Trains YOLOv5 with new images in every epoch and no augmentation but `changes`. watch: gets epoch and batch."""
    from training.detector.yolo import train_yolo, work_offline

    work_offline(out.parent)
    from ultralytics.models.yolo.detect import DetectionTrainer

    smoke = load_configuration("smoke")
    none = dict.fromkeys(("brightness", "rotation_degrees", "translation", "scale"), 0.0)
    detector = smoke.detector.model_copy(update={"synthesis": "each_epoch", **none, **changes})
    preprocess = DetectionTrainer.preprocess_batch

    def watched(trainer: DetectionTrainer, batch: dict[str, Any]) -> dict[str, Any]:
        watch(trainer.epoch, batch)
        on_device: dict[str, Any] = preprocess(trainer, batch)
        return on_device

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DetectionTrainer, "preprocess_batch", watched)
        train_yolo(detector.yolov5, smoke.model_copy(update={"detector": detector}), prepared / "data", out)


def test_yolo_sees_the_images_and_boxes_of_each_epoch(prepared: Path, tmp_path: Path) -> None:
    """Without any augmentation, every image of a batch is the file that was drawn for this epoch, with its boxes."""
    seen: list[tuple[int, str, int]] = []

    def compare(epoch: int, batch: dict[str, Any]) -> None:
        boxes = {item.name: item.boxes for item in read_manifest(tmp_path / "run" / "drawn", "train")}
        for number, file in enumerate(batch["im_file"]):
            image = np.asarray(Image.open(file))
            assert np.array_equal(batch["img"][number, 0].numpy(), image), file
            widths = batch["bboxes"][batch["batch_idx"] == number, 2].tolist()
            expected = [x_max - x_min for _, x_min, _, x_max, _ in boxes[Path(file).stem]]
            assert max(widths, default=0) == pytest.approx(max(expected, default=0), abs=1e-4), (
                "the smallest are left out"
            )
            seen.append((epoch, file, zlib.crc32(image.tobytes())))

    train_watched(prepared, tmp_path / "run", compare, epochs=2)
    files = {file for _, file, _ in seen if not file.endswith("no_tumour.png")}
    assert len(files) > 10
    orders = [[file for epoch, file, _ in seen if epoch == number] for number in (0, 1)]
    assert orders[0] != orders[1], "every epoch has its own order"
    for file in files:
        assert len({content for _, other, content in seen if other == file}) == 2, "another image in each epoch"


def test_mosaics_end_for_the_last_quarter_of_epochs_with_new_images_in_each(prepared: Path, tmp_path: Path) -> None:
    whole: dict[int, bool] = {}

    def compare(epoch: int, batch: dict[str, Any]) -> None:
        same = [
            np.array_equal(image[0].numpy(), np.asarray(Image.open(file)))
            for image, file in zip(batch["img"], batch["im_file"], strict=True)
        ]
        whole[epoch] = whole.get(epoch, True) and all(same)

    train_watched(prepared, tmp_path / "run", compare, epochs=8, mosaic=1.0)
    assert [epoch for epoch, is_whole in whole.items() if is_whole] == [6, 7]
