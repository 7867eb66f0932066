"""The forms in which WADO-RS sends objects, frames and bulk data (PS3.18, 10.4)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeVar

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from pydicom.uid import (
    JPEG2000,
    EncapsulatedPDFStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from hepar.core.errors import NotFound
from hepar.imaging.ct_image import Window
from hepar.imaging.dicom_parts import (
    as_explicit_little_endian,
    bulk_value,
    frame_picture,
    native_frames,
    stored_frames,
)
from hepar.serving.study_reader import UnreadableStudyUpload
from study_service.dicomweb.accept import DICOM, OCTETS, PDF, MediaRange, NotAcceptable, accepted, chosen
from study_service.dicomweb.catalogue import Catalogue, CataloguedObject
from study_service.dicomweb.multipart import Part, multipart_answer, whole
from study_service.upload_reader import UploadReader

Answer = TypeVar("Answer")
_PDF_TAG = "00420011"
_PICTURES = ("image/jpeg", "image/png")
_IMAGE_TYPES: dict[str, str] = {
    JPEGBaseline8Bit: "image/jpeg",
    JPEGExtended12Bit: "image/jpeg",
    JPEGLossless: "image/jpeg",
    JPEGLosslessSV1: "image/jpeg",
    JPEGLSLossless: "image/jls",
    JPEGLSNearLossless: "image/jls",
    JPEG2000Lossless: "image/jp2",
    JPEG2000: "image/jp2",
    RLELossless: "image/dicom-rle",
}
"""PS3.18, table 8.7.3-5: of one frame in a compressed transfer syntax."""


@dataclass(frozen=True)
class Retrieval:
    """Answers about objects of one study. Methods raise NotAcceptable, and what UploadReader does."""

    catalogue: Catalogue
    reader: UploadReader

    async def objects(self, request: Request, wanted: Sequence[CataloguedObject]) -> Response:
        """DICOM files in parts; one alone where only `application/dicom` is accepted."""
        for taken in accepted(request):
            if taken.covers(DICOM) and self._can_send(taken, wanted):
                if not taken.is_multipart and taken.media_type == DICOM and len(wanted) == 1:
                    part = await self._file(wanted[0], taken)
                    return StreamingResponse(part.content, media_type=part.content_type)
                if taken.is_multipart or taken.media_type != DICOM:
                    return await multipart_answer(DICOM, self._files(wanted, taken))
        raise NotAcceptable(
            'objects are sent as multipart/related; type="application/dicom" in the transfer syntax in which they are '
            "stored (transfer-syntax=*), or in Explicit VR Little Endian"
        )

    async def frames(self, request: Request, item: CataloguedObject, numbers: Sequence[int]) -> Response:
        """numbers: from 1."""
        stored_type = _IMAGE_TYPES.get(item.entry.transfer_syntax)
        for taken in accepted(request):
            if taken.covers(OCTETS) and (taken.transfer_syntax in (None, "*", ExplicitVRLittleEndian)):
                made = await self._read(partial(native_frames, numbers=numbers), item)
                return await _multipart(OCTETS, ExplicitVRLittleEndian, made)
            if stored_type is not None and taken.covers(stored_type) and _takes_stored(taken, item):
                made = await self._read(partial(stored_frames, numbers=numbers), item)
                return await _multipart(stored_type, item.entry.transfer_syntax, made)
        raise NotAcceptable(f"frames are sent as multipart/related of {stored_type or OCTETS}, or {OCTETS}")

    async def bulk_data(self, request: Request, item: CataloguedObject, tag: str) -> Response:
        """tag: of an element of the top level, eight hexadecimal digits."""
        own = PDF if tag == _PDF_TAG else OCTETS
        for taken in accepted(request):
            for media_type in (own, OCTETS):
                if taken.covers(media_type):
                    value = await self._read(partial(bulk_value, tag=tag.upper()), item)
                    if taken.is_multipart or taken.media_type == "*/*":
                        return await multipart_answer(media_type, _parts(media_type, [value]))
                    return Response(value, media_type=media_type)
        raise NotAcceptable(f"this is sent as {own}")

    async def rendered(self, request: Request, item: CataloguedObject, number: int, window: Window) -> Response:
        """A picture of a CT image or a key image, or the PDF of a report. number: of the frame, from 1."""
        if item.entry.sop_class_uid == EncapsulatedPDFStorage:
            chosen(request, [PDF])
            return Response(await self._read(partial(bulk_value, tag=_PDF_TAG), item), media_type=PDF)
        media_type = chosen(request, _PICTURES)
        kind: Literal["PNG", "JPEG"] = "PNG" if media_type == "image/png" else "JPEG"
        picture = await self._read(partial(frame_picture, number=number, window=window, kind=kind), item)
        return Response(picture, media_type=media_type)

    def _can_send(self, taken: MediaRange, wanted: Sequence[CataloguedObject]) -> bool:
        """In the stored transfer syntax, or in the one that all but big-endian objects can be brought to."""
        stored = {item.entry.transfer_syntax for item in wanted}
        is_convertible = taken.takes(ExplicitVRLittleEndian) and ExplicitVRBigEndian not in stored
        return _is_any(taken) or is_convertible or all(taken.takes(syntax) for syntax in stored)

    async def _files(self, wanted: Sequence[CataloguedObject], taken: MediaRange) -> AsyncIterator[Part]:
        for item in wanted:
            yield await self._file(item, taken)

    async def _file(self, item: CataloguedObject, taken: MediaRange) -> Part:
        stored = item.entry.transfer_syntax
        if _is_any(taken) or taken.takes(stored):
            return Part(f"{DICOM}; transfer-syntax={stored}", self.catalogue.stream(item))
        content = await self._read(as_explicit_little_endian, item)
        return Part(f"{DICOM}; transfer-syntax={ExplicitVRLittleEndian}", whole(content))

    async def _read(self, work: Callable[[bytes], Answer], item: CataloguedObject) -> Answer:
        """work: of the file's content. Raises NotFound for a part that the object does not have."""
        try:
            async with self.reader.turn() as call:
                return await call(partial(work, await self.catalogue.content(item)))
        except UnreadableStudyUpload as error:
            raise NotFound(error.detail) from error


def _is_any(taken: MediaRange) -> bool:
    """A caller that takes any media type takes any transfer syntax."""
    return taken.transfer_syntax is None and taken.media_type != DICOM


def _takes_stored(taken: MediaRange, item: CataloguedObject) -> bool:
    return taken.transfer_syntax in (None, "*", item.entry.transfer_syntax)


async def _multipart(media_type: str, transfer_syntax: str, contents: Sequence[bytes]) -> Response:
    typed = f"{media_type}; transfer-syntax={transfer_syntax}"
    return await multipart_answer(media_type, _parts(typed, contents))


async def _parts(content_type: str, contents: Sequence[bytes]) -> AsyncIterator[Part]:
    for content in contents:
        yield Part(content_type, whole(content))
