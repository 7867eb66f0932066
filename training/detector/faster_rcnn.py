"""Faster R-CNN with a ResNet feature pyramid, by torchvision. Training can be interrupted and resumed at any epoch."""

from __future__ import annotations

import csv
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import tv_tensors
from torchvision.models import resnet18, resnet50
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import BackboneWithFPN, LastLevelMaxPool
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.ops import MultiScaleRoIAlign
from tqdm import tqdm

from training.configuration import Configuration, DetectorConfiguration, FasterRcnnArchitecture
from training.detector.augmentation import training_transform
from training.detector.shipped_weights import load_shipped_weights, training_images
from training.lesions import LABELS
from training.metrics.detection import Boxes, average_precision
from training.prepared.dataset import Example, located_examples, read_manifest
from training.prepared.epochs import epoch_images

BEST, LAST, EPOCHS = "best.pt", "last.pt", "epochs.csv"
ASPECT_RATIOS = (0.5, 1.0, 2.0)
BOXES = 100
PROPOSALS_OF_A_LEVEL, PROPOSALS = 50, 25
"""Before and after their suppression. docs/decisions/0076: with 300 and 150 nothing more is found."""
POOLED_LEVEL = "0"
"""Of the pyramid, the finest. The others are for boxes wider than 112 pixels, which few lesions have."""
RESNETS = {"resnet18": resnet18, "resnet50": resnet50}
Target = dict[str, Tensor]


