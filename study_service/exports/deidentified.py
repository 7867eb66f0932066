"""A study as a ZIP of de-identified images and results, made on the way to the caller."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hepar.core.errors import Unavailable
from hepar.imaging.deidentification import Options
from hepar.serving.study_deidentification import DeidentificationRequest, deidentify
from hepar.serving.study_reader import CannotBeDeidentified
from hepar.storage.encryption import KeyRing
from study_service.analysed_volume import AnalysedVolume
from study_service.documents import Caller, StudyFiles
from study_service.exports.outputs import Deidentification, deidentified_outputs, export_document
from study_service.exports.pseudonyms import export_pseudonyms
from study_service.exports.records import ExportRecords
from study_service.exports.zip_stream import zip_stream
from study_service.output_context import OutputOptions, read_output_context
from study_service.outputs.context import OutputContext
from study_service.result_files import ResultFiles
from study_service.unpacked_uploads import unpacked
from study_service.upload_reader import UploadReader

_EXPORTS_MAX = 2
_WAIT_S = 10.0
_IMAGES_AT_ONCE = 16
"""On disk, de-identified, until they have been sent."""


@dataclass(frozen=True)
class ExportRequest:
    caller: Caller
    study_id: str
    version: int | None
    options: Options


class DeidentifiedExports:
    """A few at the same time: each has the uploads of its study decrypted in `folder`."""

    def __init__(
        self, records: ExportRecords, files: ResultFiles, keys: KeyRing, reader: UploadReader, folder: Path
    ) -> None:
        self._records = records
        self._files = files
        self._keys = keys
        self._reader = reader
        self._folder = folder
        self._turns = asyncio.Semaphore(_EXPORTS_MAX)

    async def stream(self, request: ExportRequest) -> AsyncGenerator[bytes, None]:
        """The ZIP in pieces. Everything is checked, and the access recorded, before the first one.

        Raises StudyNotFinished, CannotBeDeidentified, NoSuchStudy, Unavailable, InsufficientStorage.
        """
        async with self._turn():
            with tempfile.TemporaryDirectory(dir=self._folder, prefix="export-") as name:
                async with (
                    aclosing(self._members(request, Path(name))) as members,
                    aclosing(zip_stream(members)) as pieces,
                ):
                    async for piece in pieces:
                        yield piece

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        try:
            await asyncio.wait_for(self._turns.acquire(), _WAIT_S)
        except TimeoutError as error:
            raise Unavailable("other exports are in progress; try again later") from error
        try:
            yield
        finally:
            self._turns.release()

    async def _members(self, request: ExportRequest, folder: Path) -> AsyncGenerator[tuple[str, Path], None]:
        found, files, result = await self._records.source(request.caller, request.study_id, request.version)
        volume = AnalysedVolume(self._files.objects, found.data_key, request.study_id, found.version)
        sources = (await volume.volume()).sources
        if any(source.sop_instance_uid is None for source in sources):
            raise CannotBeDeidentified("it was sent as NIfTI and has no DICOM images")
        images = tuple(dict.fromkeys(source.file for source in sources))
        how = Deidentification(
            export_pseudonyms(self._keys, self._files.uid_root, request.study_id, found.identifiers), request.options
        )
        work = _Work(folder, await self._unpacked(files, folder), images)
        await self._reader.call(partial(deidentify, work.request(images, how, check_only=True)))
        await self._records.record(request.caller, request.study_id, found.version, **_option_names(request.options))
        async for member in self._image_members(work, how):
            yield member
        async with self._files.turn:
            context = await read_output_context(volume, found, result, OutputOptions("en", self._files.uid_root))
            written = await asyncio.to_thread(_write_outputs, folder, context, how, len(images))
        for name in written:
            yield name, folder / name

    async def _unpacked(self, files: StudyFiles, folder: Path) -> tuple[Path, ...]:
        (uploads := folder / "uploads").mkdir()
        return tuple(await unpacked(self._files.objects, files, uploads))

    async def _image_members(self, work: _Work, how: Deidentification) -> AsyncIterator[tuple[str, Path]]:
        """In the order of the slices, from the feet to the head."""
        for start in range(0, len(work.images), _IMAGES_AT_ONCE):
            batch = work.images[start : start + _IMAGES_AT_ONCE]
            await self._reader.call(partial(deidentify, work.request(batch, how)))
            for place, index in enumerate(batch, start=start + 1):
                yield f"images/{place:05}.dcm", work.folder / f"{index}.dcm"


@dataclass(frozen=True)
class _Work:
    """paths: the uploads.  images: positions in them."""

    folder: Path
    paths: tuple[Path, ...]
    images: tuple[int, ...]

    def request(
        self, images: tuple[int, ...], how: Deidentification, *, check_only: bool = False
    ) -> DeidentificationRequest:
        folder = None if check_only else self.folder
        return DeidentificationRequest(self.paths, images, folder, how.options, how.pseudonyms)


def _write_outputs(folder: Path, context: OutputContext, how: Deidentification, images: int) -> list[str]:
    def contents() -> Iterator[tuple[str, bytes]]:
        yield from deidentified_outputs(context, how)
        yield "export.json", export_document(context, how, images)

    names = []
    for name, content in contents():
        (folder / name).write_bytes(content)
        names.append(name)
    return names


def _option_names(options: Options) -> dict[str, str]:
    return {
        "dates": "shifted" if options.shifted_dates else "removed",
        "characteristics": "retained" if options.characteristics else "removed",
    }
