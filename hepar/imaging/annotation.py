"""Pictures of the result: the image with its boxes or its activation map, and the research-use notice."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from hepar.contracts.analyses import Box
from hepar.contracts.base import RESEARCH_USE_NOTICE
from hepar.imaging.ct_image import CtImage

_COLOURS = {"cholangiocarcinoma": "#ff9f1c", "metastasis": "#2ec4ff"}
_SHORTEST_SIDE = 768
_LONGEST_SIDE = 2048
_BAR = 28
_WARMEST, _WARM = (255, 240, 120), (255, 90, 0)
_OPACITY = 0.65


def annotated_png(image: CtImage, boxes: Sequence[Box], headline: str) -> bytes:
    """PNG bytes, between 768 and 2,048 pixels on the longer side, carrying no metadata of the source."""
    picture, zoom = _framed(image, headline)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(size=14)
    for box in boxes:
        colour = _COLOURS.get(box.label, "#ffffff")
        corners = (box.x_min * zoom, box.y_min * zoom + _BAR, box.x_max * zoom, box.y_max * zoom + _BAR)
        draw.rectangle(corners, outline=colour, width=2)
        draw.text((corners[0], max(corners[1] - 18, 0)), f"{box.label} {box.score:.2f}", fill=colour, font=font)
    return _png(picture)


def overlay_png(image: CtImage, values: NDArray[np.floating], headline: str) -> bytes:
    """The same of a map: (rows, columns) over the image, 0..1; what is 0 stays as the image is."""
    picture, zoom = _framed(image, headline)
    size = (max(1, round(image.width * zoom)), max(1, round(image.height * zoom)))
    spread = Image.fromarray(np.asarray(values, dtype=np.float32)).resize(size, Image.Resampling.BICUBIC)
    strength = np.clip(np.asarray(spread), 0, 1)[..., None]
    colours = Image.fromarray(np.asarray(_WARM + (np.array(_WARMEST) - _WARM) * strength, dtype=np.uint8))
    opacity = Image.fromarray(np.asarray(strength[..., 0] * (_OPACITY * 255), dtype=np.uint8))
    picture.paste(colours, (0, _BAR), opacity)
    return _png(picture)


def base64_text(content: bytes) -> str:
    """As JSON carries it (RFC 4648, section 4)."""
    return base64.b64encode(content).decode("ascii")


def _framed(image: CtImage, headline: str) -> tuple[Image.Image, float]:
    """The image between a headline and the notice, and how much it is enlarged."""
    longer = max(image.width, image.height)
    zoom = min(max(_SHORTEST_SIDE / longer, 1.0), _LONGEST_SIDE / longer)
    size = (max(1, round(image.width * zoom)), max(1, round(image.height * zoom)))
    picture = Image.new("RGB", (size[0], size[1] + 2 * _BAR), "black")
    picture.paste(Image.fromarray(image.pixels).resize(size, Image.Resampling.BICUBIC), (0, _BAR))
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(size=14)
    draw.text((8, 5), headline, fill="white", font=font)
    draw.text((8, size[1] + _BAR + 5), RESEARCH_USE_NOTICE, fill="#ffd166", font=font)
    return picture, zoom


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
