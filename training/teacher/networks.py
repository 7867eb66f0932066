"""The frozen networks of the teacher: grey slices in, feature maps out."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn
from torchvision.models import mobilenet_v2
from torchvision.models.resnet import Bottleneck, ResNet

from training.teacher.weights import astra_bytes, mobilenet_bytes

GRID = 16
"""Side of the teacher's feature maps, in cells."""
_ASTRA_LOW_HU, _ASTRA_RANGE_HU = -1000.0, 2000.0
_IMAGENET_MEAN, _IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_MOBILENET_LAYERS = 14
"""Up to the last layer at 1/16 of the resolution."""
_ASTRA_MODULES = {"conv1": "stem.0", "bn1": "stem.1", "layer1": "stages.0", "layer2": "stages.1"}


class FeatureNetwork(Protocol):
    """A frozen network."""

    def __call__(self, hu: Tensor) -> list[Tensor]:
        """Feature maps (n, channels, h, w) of hu, (n, 1, side, side) in Hounsfield units; h and w divide GRID or more.

        Rows and columns are those of the image.
        """
        ...


class MobileNet(nn.Module):  # type: ignore[misc]  # torch has no types here
    """MobileNetV2 up to 1/16 of the resolution. The window of the images fills the range of its training."""

    def __init__(self, window_hu: tuple[float, float]) -> None:
        super().__init__()
        self._low_hu, high_hu = window_hu
        self._width_hu = high_hu - self._low_hu
        self.features = mobilenet_v2(weights=None).features[:_MOBILENET_LAYERS]
        self.register_buffer("mean", torch.tensor(_IMAGENET_MEAN).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(_IMAGENET_DEVIATION).view(1, 3, 1, 1))

    def forward(self, hu: Tensor) -> list[Tensor]:
        return [self.features(((hu - self._low_hu) / self._width_hu - self.mean) / self.deviation)]

    def load_ordered_weights(self, state: dict[str, Tensor]) -> None:
        """state: of a whole MobileNetV2, with the same layers in the same order under other names."""
        own = self.features.state_dict()
        self.features.load_state_dict(dict(zip(own, state.values(), strict=False)))


class Astra(nn.Module):  # type: ignore[misc]  # torch has no types here
    """The first two stages of Astra's encoder, for one slice.

    A volume whose slices are all alike gives the same features as its slice when each kernel is summed over the
    slices: the 3-D ResNet-152 becomes an exact 2-D one, whose layers are those of torchvision.
    """

    def __init__(self) -> None:
        super().__init__()
        network = ResNet(Bottleneck, [3, 8, 1, 1])
        network.conv1 = nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
        self.stem = nn.Sequential(network.conv1, network.bn1, network.relu, network.maxpool)
        self.stages = nn.ModuleList([network.layer1, network.layer2])

    def forward(self, hu: Tensor) -> list[Tensor]:
        # Its axes: the first towards the patient's right, the second towards the front.
        turned = hu.flip(2, 3).transpose(2, 3)
        features = self.stem((turned - _ASTRA_LOW_HU) / _ASTRA_RANGE_HU)
        found = []
        for stage in self.stages:
            features = stage(features)
            found.append(features.transpose(2, 3).flip(2, 3))
        return found

    def load_volume_weights(self, state: dict[str, Tensor]) -> None:
        """state: of the 3-D network, `conv1.weight` to `layer4.*`; three equal channels go in, here one."""
        renamed = {}
        for name, value in state.items():
            first, _, rest = name.partition(".")
            if first in _ASTRA_MODULES:
                flat = value.float().sum(2) if value.ndim == 5 else value
                renamed[f"{_ASTRA_MODULES[first]}.{rest}"] = flat
        renamed["stem.0.weight"] = renamed["stem.0.weight"].sum(1, keepdim=True)
        self.load_state_dict(renamed)


def imagenet_networks(weights: Path, window_hu: tuple[float, float]) -> list[FeatureNetwork]:
    """MobileNetV2 with its weights. weights: a folder that `require_packages` accepts."""
    mobilenet = MobileNet(window_hu)
    mobilenet.load_ordered_weights(torch.load(mobilenet_bytes(weights), map_location="cpu", weights_only=True))
    return [_frozen(mobilenet)]


def pretrained_networks(weights: Path, window_hu: tuple[float, float]) -> list[FeatureNetwork]:
    """MobileNetV2 and Astra with their weights. weights: a folder that `require_packages` accepts."""
    astra = Astra()
    loaded = torch.load(astra_bytes(weights), map_location="cpu", weights_only=True)
    astra.load_volume_weights(loaded.get("state_dict", loaded))
    return [*imagenet_networks(weights, window_hu), _frozen(astra)]


class RandomNetwork(nn.Module):  # type: ignore[misc]  # torch has no types here
    """An untrained network of a few channels, so that tests run the code without any download."""

    def __init__(self, seed: int, width: int = 8) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.layers = nn.ModuleList(
                [nn.Conv2d(1, width, 5, stride=4, padding=2), nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)]
            )

    def forward(self, hu: Tensor) -> list[Tensor]:
        features, found = hu / 100, []
        for layer in self.layers:
            features = torch.relu(layer(features))
            found.append(features)
        return found


def random_networks(seed: int) -> list[FeatureNetwork]:
    return [_frozen(RandomNetwork(seed))]


def _frozen(network: nn.Module) -> nn.Module:
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    return network.eval()
