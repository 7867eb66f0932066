"""Renderings of a result: the image with its boxes or its activation map, and the research-use notice."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from hepar.contracts.analyses import Box
from hepar.contracts.base import RESEARCH_USE_NOTICE
from hepar.imaging.prepared import PREVIEW_SIDE_MAX, Preview

_COLOURS = {"cholangiocarcinoma": "#ff9f1c", "metastasis": "#2ec4ff"}
_LONGER_SIDE_MIN = 768
_BAR_HEIGHT = 28
_HOTTEST_COLOUR, _HOT_COLOUR = (255, 240, 120), (255, 90, 0)
_OPACITY = 0.65


def annotated_png(image: Preview, boxes: Sequence[Box], headline: str) -> bytes:
    """PNG, between 768 and 2,048 pixels on the longer side, without metadata of the source."""
    picture, zoom = _framed(image, headline)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(size=14)
    for box in boxes:
        colour = _COLOURS.get(box.label, "#ffffff")
        corners = (box.x_min * zoom, box.y_min * zoom + _BAR_HEIGHT, box.x_max * zoom, box.y_max * zoom + _BAR_HEIGHT)
        draw.rectangle(corners, outline=colour, width=2)
        draw.text((corners[0], max(corners[1] - 18, 0)), f"{box.label} {box.score:.2f}", fill=colour, font=font)
    return _png(picture)


def overlay_png(image: Preview, values: NDArray[np.floating], headline: str) -> bytes:
    """PNG as of `annotated_png`, with an activation map over the image.

    values: (rows, columns) over the extent of the image, 0 to 1; where it is 0 the image is unchanged.
    """
    picture, zoom = _framed(image, headline)
    resized = Image.fromarray(np.asarray(values, dtype=np.float32)).resize(_size(image, zoom), Image.Resampling.BICUBIC)
    strength = np.clip(np.asarray(resized), 0, 1)[..., None]
    colour_range = np.array(_HOTTEST_COLOUR) - _HOT_COLOUR
    colours = Image.fromarray(np.asarray(_HOT_COLOUR + colour_range * strength, dtype=np.uint8))
    opacity = Image.fromarray(np.asarray(strength[..., 0] * (_OPACITY * 255), dtype=np.uint8))
    picture.paste(colours, (0, _BAR_HEIGHT), opacity)
    return _png(picture)


def base64_text(content: bytes) -> str:
    """Base64 text (RFC 4648, section 4), as used in JSON."""
    return base64.b64encode(content).decode("ascii")


def _size(image: Preview, zoom: float) -> tuple[int, int]:
    return max(1, round(image.width * zoom)), max(1, round(image.height * zoom))


def _framed(image: Preview, headline: str) -> tuple[Image.Image, float]:
    """The image between a headline and the notice, and its magnification."""
    longer = max(image.width, image.height)
    zoom = min(max(_LONGER_SIDE_MIN / longer, 1.0), PREVIEW_SIDE_MAX / longer)
    size = _size(image, zoom)
    picture = Image.new("RGB", (size[0], size[1] + 2 * _BAR_HEIGHT), "black")
    picture.paste(Image.fromarray(image.pixels).resize(size, Image.Resampling.BICUBIC), (0, _BAR_HEIGHT))
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(size=14)
    draw.text((8, 5), headline, fill="white", font=font)
    draw.text((8, size[1] + _BAR_HEIGHT + 5), RESEARCH_USE_NOTICE, fill="#ffd166", font=font)
    return picture, zoom


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
