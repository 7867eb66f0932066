"""Key images as drawings: vectors for the report, and pictures with text for DICOM and for browsers."""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .context import OutputContext
from .key_images import KeyImage, LesionMark, Line, key_image, key_slices
from .typesetting import Data, typeset_png
from .wording import WORDS, Wording

LABEL_COLOURS = {"cholangiocarcinoma": "#ff9f1c", "metastasis": "#2ec4ff"}
_UNDECIDED_COLOUR, _LIVER_COLOUR = "#ffe066", "#7fd18b"
_BAR_PX = 34
_SCALES_CM = (5, 2, 1)
_SCALE_SHARE_MAX = 0.4
"""Of the width: the letter of the side stands in the middle."""
_LABEL_ROOM_PX = 20


def colour_of(label: str | None) -> str:
    return LABEL_COLOURS.get(label or "", _UNDECIDED_COLOUR)


def caption(image: KeyImage, words: Wording) -> str:
    return f"{words['slice']} {image.slice_index + 1}, z = {words.number(image.position_mm, 1)} mm"


def drawing_data(image: KeyImage) -> Data:
    """What the templates need to draw a key image."""
    height, width = image.grey.shape
    fitting = (scale for scale in _SCALES_CM if 10 * scale < _SCALE_SHARE_MAX * width * image.mm_per_px)
    scale_cm = next(fitting, _SCALES_CM[-1])
    marks = []
    for mark in image.marks:
        x, y = _label_place(mark)
        marks.append({"name": mark.lesion.id, "x": x, "y": y, "colour": colour_of(mark.lesion.label)})
    return {
        "svg": _svg(image),
        "width": width,
        "height": height,
        "scale_px": 10 * scale_cm / image.mm_per_px,
        "scale_text": f"{scale_cm} cm",
        "marks": marks,
    }


def key_picture_png(context: OutputContext, number: int) -> bytes | None:
    """The key image of this number, from 0, between a headline and the notice; None past the last.

    Without anything that identifies the patient.
    """
    slices = key_slices(context)
    if number >= len(slices):
        return None
    image, words = key_image(context, slices[number]), WORDS[context.language]
    headline = f"Hepar · {caption(image, words)} · {words['window']}"
    texts = {"headline": headline, "notice": words["notice"], "bar": _BAR_PX}
    return typeset_png("key_image.typ", drawing_data(image) | texts)


def key_picture(context: OutputContext, number: int) -> NDArray[np.uint8] | None:
    """(height, width, 3): the picture of `key_picture_png`."""
    content = key_picture_png(context, number)
    return None if content is None else np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def _svg(image: KeyImage) -> str:
    """The slice with outlines and boxes as vectors, without text."""
    height, width = image.grey.shape
    buffer = io.BytesIO()
    Image.fromarray(image.grey).save(buffer, "PNG")
    picture = base64.b64encode(buffer.getvalue()).decode("ascii")
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


def _path(lines: list[Line], colour: str, width: float) -> str:
    steps = ("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in line.tolist()) + "Z" for line in lines)
    return f'<path d="{"".join(steps)}" fill="none" stroke="{colour}" stroke-width="{width}"/>' if lines else ""


def _label_place(mark: LesionMark) -> tuple[float, float]:
    """Where the label of a lesion begins: the upper left corner of its box or outline."""
    if mark.box:
        x, y = mark.box[:2]
    else:
        x, y = np.concatenate(mark.outlines).min(axis=0).tolist()
    return x, max(y - 4, _LABEL_ROOM_PX)
