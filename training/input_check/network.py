"""The input check: statistics of an image and their Mahalanobis distance from those of the training images.

Lee et al., "A simple unified framework for detecting out-of-distribution samples", NeurIPS 2018, apply the distance to
the features of a network. Statistics of the image need no trained network.
"""

from __future__ import annotations

import io

import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional

GRID = 16
GREY_BINS = 16
COMPONENTS = 32
BANDS = 4
TISSUE = (0.2, 0.8)
"""Range of grey levels (0..1) between background and bone, in which organs lie."""
FEATURES = COMPONENTS + 1 + GREY_BINS + 4 * BANDS
_FLOOR = 1e-3


class ScopeCheck(nn.Module):
    """Maps uint8 images (n, h, w, 1) to typicality (n, 1): above 0.5 for images like the fitted ones, else low.

    Features: the first principal components of mean and standard deviation on a grid of 16 by 16, the residual that
    these do not explain, a histogram of grey levels, and the strength of each band of a Haar pyramid (mean, root mean
    square, maximum, and mean inside tissue). `training.input_check.fit` fits the parameters.
    """

    layout_mean: Tensor
    components: Tensor
    centre: Tensor
    whitening: Tensor
    middle: Tensor
    spread: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("layout_mean", torch.zeros(2 * GRID * GRID))
        self.register_buffer("components", torch.zeros(COMPONENTS, 2 * GRID * GRID))
        self.register_buffer("centre", torch.zeros(FEATURES))
        self.register_buffer("whitening", torch.eye(FEATURES))
        self.register_buffer("middle", torch.tensor(1.0))
        self.register_buffer("spread", torch.tensor(1.0))

    def forward(self, image: Tensor) -> Tensor:
        return torch.sigmoid((self.middle - self.distance(image)) / self.spread)

    def distance(self, image: Tensor) -> Tensor:
        """(n, 1) Mahalanobis distance per feature, about 1 for an image like the fitted ones."""
        whitened = (self.features(image) - self.centre) @ self.whitening
        return torch.sqrt((whitened**2).mean(dim=1, keepdim=True))

    def features(self, image: Tensor) -> Tensor:
        """(n, FEATURES) statistics of images (n, h, w, 1)."""
        grey = image.permute(0, 3, 1, 2).float() / 255
        layout = self.layout(grey) - self.layout_mean
        scores = layout @ self.components.T
        unexplained = ((layout - scores @ self.components) ** 2).sum(dim=1, keepdim=True)
        levels = torch.arange(GREY_BINS).float().reshape(1, -1, 1, 1)
        shares = torch.relu(1 - (functional.avg_pool2d(grey, 2) * (GREY_BINS - 1) - levels).abs()).mean(dim=(2, 3))
        logarithmic = torch.log(torch.cat([unexplained, self.texture(grey)], dim=1) + _FLOOR)
        return torch.cat([scores, torch.sqrt(shares), logarithmic], dim=1)

    @staticmethod
    def layout(grey: Tensor) -> Tensor:
        """(n, 2 * GRID * GRID) mean and standard deviation of each cell of a grid. grey: (n, 1, side, side), 0..1."""
        cell = grey.shape[-1] // GRID
        mean = functional.avg_pool2d(grey, cell)
        variance = functional.avg_pool2d(grey**2, cell) - mean**2
        return torch.cat([mean.flatten(1), torch.sqrt(torch.relu(variance) + _FLOOR).flatten(1)], dim=1)

    @staticmethod
    def texture(grey: Tensor) -> Tensor:
        """(n, 4 * BANDS) strength of the detail that each halving of the resolution removes, finest first."""
        strengths = []
        for _ in range(BANDS):
            half = functional.avg_pool2d(grey, 2)
            detail = (grey - functional.interpolate(half, scale_factor=2.0, mode="nearest")).abs()
            tissue = ((grey > TISSUE[0]) & (grey < TISSUE[1])).float()
            inside = (detail * tissue).sum(dim=(2, 3)) / (tissue.sum(dim=(2, 3)) + 1)
            strengths += [
                detail.mean(dim=(2, 3)),
                torch.sqrt((detail**2).mean(dim=(2, 3))),
                detail.amax(dim=(2, 3)),
                inside,
            ]
            grey = half
        return torch.cat(strengths, dim=1)


def input_check_graph(network: ScopeCheck, height: int, width: int) -> onnx.ModelProto:
    """The serving graph.

    in   image       UINT8 [batch, H, W, 1]
    out  typicality  FP32  [batch, 1]
    """
    buffer = io.BytesIO()
    torch.onnx.export(
        network.eval(),
        (torch.zeros(2, height, width, 1, dtype=torch.uint8),),
        buffer,
        dynamo=False,
        opset_version=17,
        input_names=["image"],
        output_names=["typicality"],
        dynamic_axes={"image": {0: "batch"}, "typicality": {0: "batch"}},
    )
    graph = onnx.load_model_from_string(buffer.getvalue())
    del graph.graph.output[0].type.tensor_type.shape.dim[1:]
    graph.graph.output[0].type.tensor_type.shape.dim.add().dim_value = 1
    return graph
