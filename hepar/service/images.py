"""Decoding as a service does it: in a worker thread, a few at a time, errors as problems."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from hepar.contracts.analyses import ImageFacts
from hepar.imaging import CtImage, decode
from hepar.imaging.errors import ImageError, ImageTooLarge, UnreadableImage, UnsupportedImage
from hepar.service.problems import ClientError, HeparError, TooLarge, UnsupportedMedia


class NoImage(ClientError):
    """The bytes are no image we can read."""

    status, title, slug = 422, "The file is not a readable image", "unreadable-image"


_PROBLEMS: dict[type[ImageError], type[HeparError]] = {
    UnreadableImage: NoImage,
    UnsupportedImage: UnsupportedMedia,
    ImageTooLarge: TooLarge,
}


class ImageDecoder:
    """Two threads: decoding is the service's own heavy work, and two cores are what it may take."""

    def __init__(self, threads: int = 2) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")

    async def decode(self, content: bytes) -> CtImage:
        """Raises NoImage, UnsupportedMedia and TooLarge."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, decode, content)
        except ImageError as error:
            raise _PROBLEMS[type(error)](str(error)) from error

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


def image_facts(image: CtImage) -> ImageFacts:
    """What the answer tells of the image."""
    return ImageFacts(
        width=image.width,
        height=image.height,
        format=image.format,
        pixel_spacing_mm=image.spacing_mm,
        warnings=list(image.warnings),
    )
