"""multipart/related answers (RFC 2387), written while their parts are made."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass

from fastapi.responses import StreamingResponse


@dataclass(frozen=True)
class Part:
    """content_type: with parameters.  content: in pieces."""

    content_type: str
    content: AsyncIterator[bytes]


async def whole(content: bytes) -> AsyncIterator[bytes]:
    """As the content of a part."""
    yield content


async def multipart_answer(media_type: str, parts: AsyncIterator[Part]) -> StreamingResponse:
    """The first piece is made before the answer begins, so that its errors are answers. media_type: of the parts."""
    boundary = uuid.uuid4().hex
    pieces = _pieces(boundary, parts)
    first = [await anext(pieces), await anext(pieces)]

    async def body() -> AsyncIterator[bytes]:
        for piece in first:
            yield piece
        async for piece in pieces:
            yield piece

    return StreamingResponse(body(), media_type=f'multipart/related; type="{media_type}"; boundary={boundary}')


async def _pieces(boundary: str, parts: AsyncIterator[Part]) -> AsyncIterator[bytes]:
    async for part in parts:
        yield f"--{boundary}\r\nContent-Type: {part.content_type}\r\n\r\n".encode()
        async for piece in part.content:
            yield piece
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()
