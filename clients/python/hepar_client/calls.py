"""Requests to the gateway, as values that can be sent more than once."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .options import Options

Image = bytes | Path
TIMEOUT_S = 120.0
READ_ONCE = "hepar_read_once"
"""Extension of a request whose body cannot be read a second time."""


@dataclass(frozen=True)
class Call:
    """One request. Every attempt to send a POST carries the same Idempotency-Key, so that nothing is computed twice.

    stream: makes the body of one attempt, for bodies that are not held in memory. It takes the place of `content`.
    """

    method: str
    path: str
    query: Sequence[tuple[str, str]] = ()
    content: bytes | None = None
    stream: Callable[[], Iterator[bytes]] | None = None
    form: Mapping[str, str] | None = None
    json: Mapping[str, Any] | None = None
    files: Sequence[tuple[str, tuple[str, bytes]]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    authenticated: bool = True
    idempotency_key: str = field(default_factory=lambda: str(uuid.uuid4()))

    def arguments(self, *, asynchronous: bool = False) -> dict[str, Any]:
        """Arguments of httpx.Client.request. asynchronous: for httpx.AsyncClient, whose streams are other ones."""
        key = {"Idempotency-Key": self.idempotency_key} if self.method == "POST" else {}
        return {
            "method": self.method,
            "url": self.path,
            "params": list(self.query) or None,
            "content": self._body(asynchronous),
            "data": self.form,
            "json": self.json,
            "files": list(self.files) or None,
            "headers": dict(self.headers) | key,
            "extensions": {READ_ONCE: True} if self.stream is not None else None,
        }

    def _body(self, asynchronous: bool) -> bytes | Iterator[bytes] | AsyncIterator[bytes] | None:
        if self.stream is None:
            return self.content
        return _read_in_threads(self.stream()) if asynchronous else self.stream()


async def _read_in_threads(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
        yield chunk


ME = Call("GET", "/v1/users/me")
MODELS = Call("GET", "/v1/models")


def sign_up(email: str, password: str, name: str) -> Call:
    body = {"email": email, "password": password, "name": name}
    return Call("POST", "/v1/users", json=body, authenticated=False)


def sign_in(email: str, password: str, otp: str | None, device: str | None) -> Call:
    form = {"grant_type": "password", "username": email, "password": password}
    form |= {name: value for name, value in (("otp", otp), ("device", device)) if value}
    return Call("POST", "/v1/token", form=form, authenticated=False)


def client_credentials(client_id: str, client_secret: str) -> Call:
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
    return Call("POST", "/v1/token", form=form, authenticated=False)


def refresh(refresh_token: str) -> Call:
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    return Call("POST", "/v1/token", form=form, authenticated=False)


def analysis(path: str, image: Image, options: Options) -> Call:
    headers = {"Content-Type": "application/octet-stream"}
    return Call("POST", path, query=options.query(), content=_content(image), headers=headers)


def batch(images: Sequence[Image], options: Options, accept: str) -> Call:
    """File names are not sent: they may name a patient."""
    files = [("image", ("image", _content(image))) for image in images]
    return Call("POST", "/v1/analyses/batch", query=options.query(), files=files, headers={"Accept": accept})


def _content(image: Image) -> bytes:
    return image.read_bytes() if isinstance(image, Path) else image
