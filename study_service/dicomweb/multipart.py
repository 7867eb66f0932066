"""multipart/related answers (RFC 2387), written while their parts are made."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass

from fastapi.responses import StreamingResponse


@dataclass(frozen=True)
class Part:
    """content_type: with parameters."""

    content_type: str
    content: bytes


async def multipart_answer(media_type: str, parts: AsyncIterator[Part]) -> StreamingResponse:
    """The first part is made before the answer begins, so that its errors are answers. media_type: of the parts."""
    boundary = uuid.uuid4().hex
    first = await anext(parts, None)

    async def body() -> AsyncIterator[bytes]:
        part = first
        while part is not None:
            yield f"--{boundary}\r\nContent-Type: {part.content_type}\r\n\r\n".encode()
            yield part.content
            yield b"\r\n"
            part = await anext(parts, None)
        yield f"--{boundary}--\r\n".encode()

    return StreamingResponse(body(), media_type=f'multipart/related; type="{media_type}"; boundary={boundary}')
