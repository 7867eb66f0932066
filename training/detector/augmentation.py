"""What a training image of Faster R-CNN may look like: torchvision's transforms, which move boxes and image alike."""

from __future__ import annotations

import torch
from torchvision.transforms import v2

from training.configuration import DetectorConfiguration


def transforms(settings: DetectorConfiguration) -> dict[str, v2.Transform]:
    """By the name of their line in the configuration; those set to 0 are left out. Images are float32, 0..1."""
    found: dict[str, v2.Transform] = {}
    if settings.horizontal_flip:
        found["horizontal_flip"] = v2.RandomHorizontalFlip()
    if settings.rotation_degrees:
        found["rotation_degrees"] = v2.RandomAffine(settings.rotation_degrees)
    if settings.translation:
        found["translation"] = v2.RandomAffine(0, translate=(settings.translation, settings.translation))
    if settings.scale:
        found["scale"] = v2.RandomAffine(0, scale=(1 - settings.scale, 1 + settings.scale))
    if settings.shear_degrees:
        found["shear_degrees"] = v2.RandomAffine(0, shear=settings.shear_degrees)
    if settings.brightness:
        found["brightness"] = v2.ColorJitter(brightness=settings.brightness)
    if settings.noise:
        found["noise"] = v2.GaussianNoise(sigma=settings.noise)
    return found


def training_transform(settings: DetectorConfiguration) -> v2.Compose:
    """All of them in one affine step where they can be, then boxes cut to the image and empty ones dropped."""
    apart = transforms(settings)
    steps: list[v2.Transform] = [apart["horizontal_flip"]] if "horizontal_flip" in apart else []
    steps.append(
        v2.RandomAffine(
            settings.rotation_degrees,
            translate=(settings.translation, settings.translation),
            scale=(1 - settings.scale, 1 + settings.scale),
            shear=settings.shear_degrees or None,
        )
    )
    steps += [apart[name] for name in ("brightness", "noise") if name in apart]
    return v2.Compose(
        [*steps, v2.ToDtype(torch.float32), v2.ClampBoundingBoxes(), v2.SanitizeBoundingBoxes(min_size=2)]
    )
