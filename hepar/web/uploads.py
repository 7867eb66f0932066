"""Images from a request body, raw or multipart, held in memory and never on disk."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email.message import Message
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Query, Request
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser

from hepar.contracts.limits import FRAMES_MAX
from hepar.core.errors import ClientError, HeparError, InvalidField, InvalidRequest, TooLarge, UnsupportedMedia

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

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
    announced = request.headers.get("content-length")
    if announced is not None:
        if not announced.isascii() or not announced.isdigit():
            raise InvalidContentLength
        if int(announced) > bytes_max + MULTIPART_OVERHEAD_BYTES:
            raise TooLarge(f"at most {bytes_max} bytes")
    kind, _ = _content_type(request)
    if kind != "multipart/form-data" and not kind.startswith(RAW_TYPES):
        raise UnsupportedMedia(
            "send the image as multipart/form-data with a part named `image`, or as the body itself with "
            "a Content-Type of image/... or application/dicom"
        )


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
    kind, boundary = _content_type(request)
    if kind != "multipart/form-data":
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
    kind, boundary = _content_type(request)
    body = limited(request.stream(), bytes_max + MULTIPART_OVERHEAD_BYTES)
    if kind == "multipart/form-data":
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
    if _content_type(request)[0] != BINARY:
        raise UnsupportedMedia(f"send the body as {BINARY}")
    check_announced(request, bytes_max)
    content = bytearray()
    async for chunk in limited(request.stream(), bytes_max):
        content += chunk
    return content


def _content_type(request: Request) -> tuple[str, str]:
    """The media type in lower case, and its boundary."""
    message = Message()
    message["content-type"] = request.headers.get("content-type", "")
    boundary = message.get_param("boundary", "")
    return message.get_content_type() if message["content-type"] else "", str(boundary)


@dataclass
class _Collector:
    """Callbacks of the push parser: collects the bodies of the parts named `image` and nothing else."""

    images_max: int
    images: list[bytearray] = field(default_factory=list)
    complete: bool = False
    _name: bytearray = field(default_factory=bytearray)
    _value: bytearray = field(default_factory=bytearray)
    _wanted: bool = False

    def on_part_begin(self) -> None:
        self._wanted = False

    def on_header_field(self, chunk: bytes, start: int, end: int) -> None:
        self._name += chunk[start:end]

    def on_header_value(self, chunk: bytes, start: int, end: int) -> None:
        self._value += chunk[start:end]

    def on_header_end(self) -> None:
        if self._name.lower() == b"content-disposition":
            message = Message()
            message["content-disposition"] = self._value.decode("latin-1")
            self._wanted = message.get_param("name", header="content-disposition") == IMAGE_FIELD
            if self._wanted:
                self.images.append(bytearray())
            if len(self.images) > self.images_max:
                raise _TooManyParts
        self._name.clear()
        self._value.clear()

    def on_part_data(self, chunk: bytes, start: int, end: int) -> None:
        if self._wanted:
            self.images[-1] += chunk[start:end]

    def on_end(self) -> None:
        self.complete = True


def _invalid_image(code: str, message: str) -> InvalidRequest:
    return InvalidRequest(message, InvalidField("body", f"/{IMAGE_FIELD}", code, message))


def _invalid_body(message: str) -> InvalidRequest:
    return InvalidRequest(message, InvalidField("body", "", "invalid_multipart", message))


class _TooManyParts(Exception):
    """More images than the route accepts."""


async def _from_first_boundary(body: AsyncIterator[bytes], boundary: bytes) -> AsyncIterator[bytes]:
    """Without the text that may come before it (RFC 2046, section 5.1.1)."""
    delimiter = b"\n--" + boundary
    held = b"\n"
    async for chunk in body:
        held += chunk
        start = held.find(delimiter)
        if start >= 0:
            yield held[start + 1 :]
            break
        held = held[-len(delimiter) :]
    async for chunk in body:
        yield chunk


async def _image_parts(body: AsyncIterator[bytes], boundary: str, images_max: int) -> list[bytearray]:
    if not boundary or len(boundary) > 70:  # RFC 2046, section 5.1.1
        message = "the multipart boundary is missing or too long"
        raise InvalidRequest(message, InvalidField("header", "/Content-Type", "invalid_boundary", message))
    collector = _Collector(images_max)
    callbacks: MultipartCallbacks = {
        "on_part_begin": collector.on_part_begin,
        "on_header_field": collector.on_header_field,
        "on_header_value": collector.on_header_value,
        "on_header_end": collector.on_header_end,
        "on_part_data": collector.on_part_data,
        "on_end": collector.on_end,
    }
    try:
        parser = MultipartParser(boundary.encode("latin-1"), callbacks)
        async for chunk in _from_first_boundary(body, boundary.encode("latin-1")):
            parser.write(chunk)
    except (MultipartParseError, UnicodeEncodeError) as error:
        raise _invalid_body("the multipart body is malformed") from error
    except _TooManyParts as error:
        if images_max == 1:
            message = f"send exactly one part named `{IMAGE_FIELD}`; this request has more"
            raise _invalid_image("too_many", message) from error
        raise TooLarge(f"at most {images_max} images in one request") from error
    if not collector.complete:
        raise _invalid_body("the multipart body ends too early")
    return collector.images


Frame = Annotated[int | None, Query(ge=0, lt=FRAMES_MAX, description="frame of a multi-frame DICOM object, from 0")]
_FILE: dict[str, Any] = {
    "type": "string",
    "format": "binary",
}  # what generators of clients know; JSON Schema ignores it


def _form_openapi(description: str, image: dict[str, Any]) -> dict[str, Any]:
    """The multipart form alone: generators take only the first of several media types, or mix them up."""
    schema = {"type": "object", "required": [IMAGE_FIELD], "properties": {IMAGE_FIELD: image}}
    content = {"multipart/form-data": {"schema": schema}}
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
