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
_MARK_MARGIN = 6
_NOTICE_COLOUR = "#ffd166"
_HOTTEST_COLOUR, _HOT_COLOUR = (255, 240, 120), (255, 90, 0)
_OPACITY = 0.65


def annotated_png(image: Preview, boxes: Sequence[Box], headline: str) -> bytes:
    """PNG, between 768 and 2,048 pixels on the longer side, without metadata of the source.

    boxes: in pixels of the image as sent. The picture is for people: it shows the display of the image, with the
    patient's sides at its edges where the file states them.
    """
    picture = _framed(image, headline)
    width, height = image.geometry.display_size
    zoom = np.array([picture.width / width, (picture.height - 2 * _BAR_HEIGHT) / height] * 2)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(size=14)
    for box in boxes:
        colour = _COLOURS.get(box.label, "#ffffff")
        sent = np.array([box.x_min, box.y_min, box.x_max, box.y_max])
        corners = (image.geometry.boxes_to_display(sent)[0] * zoom + [0, _BAR_HEIGHT, 0, _BAR_HEIGHT]).tolist()
        draw.rectangle(corners, outline=colour, width=2)
        draw.text((corners[0], max(corners[1] - 18, 0)), f"{box.label} {box.score:.2f}", fill=colour, font=font)
    return _png(picture)


def overlay_png(image: Preview, values: NDArray[np.floating], headline: str) -> bytes:
    """PNG as of `annotated_png`, with an activation map over the image.

    values: (rows, columns) over the extent of the image as sent, 0 to 1; where it is 0 the image is unchanged.
    """
    picture = _framed(image, headline)
    size = (picture.width, picture.height - 2 * _BAR_HEIGHT)
    turned = np.ascontiguousarray(image.geometry.orientation.to_display(np.asarray(values, dtype=np.float32)))
    resized = Image.fromarray(turned).resize(size, Image.Resampling.BICUBIC)
    strength = np.clip(np.asarray(resized), 0, 1)[..., None]
    colour_range = np.array(_HOTTEST_COLOUR) - _HOT_COLOUR
    colours = Image.fromarray(np.asarray(_HOT_COLOUR + colour_range * strength, dtype=np.uint8))
    opacity = Image.fromarray(np.asarray(strength[..., 0] * (_OPACITY * 255), dtype=np.uint8))
    picture.paste(colours, (0, _BAR_HEIGHT), opacity)
    return _png(picture)


def base64_text(content: bytes) -> str:
    """Base64 text (RFC 4648, section 4), as used in JSON."""
    return base64.b64encode(content).decode("ascii")


def _framed(image: Preview, headline: str) -> Image.Image:
    """The image, magnified, between a headline and the notice."""
    pixels = Image.fromarray(image.pixels)
    longer = max(pixels.size)
    zoom = min(max(_LONGER_SIDE_MIN / longer, 1.0), PREVIEW_SIDE_MAX / longer)
    width, height = (max(1, round(side * zoom)) for side in pixels.size)
    picture = Image.new("RGB", (width, height + 2 * _BAR_HEIGHT), "black")
    picture.paste(pixels.resize((width, height), Image.Resampling.BICUBIC), (0, _BAR_HEIGHT))
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(size=14)
    draw.text((8, 5), headline, fill="white", font=font)
    draw.text((8, height + _BAR_HEIGHT + 5), RESEARCH_USE_NOTICE, fill=_NOTICE_COLOUR, font=font)
    if image.geometry.sides_known:
        _draw_sides(draw, (0, _BAR_HEIGHT, width, height + _BAR_HEIGHT))
    return picture


def _draw_sides(draw: ImageDraw.ImageDraw, frame: tuple[int, int, int, int]) -> None:
    """The patient's right, anterior, left and posterior side.

    frame: left, top, right and bottom of the image in the picture.
    """
    left, top, right, bottom = frame
    middle, centre, font = (left + right) / 2, (top + bottom) / 2, ImageFont.load_default(size=18)
    places = {
        "lm": (left + _MARK_MARGIN, centre, "R"),
        "mt": (middle, top + _MARK_MARGIN, "A"),
        "rm": (right - _MARK_MARGIN, centre, "L"),
        "mb": (middle, bottom - _MARK_MARGIN, "P"),
    }
    for anchor, (x, y, letter) in places.items():
        draw.text((x, y), letter, fill="white", font=font, anchor=anchor, stroke_width=2, stroke_fill="black")


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
