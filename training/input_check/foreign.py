"""Images that are no slices through a liver, to show the input check what it must refuse."""

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
_SIDE_MIN = 60


def foreign_images(side: int) -> dict[str, NDArray[np.uint8]]:
    """By group, (n, side, side): photographs of scikit-image, objects of other modalities, text, noise."""
    return {
        "photographs": _fitted(_photographs(), side),
        "other_modalities": _fitted(_other_modalities(), side),
        "text": _fitted(_pages(), side),
        "noise": _fitted(_noise(), side),
    }


def _fitted(images: list[GreyImage], side: int) -> NDArray[np.uint8]:
    return np.stack([letterbox(image, side, side)[0] for image in images])


def _photographs() -> list[GreyImage]:
    """All pictures that come inside the package, read as the services read an upload."""
    import skimage

    found = []
    for file in sorted((Path(skimage.__file__).parent / "data").glob("*")):
        if file.suffix not in (".png", ".jpg", ".tif"):
            continue
        try:
            found.append(decode(file.read_bytes()).pixels)
        except ImageError:  # 1-bit and floating-point pictures are refused before any check
            continue
    return found


def _other_modalities() -> list[GreyImage]:
    """Pydicom's own test files that are not CT: what somebody may export as a picture."""
    found = []
    for name in sorted(get_testdata_files("*.dcm")):
        try:
            dataset = pydicom.dcmread(name)
            if dataset.get("Modality") not in _OTHER_MODALITIES:
                continue
            values = np.asarray(pixel_array(dataset, index=0), dtype=np.float32)
        except Exception:  # noqa: BLE001, S112  files that pydicom keeps because they are broken
            continue
        if values.ndim == 3:
            values = values.mean(axis=2)
        if min(values.shape) >= _SIDE_MIN and np.ptp(values) > 0:
            found.append(np.asarray((values - values.min()) * (255 / np.ptp(values)), dtype=np.uint8))
    return found


def _pages() -> list[GreyImage]:
    """Printed lines, dark on light and light on dark, in six sizes."""
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
    """Even and Gaussian, of single pixels and of blots, and plain ramps."""
    rng = np.random.default_rng(0)
    images: list[GreyImage] = []
    for coarse in (1, 2, 8, 32):
        small = (512 // coarse, 512 // coarse)
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
