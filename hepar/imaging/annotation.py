"""A picture of the result: the image with its boxes, scores and the research-use notice."""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from hepar.contracts.analyses import Box
from hepar.contracts.base import RESEARCH_USE_NOTICE
from hepar.imaging.ct_image import CtImage

_COLOURS = {"cholangiocarcinoma": "#ff9f1c", "metastasis": "#2ec4ff"}
_SHORTEST_SIDE = 768
_LONGEST_SIDE = 2048


def annotated_png(image: CtImage, boxes: Sequence[Box], headline: str) -> bytes:
    """PNG bytes, between 768 and 2,048 pixels on the longer side, carrying no metadata of the source."""
    longer = max(image.width, image.height)
    zoom = min(max(_SHORTEST_SIDE / longer, 1.0), _LONGEST_SIDE / longer) if longer else 1.0
    size = (max(1, round(image.width * zoom)), max(1, round(image.height * zoom)))
    picture = Image.new("RGB", (size[0], size[1] + 56), "black")
    picture.paste(Image.fromarray(image.pixels).resize(size, Image.Resampling.BICUBIC), (0, 28))
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(size=14)
    draw.text((8, 5), headline, fill="white", font=font)
    draw.text((8, size[1] + 33), RESEARCH_USE_NOTICE, fill="#ffd166", font=font)
    for box in boxes:
        colour = _COLOURS.get(box.label, "#ffffff")
        corners = (box.x_min * zoom, box.y_min * zoom + 28, box.x_max * zoom, box.y_max * zoom + 28)
        draw.rectangle(corners, outline=colour, width=2)
        draw.text((corners[0], max(corners[1] - 18, 0)), f"{box.label} {box.score:.2f}", fill=colour, font=font)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
