"""A ZIP archive that is sent while it is made."""

from __future__ import annotations

import asyncio
import zipfile
from collections.abc import AsyncGenerator, AsyncIterable
from pathlib import Path

_PIECE_BYTES = 1024 * 1024
_FAST = 1


class _Sink:
    """What a ZipFile wrote since the last `take`. It cannot seek, so that each part is complete when it is written.

    hepar_client has the same class for uploads: it is a distribution of its own and shares only contracts with us.
    """

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, data: bytes, /) -> int:
        self._written += data
        return len(data)

    def flush(self) -> None:
        """Nothing is buffered elsewhere."""

    def close(self) -> None:
        """The ZipFile does not call it."""

    def take(self) -> bytes:
        taken = bytes(self._written)
        self._written.clear()
        return taken


async def zip_stream(members: AsyncIterable[tuple[str, Path]]) -> AsyncGenerator[bytes, None]:
    """members: name and file, which is deleted when it has been packed. Members have no dates of their own."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=_FAST) as archive:
        async for name, path in members:
            entry = zipfile.ZipInfo(name)
            entry.compress_type, entry.file_size = zipfile.ZIP_DEFLATED, path.stat().st_size
            entry.external_attr = 0o600 << 16
            with archive.open(entry, "w") as opened, path.open("rb") as file:
                while piece := await asyncio.to_thread(file.read, _PIECE_BYTES):
                    await asyncio.to_thread(opened.write, piece)
                    if taken := sink.take():
                        yield taken
            path.unlink()
    yield sink.take()
