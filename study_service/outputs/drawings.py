"""Key images as drawings: SVG for the report, and RGB pictures with text for DICOM and for browsers."""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from .context import OutputContext
from .key_images import KeyImage, LesionMark, Line, key_image, key_slices
from .wording import WORDS

LABEL_COLOURS = {"cholangiocarcinoma": "#ff9f1c", "metastasis": "#2ec4ff"}
_UNDECIDED_COLOUR, _LIVER_COLOUR, _NOTICE_COLOUR = "#ffe066", "#7fd18b", "#ffd166"
_BAR_PX = 34
_SIDE_MARGIN_PX = 8


def colour_of(label: str | None) -> str:
    return LABEL_COLOURS.get(label or "", _UNDECIDED_COLOUR)


def key_image_svg(image: KeyImage) -> str:
    """The slice with outlines and boxes as vectors, without text."""
    height, width = image.grey.shape
    picture = base64.b64encode(_png(Image.fromarray(image.grey))).decode("ascii")
    shapes = [_path(image.liver, _LIVER_COLOUR, 1.6)]
    for mark in image.marks:
        colour = colour_of(mark.lesion.label)
        shapes += [_path(mark.outlines, colour, 3.0), _path(mark.axes, "#ffffff", 1.5)]
        if mark.box:
            left, top, right, bottom = mark.box
            shapes.append(
                f'<rect x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" height="{bottom - top:.1f}" '
                f'fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="9 6"/>'
            )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        f'<image width="{width}" height="{height}" href="data:image/png;base64,{picture}"/>{"".join(shapes)}</svg>'
    )


def key_picture(context: OutputContext, number: int) -> NDArray[np.uint8] | None:
    """(height, width, 3): the key image of this number, from 0, between a headline and the notice; None past the last.

    Without anything that identifies the patient.
    """
    slices = key_slices(context)
    if number >= len(slices):
        return None
    image = key_image(context, slices[number])
    words = WORDS[context.language]
    height, width = image.grey.shape
    picture = Image.new("RGB", (width, height + 2 * _BAR_PX), "black")
    picture.paste(Image.fromarray(image.grey), (0, _BAR_PX))
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(size=17)
    for line in image.liver:
        draw.line(_moved(line), fill=_LIVER_COLOUR, width=2)
    for mark in image.marks:
        _draw_mark(draw, mark, font)
    position = words.number(image.position_mm, 1)
    headline = f"Hepar   {words['slice']} {image.slice_index + 1}   z {position} mm   {words['window']}"
    draw.text((8, 7), headline, fill="white", font=font)
    _draw_notice(draw, words["notice"], width, height + _BAR_PX)
    _draw_sides(draw, width, height)
    return np.asarray(picture)


def key_picture_png(context: OutputContext, number: int) -> bytes | None:
    picture = key_picture(context, number)
    return None if picture is None else _png(Image.fromarray(picture))


def _path(lines: list[Line], colour: str, width: float) -> str:
    steps = ("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in line.tolist()) + "Z" for line in lines)
    return f'<path d="{"".join(steps)}" fill="none" stroke="{colour}" stroke-width="{width}"/>' if lines else ""


def _draw_mark(draw: ImageDraw.ImageDraw, mark: LesionMark, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> None:
    colour = colour_of(mark.lesion.label)
    for line in mark.outlines:
        draw.line(_moved(line), fill=colour, width=3)
    for axis in mark.axes:
        draw.line(_moved(axis), fill="white", width=1)
    if mark.box:
        left, top, right, bottom = mark.box
        draw.rectangle((left, top + _BAR_PX, right, bottom + _BAR_PX), outline=colour, width=1)
    x, y = label_place(mark)
    draw.text(
        (x, y + _BAR_PX), mark.lesion.id, fill=colour, font=font, anchor="lb", stroke_width=2, stroke_fill="black"
    )


def label_place(mark: LesionMark) -> tuple[float, float]:
    """Where the label of a lesion begins: the upper left corner of its box or outline."""
    if mark.box:
        return mark.box[0], max(mark.box[1] - 4, 16)
    x, y = np.concatenate(mark.outlines).min(axis=0).tolist()
    return x, max(y - 4, 16)


def _draw_notice(draw: ImageDraw.ImageDraw, notice: str, width: int, top: int) -> None:
    """In the largest size that fits."""
    fonts = [ImageFont.load_default(size=size) for size in range(17, 7, -1)]
    font = next((font for font in fonts if draw.textlength(notice, font=font) <= width - 16), fonts[-1])
    draw.text((8, top + _BAR_PX / 2), notice, fill=_NOTICE_COLOUR, font=font, anchor="lm")


def _draw_sides(draw: ImageDraw.ImageDraw, width: int, height: int) -> None:
    font, middle, centre = ImageFont.load_default(size=20), width / 2, height / 2 + _BAR_PX
    places = {
        "lm": (_SIDE_MARGIN_PX, centre, "R"),
        "mt": (middle, _BAR_PX + _SIDE_MARGIN_PX, "A"),
        "rm": (width - _SIDE_MARGIN_PX, centre, "L"),
        "mb": (middle, height + _BAR_PX - _SIDE_MARGIN_PX, "P"),
    }
    for anchor, (x, y, letter) in places.items():
        draw.text((x, y), letter, fill="white", font=font, anchor=anchor, stroke_width=2, stroke_fill="black")


def _moved(line: Line) -> list[tuple[float, float]]:
    return [(x, y + _BAR_PX) for x, y in line.tolist()]


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
