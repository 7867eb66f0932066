"""Static int8 quantisation of a graph, to measure what it gives."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from training.export.low_rank import unpack_weights
from training.export.parity import GreyImages


class _Images(CalibrationDataReader):
    def __init__(self, images: GreyImages) -> None:
        self._images = iter(images)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        image = next(self._images, None)
        return None if image is None else {"image": image[None, ..., None]}


def quantised(model: onnx.ModelProto, images: GreyImages) -> onnx.ModelProto:
    """A copy whose convolutions compute in int8: per channel, pairs of QuantizeLinear and DequantizeLinear.

    images: (n, h, w), for the ranges of the activations.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    unpack_weights(copy)
    with tempfile.TemporaryDirectory() as folder:
        plain, prepared, out = (Path(folder) / name for name in ("plain.onnx", "prepared.onnx", "int8.onnx"))
        onnx.save(copy, plain)
        quant_pre_process(str(plain), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(out),
            _Images(images),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return onnx.load(out)
