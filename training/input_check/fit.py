"""Fits the input check on a prepared data set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA
from torch import Tensor
from torchvision.transforms import v2

from training.input_check.network import COMPONENTS, ScopeCheck
from training.prepared.dataset import image_paths, read_images, read_manifest

ACCEPTED_SHARE = 0.995
"""Share of the augmented validation images that the threshold accepts."""
WEIGHTS = "weights.pt"
_MAX_IMAGES = 2000
_BATCH = 64
_STEEPNESS = 6.0
_AUGMENTATION = v2.Compose(
    [
        v2.RandomAffine(degrees=10, translate=(0.08, 0.08), scale=(0.8, 1.2)),
        v2.RandomHorizontalFlip(),
        v2.ColorJitter(brightness=0.15, contrast=0.25),
    ]
)


def fit_input_check(data: Path, seed: int, folder: Path) -> None:
    """Fits the features on the training part and the threshold on the validation part; writes WEIGHTS to `folder`."""
    torch.manual_seed(seed)
    network = ScopeCheck().eval()
    training = _augmented(data, "train")
    with torch.no_grad():
        layout = _in_batches(lambda part: network.layout(part.permute(0, 3, 1, 2).float() / 255), training)
        pca = PCA(min(COMPONENTS, len(layout) - 1), random_state=seed).fit(layout.numpy())
        network.layout_mean.copy_(torch.from_numpy(pca.mean_))
        network.components[: pca.n_components_].copy_(torch.from_numpy(pca.components_))
        fitted = LedoitWolf().fit(_in_batches(network.features, training).double().numpy())
        network.centre.copy_(torch.from_numpy(fitted.location_))
        network.whitening.copy_(torch.from_numpy(np.linalg.cholesky(fitted.precision_)))
        distances = _in_batches(network.distance, _augmented(data, "validation"))
        network.middle.copy_(torch.quantile(distances, ACCEPTED_SHARE))
        network.spread.copy_((network.middle - distances.median()) / _STEEPNESS)
    torch.save(network.state_dict(), folder / WEIGHTS)


def fitted_input_check(folder: Path) -> ScopeCheck:
    """The network that `fit_input_check` wrote."""
    network = ScopeCheck()
    network.load_state_dict(torch.load(folder / WEIGHTS, weights_only=True))
    return network.eval()


def typicality(network: ScopeCheck, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(n, 1) typicality of images (n, h, w)."""
    with torch.no_grad():
        return _in_batches(network, torch.from_numpy(images[..., None])).double().numpy()


def _in_batches(function: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    return torch.cat([function(batch) for batch in images.split(_BATCH)])


def _augmented(data: Path, part: str) -> Tensor:
    """The images of a part, unchanged and augmented, (n, h, w, 1) uint8."""
    paths = image_paths(data, read_manifest(data, part))
    images = torch.from_numpy(read_images(paths[:: max(1, len(paths) // _MAX_IMAGES)]))[:, None]
    augmented = torch.stack([_AUGMENTATION(image) for image in images])
    return torch.cat([images, augmented]).permute(0, 2, 3, 1)
