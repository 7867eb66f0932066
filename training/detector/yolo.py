"""Trains YOLOv3 and YOLOv5 with ultralytics (AGPL-3.0), without any download."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from training.configuration import Configuration, YoloArchitecture
from training.lesions import LABELS
from training.prepared.epochs import EpochImages, epoch_images

if TYPE_CHECKING:
    from torch import nn  # pyright: ignore[reportMissingImports]
    from ultralytics.models.yolo.detect import DetectionTrainer  # pyright: ignore[reportMissingImports]

START = "start.pt"


def train_yolo(architecture: YoloArchitecture, configuration: Configuration, data: Path, out: Path) -> Path:
    """Trains on `data` (a prepared data set) and returns the best checkpoint by validation mAP.

    ultralytics writes its state after every epoch; after an interruption, the next call resumes there.
    """
    best = best_checkpoint(out)
    last = best.with_name("last.pt")
    out.mkdir(parents=True, exist_ok=True)
    work_offline(out)
    from ultralytics import YOLO

    images = epoch_images(configuration.detector.synthesis, data, out, configuration.data)
    network = YOLO(last if last.exists() else architecture.architecture)
    if images:
        images.draw(0)
        network.add_callback("on_train_epoch_start", partial(_draw, images))
    if last.exists():
        network.train(resume=True)
    else:
        start = _starting_checkpoint(architecture, data, out)
        network.train(
            data=str((images.folder if images else data) / "data.yaml"),
            pretrained=False if start is None else str(start),
            project=str(out.resolve()),  # ultralytics would put a relative path below its own folder
            name="run",
            exist_ok=True,
            **_settings(architecture, configuration),
        )
    return best


def _settings(architecture: YoloArchitecture, configuration: Configuration) -> dict[str, object]:
    """The configuration in the words of ultralytics."""
    settings = configuration.detector
    epochs = architecture.epochs or settings.epochs
    return {
        "imgsz": configuration.data.input_size_px,
        "epochs": epochs,
        "patience": settings.patience or epochs,
        "batch": settings.batch_size,
        "lr0": settings.learning_rate,
        "optimizer": "AdamW",
        "degrees": settings.rotation_degrees,
        "shear": settings.shear_degrees,
        "translate": settings.translation,
        "scale": settings.scale,
        "mosaic": settings.mosaic,
        "close_mosaic": max(1, epochs // 4),
        "fliplr": 0.5 if settings.horizontal_flip else 0.0,
        "hsv_h": 0.0,
        "hsv_s": 0.0,
        "hsv_v": settings.brightness,
        "erasing": 0.0,
        "cos_lr": True,
        "warmup_epochs": 1.0,
        "seed": configuration.data.seed,
        "device": _device(),
        "workers": 1,
        "plots": False,
    }


def _draw(images: EpochImages, trainer: DetectionTrainer) -> None:
    """Draws the images of the epoch that begins, for a new loader: the previous one keeps boxes and some images."""
    trainer.train_loader.close()
    images.draw(trainer.epoch)
    if trainer.epoch >= trainer.epochs - trainer.args.close_mosaic:
        trainer.args.mosaic = 0.0  # ultralytics closes it only once, for the loader of that epoch
    trainer.train_loader = trainer.get_dataloader(trainer.data["train"], trainer.batch_size, rank=-1, mode="train")
    trainer.train_loader.generator.manual_seed(trainer.args.seed + trainer.epoch)  # every new one has the same


def _starting_checkpoint(architecture: YoloArchitecture, data: Path, out: Path) -> Path | None:
    """The configured checkpoint; one is written to `out` if the configured file is a served graph."""
    if architecture.weights is None or architecture.weights.suffix != ".onnx":
        return architecture.weights
    import torch

    network = restored_yolo(architecture.architecture, architecture.weights, data)
    torch.save({"model": network, "train_args": {}}, out / START)
    return out / START


def restored_yolo(architecture: str, graph: Path, data: Path) -> nn.Module:
    """The network with the weights of a served graph, in evaluation mode. data: with images to normalise on."""
    from ultralytics.nn.tasks import DetectionModel

    from training.detector.shipped_weights import load_shipped_weights, training_images

    network = DetectionModel(architecture, nc=len(LABELS), verbose=False)
    load_shipped_weights(network, graph, training_images(data))
    return network


def best_checkpoint(out: Path) -> Path:
    """The file to which `train_yolo` writes the best weights."""
    return out / "run" / "weights" / "best.pt"


def work_offline(settings_folder: Path) -> None:
    """Prevents ultralytics from downloading or installing anything. Must run before its first import."""
    os.environ["YOLO_OFFLINE"] = "True"
    os.environ["YOLO_AUTOINSTALL"] = "False"
    os.environ.setdefault("YOLO_CONFIG_DIR", str(settings_folder.resolve()))


def _device() -> str:
    import torch

    return "0" if torch.cuda.is_available() else "cpu"
