"""Augmentation for Faster R-CNN: transforms of torchvision, which move boxes together with the image."""

from __future__ import annotations

import torch
from torchvision.transforms import v2

from training.configuration import DetectorConfiguration


def transforms(settings: DetectorConfiguration) -> dict[str, v2.Transform]:
    """By setting of the configuration, one transform each; settings of 0 are left out. Images: float32, 0..1."""
    by_name: dict[str, v2.Transform] = {}
    if settings.horizontal_flip:
        by_name["horizontal_flip"] = v2.RandomHorizontalFlip()
    if settings.rotation_degrees:
        by_name["rotation_degrees"] = v2.RandomAffine(settings.rotation_degrees)
    if settings.translation:
        by_name["translation"] = v2.RandomAffine(0, translate=(settings.translation, settings.translation))
    if settings.scale:
        by_name["scale"] = v2.RandomAffine(0, scale=(1 - settings.scale, 1 + settings.scale))
    if settings.shear_degrees:
        by_name["shear_degrees"] = v2.RandomAffine(0, shear=settings.shear_degrees)
    if settings.brightness:
        by_name["brightness"] = v2.ColorJitter(brightness=settings.brightness)
    if settings.noise:
        by_name["noise"] = v2.GaussianNoise(sigma=settings.noise)
    return by_name


def training_transform(settings: DetectorConfiguration) -> v2.Compose:
    """All transforms, the affine ones in one step; then boxes are clipped to the image and empty ones dropped."""
    single = transforms(settings)
    steps: list[v2.Transform] = [single["horizontal_flip"]] if "horizontal_flip" in single else []
    steps.append(
        v2.RandomAffine(
            settings.rotation_degrees,
            translate=(settings.translation, settings.translation),
            scale=(1 - settings.scale, 1 + settings.scale),
            shear=settings.shear_degrees or None,
        )
    )
    steps += [single[name] for name in ("brightness", "noise") if name in single]
    return v2.Compose(
        [*steps, v2.ToDtype(torch.float32), v2.ClampBoundingBoxes(), v2.SanitizeBoundingBoxes(min_size=2)]
    )