def train_faster_rcnn(
    architecture: FasterRcnnArchitecture, configuration: Configuration, data: Path, out: Path
) -> Path:
    """Trains on `data` (a prepared data set) and returns the best weights by validation mAP at an overlap of 0.5.

    Network, optimiser, schedule and random state are written after every epoch; after an interruption, the next call
    resumes there.
    """
    out.mkdir(parents=True, exist_ok=True)
    settings = configuration.detector
    epochs = architecture.epochs or settings.epochs
    torch.manual_seed(configuration.data.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = new_faster_rcnn(architecture, configuration.data.input_size_px)
    if architecture.weights is not None and not (out / LAST).exists():
        _load_weights(network, architecture.weights, data)
    network = network.to(device, memory_format=torch.channels_last)
    images = epoch_images(settings.synthesis, data, out, configuration.data)
    training = _training_loader(data, architecture, settings)
    learning_rate = architecture.learning_rate or settings.learning_rate
    optimiser = torch.optim.AdamW(network.parameters(), learning_rate, weight_decay=0.01)
    schedule = _warm_cosine(optimiser, len(training), epochs)
    progress = Progress.load(out / LAST, network, optimiser, schedule)
    while progress.epoch < epochs:
        if images:
            images.draw(progress.epoch)
            training = _training_loader(images.folder, architecture, settings)
        title = f"epoch {progress.epoch + 1} of {epochs}"
        loss = _train_epoch(network, training, optimiser, schedule, device, title)
        score = validation_score(network, data, device)
        print(f"epoch {progress.epoch + 1}: loss {loss:.4f}, validation mAP50 {score:.4f}")
        with (out / EPOCHS).open("a", newline="") as file:
            csv.writer(file).writerow([progress.epoch, f"{loss:.5f}", f"{score:.5f}"])
        if score > progress.best_score:
            torch.save(network.state_dict(), out / BEST)
        progress = progress.after(score)
        progress.save(out / LAST, network, optimiser, schedule)
        if settings.patience and progress.epochs_since_best >= settings.patience:
            print(f"no improvement for {settings.patience} epochs: training stops early")
            break
    return out / BEST


def _training_loader(
    data: Path, architecture: FasterRcnnArchitecture, settings: DetectorConfiguration
) -> DataLoader[tuple[Tensor, Target]]:
    return DataLoader(
        PreparedImages(data, "train", training_transform(settings)),
        architecture.batch_size or settings.batch_size,
        shuffle=True,
        drop_last=True,
        collate_fn=_collated,
    )


def _load_weights(network: FasterRCNN, weights: Path, data: Path) -> None:
    if weights.suffix == ".onnx":
        load_shipped_weights(network, weights, training_images(data))
    else:
        network.load_state_dict(torch.load(weights, weights_only=True))


@dataclass(frozen=True)
class Progress:
    """The progress of training. epoch: number of complete epochs."""

    epoch: int = 0
    best_score: float = -1.0
    epochs_since_best: int = 0

    def after(self, score: float) -> Progress:
        """After one more epoch with this validation score."""
        if score > self.best_score:
            return Progress(self.epoch + 1, score, 0)
        return Progress(self.epoch + 1, self.best_score, self.epochs_since_best + 1)

    @classmethod
    def load(
        cls,
        file: Path,
        network: FasterRCNN,
        optimiser: torch.optim.Optimizer,
        schedule: torch.optim.lr_scheduler.LRScheduler,
    ) -> Progress:
        """Restores the state that `save` wrote, random numbers included; the initial progress without such a file."""
        if not file.exists():
            return cls()
        saved = torch.load(file, weights_only=True)
        network.load_state_dict(saved["network"])
        optimiser.load_state_dict(saved["optimiser"])
        schedule.load_state_dict(saved["schedule"])
        torch.set_rng_state(saved["random"])
        return cls(**saved["progress"])

    def save(
        self,
        file: Path,
        network: FasterRCNN,
        optimiser: torch.optim.Optimizer,
        schedule: torch.optim.lr_scheduler.LRScheduler,
    ) -> None:
        """Writes the complete state, replacing the file atomically."""
        state = {
            "network": network.state_dict(),
            "optimiser": optimiser.state_dict(),
            "schedule": schedule.state_dict(),
            "random": torch.get_rng_state(),
            "progress": asdict(self),
        }
        torch.save(state, file.with_suffix(".new"))
        file.with_suffix(".new").replace(file)


def new_faster_rcnn(architecture: FasterRcnnArchitecture, side: int) -> FasterRCNN:
    """An untrained network. Its classes are torchvision's background and then LABELS; batch statistics are trained."""
    resnet = RESNETS[architecture.backbone](weights=None)
    stages = {f"layer{stage}": str(stage - 1) for stage in (1, 2, 3, 4)}
    widths = [resnet.fc.in_features // 2**stage for stage in (3, 2, 1, 0)]
    channels = architecture.pyramid_channels
    backbone = BackboneWithFPN(resnet, stages, widths, channels, LastLevelMaxPool())
    anchors = AnchorGenerator(
        tuple((side_px,) for side_px in architecture.anchor_sides_px),
        (ASPECT_RATIOS,) * len(architecture.anchor_sides_px),
    )
    return FasterRCNN(
        backbone,
        min_size=side,
        max_size=side,
        image_mean=[0.3] * 3,
        image_std=[0.3] * 3,
        rpn_anchor_generator=anchors,
        box_head=TwoMLPHead(channels * 7 * 7, architecture.head_width),
        box_predictor=FastRCNNPredictor(architecture.head_width, len(LABELS) + 1),
        box_roi_pool=MultiScaleRoIAlign([POOLED_LEVEL], output_size=7, sampling_ratio=2),
        rpn_pre_nms_top_n_train=600,
        rpn_pre_nms_top_n_test=PROPOSALS_OF_A_LEVEL,
        rpn_post_nms_top_n_train=300,
        rpn_post_nms_top_n_test=PROPOSALS,
        box_batch_size_per_image=128,
        box_detections_per_img=BOXES,
        box_score_thresh=0.01,
    )


def trained_faster_rcnn(architecture: FasterRcnnArchitecture, side: int, out: Path) -> FasterRCNN:
    """The network with the best weights that `train_faster_rcnn` wrote to `out`, in evaluation mode."""
    network = new_faster_rcnn(architecture, side)
    network.load_state_dict(torch.load(out / BEST, weights_only=True, map_location="cpu"))
    return network.eval()


class PreparedImages(Dataset[tuple[Tensor, Target]]):
    """The located examples of one part: images (3, h, w) float32 0..1, boxes in pixels, labels from 1."""

    def __init__(self, data: Path, part: str, transform: nn.Module | None) -> None:
        self._data, self._transform = data, transform
        self._examples = located_examples(read_manifest(data, part))

    def __len__(self) -> int:
        return len(self._examples)

    def __getitem__(self, index: int) -> tuple[Tensor, Target]:
        image, target = _read(self._data, self._examples[index])
        return self._transform(image, target) if self._transform else (image, target)


def validation_score(network: nn.Module, data: Path, device: torch.device) -> float:
    """Mean average precision at an overlap of 0.5 over the validation part."""
    network.eval()
    found, truth = [], []
    loader = DataLoader(PreparedImages(data, "validation", None), 8, collate_fn=_collated)
    for images, targets in loader:
        with torch.no_grad(), _half_precision(device):
            outputs = network([image.to(device) for image in images])
        for image, output, target in zip(images, outputs, targets, strict=True):
            side = image.shape[-1]
            found.append(_boxes(output, output["scores"], side))
            truth.append(_boxes(target, torch.ones(len(target["labels"])), side))
    return average_precision(found, truth)


def _train_epoch(
    network: FasterRCNN,
    training: DataLoader[tuple[Tensor, Target]],
    optimiser: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    device: torch.device,
    title: str,
) -> float:
    network.train()
    total = 0.0
    bar = tqdm(training, desc=title, mininterval=10)
    for step, (images, targets) in enumerate(bar, start=1):
        on_device = [{name: value.to(device) for name, value in target.items()} for target in targets]
        with _half_precision(device):
            losses = network([image.to(device) for image in images], on_device)
        loss = torch.stack([value.float() for value in losses.values()]).sum()
        if not torch.isfinite(loss):
            raise FloatingPointError(f"the loss is {float(loss)} in {title}: a smaller learning rate may help")
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        schedule.step()
        total += float(loss.detach())
        bar.set_postfix(loss=f"{total / step:.3f}")
    return total / max(1, len(training))


def _half_precision(device: torch.device) -> torch.autocast:
    """bfloat16 in the convolutions, float32 weights: twice as fast on processors and GPUs that support it."""
    return torch.autocast(device.type, dtype=torch.bfloat16)


def _warm_cosine(optimiser: torch.optim.Optimizer, steps: int, epochs: int) -> torch.optim.lr_scheduler.LambdaLR:
    """Linear warm-up over the first twentieth of all steps, then a cosine decay to 1 %."""
    total = max(2, steps * epochs)
    warm = max(1, total // 20)

    def share(step: int) -> float:
        if step < warm:
            return (step + 1) / warm
        return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (step - warm) / (total - warm)))

    return torch.optim.lr_scheduler.LambdaLR(optimiser, share)


def _read(data: Path, example: Example) -> tuple[tv_tensors.Image, Target]:
    grey = np.asarray(Image.open(data / example.part / "images" / f"{example.name}.png"), dtype=np.float32) / 255
    height, width = grey.shape
    corners = np.array([box[1:] for box in example.boxes], dtype=np.float32).reshape(-1, 4)
    boxes = tv_tensors.BoundingBoxes(
        torch.from_numpy(corners * np.array([width, height, width, height], dtype=np.float32)),
        format=tv_tensors.BoundingBoxFormat.XYXY,
        canvas_size=(height, width),
    )
    labels = torch.tensor([box[0] + 1 for box in example.boxes], dtype=torch.int64)
    return tv_tensors.Image(torch.from_numpy(grey).expand(3, -1, -1)), {"boxes": boxes, "labels": labels}


def _boxes(target: Target, scores: Tensor, side: int) -> Boxes:
    corners = target["boxes"].float().cpu().numpy().astype(np.float64).reshape(-1, 4) / side
    return Boxes(corners, target["labels"].cpu().numpy() - 1, scores.float().cpu().numpy().astype(np.float64))


def _collated(batch: list[tuple[Tensor, Target]]) -> tuple[list[Tensor], list[Target]]:
    images, targets = zip(*batch, strict=True)
    return list(images), list(targets)
