"""Images that are not CT slices of a liver, which the input check must refuse."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from pydicom.data import get_testdata_files
from pydicom.pixels import pixel_array

from hepar.imaging import decode
from hepar.imaging.ct_image import GreyImage
from hepar.imaging.errors import ImageError
from hepar.imaging.letterbox import letterbox

TEXT = "Find and classify liver tumours on CT. Research software, not a medical device. "
_OTHER_MODALITIES = {"MR", "US", "NM", "PT", "CR", "DX", "XA", "RF", "OT", "MG", "SC"}
_MIN_SIDE_PX = 60


def foreign_images(side: int) -> dict[str, NDArray[np.uint8]]:
    """By group, (n, side, side): photographs of scikit-image, images of other modalities, text, noise."""
    return {
        "photographs": _fitted(_photographs(), side),
        "other_modalities": _fitted(_other_modalities(), side),
        "text": _fitted(_pages(), side),
        "noise": _fitted(_noise(), side),
    }


def _fitted(images: list[GreyImage], side: int) -> NDArray[np.uint8]:
    return np.stack([letterbox(image, side, side)[0] for image in images])


def _photographs() -> list[GreyImage]:
    """All pictures that the scikit-image package contains, decoded as the services decode an upload."""
    import skimage

    found = []
    for file in sorted((Path(skimage.__file__).parent / "data").glob("*")):
        if file.suffix not in (".png", ".jpg", ".tif"):
            continue
        try:
            found.append(decode(file.read_bytes()).pixels)
        except ImageError:  # 1-bit and floating-point pictures are refused by the decoder
            continue
    return found


def _other_modalities() -> list[GreyImage]:
    """The test files of pydicom that are not CT, as somebody may export them as pictures."""
    found = []
    for name in sorted(get_testdata_files("*.dcm")):
        try:
            dataset = pydicom.dcmread(name)
            if dataset.get("Modality") not in _OTHER_MODALITIES:
                continue
            values = np.asarray(pixel_array(dataset, index=0), dtype=np.float32)
        except Exception:  # noqa: BLE001, S112  pydicom ships some broken files for its own tests
            continue
        if values.ndim == 3:
            values = values.mean(axis=2)
        if min(values.shape) >= _MIN_SIDE_PX and np.ptp(values) > 0:
            found.append(np.asarray((values - values.min()) * (255 / np.ptp(values)), dtype=np.uint8))
    return found


def _pages() -> list[GreyImage]:
    """Pages of text, dark on light and light on dark, in six font sizes."""
    pages = []
    for size in (9, 12, 16, 24, 36, 60):
        for ink, paper in ((0, 255), (255, 0)):
            page = Image.new("L", (512, 512), paper)
            draw, font = ImageDraw.Draw(page), ImageFont.load_default(size=size)
            for line in range(512 // (size + 4)):
                draw.text((4, line * (size + 4)), (TEXT * 4)[line:], fill=ink, font=font)
            pages.append(np.asarray(page))
    return pages


def _noise() -> list[GreyImage]:
    """Uniform and Gaussian noise at four scales, and two linear ramps."""
    rng = np.random.default_rng(0)
    images: list[GreyImage] = []
    for scale_px in (1, 2, 8, 32):
        small = (512 // scale_px, 512 // scale_px)
        for values in (rng.uniform(0, 255, small), rng.normal(100, 40, small)):
            grey = Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))
            images.append(np.asarray(grey.resize((512, 512), Image.Resampling.BICUBIC)))
    ramp = np.tile(np.linspace(0, 255, 512), (512, 1)).astype(np.uint8)
    return [*images, ramp, np.ascontiguousarray(ramp.T)]


def as_picture(grey: GreyImage) -> bytes:
    """PNG bytes, as an upload."""
    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, "PNG")
    return buffer.getvalue()
