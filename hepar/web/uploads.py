"""Images from a request body, raw or multipart, held in memory and never on disk."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import Query, Request

from hepar.contracts.limits import FRAMES_MAX
from hepar.core.errors import ClientError, HeparError, InvalidField, InvalidRequest, TooLarge, UnsupportedMedia
from hepar.web.multipart import FORM, PartStart, content_type, multipart_events

IMAGE_FIELD = "image"
MULTIPART_OVERHEAD_BYTES = 64 * 1024
ImageBytes = bytes | bytearray
"""An image file. A bytearray is not converted: that would copy it on the event loop."""
BATCH_PROBLEMS = ("unsupported-media", "bad-content-length")
"""Problems of a route that reads a batch; errors of single images are items of its result."""
IMAGE_PROBLEMS = (*BATCH_PROBLEMS, "unreadable-image", "below-quorum", "unavailable", "deadline-exceeded")
"""Of a route that reads one image and asks models about it."""
BINARY = "application/octet-stream"
RAW_TYPES = ("image/", "application/dicom", BINARY)


class InvalidContentLength(ClientError):
    """A Content-Length that is not a number."""

    status, title, slug = 400, "The Content-Length is not a number", "bad-content-length"


def check_announced(request: Request, bytes_max: int) -> None:
    """Checks the headers before the body is read.

    Raises TooLarge, InvalidContentLength and UnsupportedMedia.
    """
    check_announced_length(request, bytes_max)
    kind, _ = content_type(request)
    if kind != FORM and not kind.startswith(RAW_TYPES):
        raise UnsupportedMedia(
            "send the image as multipart/form-data with a part named `image`, or as the body itself with "
            "a Content-Type of image/... or application/dicom"
        )


def check_announced_length(request: Request, bytes_max: int) -> None:
    """Raises TooLarge and InvalidContentLength."""
    announced = request.headers.get("content-length")
    if announced is not None:
        if not announced.isascii() or not announced.isdigit():
            raise InvalidContentLength
        if int(announced) > bytes_max + MULTIPART_OVERHEAD_BYTES:
            raise TooLarge(f"at most {bytes_max} bytes")


async def limited(chunks: AsyncIterator[bytes], bytes_max: int) -> AsyncIterator[bytes]:
    """The same chunks. Raises TooLarge when they exceed `bytes_max` in total."""
    total = 0
    async for chunk in chunks:
        total += len(chunk)
        if total > bytes_max:
            raise TooLarge(f"at most {bytes_max} bytes")
        if chunk:
            yield chunk


async def read_images(
    request: Request, bytes_max: int, images_max: int, batch_bytes_max: int
) -> list[ImageBytes | HeparError]:
    """Every part named `image`, in order: its bytes, or the error of a part that is empty or exceeds `bytes_max`.

    Raises TooLarge (more than `batch_bytes_max` or `images_max` in total), UnsupportedMedia for a body that is not
    multipart, and InvalidRequest for a malformed body or one without an image.
    """
    check_announced(request, batch_bytes_max)
    kind, boundary = content_type(request)
    if kind != FORM:
        raise UnsupportedMedia(f"send the images as multipart/form-data, each in a part named `{IMAGE_FIELD}`")
    body = limited(request.stream(), batch_bytes_max + MULTIPART_OVERHEAD_BYTES)
    images = await _image_parts(body, boundary, images_max)
    if not images:
        raise _invalid_image("missing", f"send at least one part named `{IMAGE_FIELD}`")
    return [_as_image(image, bytes_max) for image in images]


def _as_image(image: bytearray, bytes_max: int) -> ImageBytes | HeparError:
    if len(image) > bytes_max:
        return TooLarge(f"at most {bytes_max} bytes an image")
    return image or _invalid_image("empty", "the image is empty")


async def read_image(request: Request, bytes_max: int) -> ImageBytes:
    """The image's bytes, at least one and at most `bytes_max`.

    Raises TooLarge, UnsupportedMedia, and InvalidRequest for an empty, broken or nameless upload.
    """
    check_announced(request, bytes_max)
    kind, boundary = content_type(request)
    body = limited(request.stream(), bytes_max + MULTIPART_OVERHEAD_BYTES)
    if kind == FORM:
        images = await _image_parts(body, boundary, images_max=1)
        if not images:
            raise _invalid_image("missing", f"send exactly one part named `{IMAGE_FIELD}`; this request has none")
        image = images[0]
    else:
        image = bytearray()
        async for chunk in body:
            image += chunk
    if len(image) > bytes_max:
        raise TooLarge(f"at most {bytes_max} bytes")
    if not image:
        raise _invalid_image("empty", "the image is empty")
    return image


async def read_binary(request: Request, bytes_max: int) -> bytearray:
    """A body of type application/octet-stream. Raises TooLarge, InvalidContentLength and UnsupportedMedia."""
    if content_type(request)[0] != BINARY:
        raise UnsupportedMedia(f"send the body as {BINARY}")
    check_announced_length(request, bytes_max)
    content = bytearray()
    async for chunk in limited(request.stream(), bytes_max):
        content += chunk
    return content


def _invalid_image(code: str, message: str) -> InvalidRequest:
    return InvalidRequest(message, InvalidField("body", f"/{IMAGE_FIELD}", code, message))


async def _image_parts(body: AsyncIterator[bytes], boundary: str, images_max: int) -> list[bytearray]:
    """The bytes of the parts named `image`; other parts are dropped as they arrive."""
    images: list[bytearray] = []
    wanted = False
    async for event in multipart_events(body, boundary):
        if isinstance(event, PartStart):
            wanted = event.name == IMAGE_FIELD
            if wanted:
                images.append(bytearray())
            if len(images) > images_max:
                raise _too_many(images_max)
        elif wanted:
            images[-1] += event
    return images


def _too_many(images_max: int) -> ClientError:
    if images_max == 1:
        return _invalid_image("too_many", f"send exactly one part named `{IMAGE_FIELD}`; this request has more")
    return TooLarge(f"at most {images_max} images in one request")


Frame = Annotated[int | None, Query(ge=0, lt=FRAMES_MAX, description="frame of a multi-frame DICOM object, from 0")]
_FILE: dict[str, Any] = {
    "type": "string",
    "format": "binary",
}  # what generators of clients know; JSON Schema ignores it


def _form_openapi(description: str, image: dict[str, Any]) -> dict[str, Any]:
    """The multipart form alone: generators take only the first of several media types, or mix them up."""
    schema = {"type": "object", "required": [IMAGE_FIELD], "properties": {IMAGE_FIELD: image}}
    content = {FORM: {"schema": schema}}
    return {"requestBody": {"required": True, "description": description, "content": content}}


BATCH_OPENAPI = _form_openapi(
    f"CT images, each in a part named `{IMAGE_FIELD}`. Their formats are detected from their bytes.",
    {"type": "array", "items": _FILE, "minItems": 1},
)
IMAGE_OPENAPI = _form_openapi(
    "The CT image: PNG, JPEG, TIFF, BMP, WebP or DICOM. The format is detected from the bytes. The body may also be "
    "the image itself, with a Content-Type of `image/...`, `application/dicom` or `application/octet-stream`.",
    _FILE,
)
