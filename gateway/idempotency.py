"""Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): a repeated analysis gets the stored response."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from email.message import Message as MimeMessage
from typing import ClassVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.authentication import authenticated_principal
from gateway.complete_results import recorded_as_complete
from hepar.core.errors import ClientError, InvalidField, InvalidRequest, TooLarge, Unavailable
from hepar.storage.stored_responses import StoredResponse, StoredResponses, seal, unseal

_log = logging.getLogger(__name__)

HEADER = b"idempotency-key"
REPLAYED = b"idempotency-replayed"
BODY_BYTES_MAX = 16 * 1024 * 1024
_FORM = re.compile(r'"?([A-Za-z0-9_.:-]{16,128})"?')
_STORED_HEADERS = {b"content-type"}


class KeyReused(ClientError):
    """The key was used before, for another request."""

    status, title, slug = 422, "The idempotency key belongs to another request", "idempotency-key-reused"


class InProgress(ClientError):
    """The first request with this key has no response yet."""

    status, title, slug = 409, "The first request with this key is still in flight", "idempotency-in-progress"
    headers: ClassVar[dict[str, str]] = {"Retry-After": "1"}


class IdempotencyMiddleware:
    """ASGI middleware. Keys belong to the caller: two accounts may use the same one.

    Only complete results (`gateway.complete_results`) of POSTs to `paths` are stored, up to BODY_BYTES_MAX: no error,
    no partial failure, nothing with a secret or a token. A caller whose present token lacks `required_scope` gets no
    replay: the route refuses the request.
    """

    def __init__(self, app: ASGIApp, paths: frozenset[str], required_scope: str, body_bytes_max: int) -> None:
        self._app = app
        self._paths = paths
        self._required_scope = required_scope
        self._body_bytes_max = body_bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        account = self._authorised_account(scope)
        key = _key_of(scope) if account is not None else None
        if account is None or key is None:
            await self._app(scope, receive, send)
            return
        store: StoredResponses = scope["app"].state.stored_responses
        secret = f"{account}\0{key}".encode()
        key_id = hashlib.sha256(secret).digest()
        body = _FingerprintedBody(scope, receive, self._body_bytes_max)
        stored = await store.begin(key_id, hashlib.sha256(account.encode()).digest())
        if stored is None:
            await self._first(scope, body, send, store, key_id, secret)
        elif stored.sealed is None:
            raise InProgress
        else:
            await body.read_to_end()
            if body.fingerprint() != stored.fingerprint:
                message = "make a new key for each new request"
                raise KeyReused(message, InvalidField("header", "/Idempotency-Key", "reused", message))
            await _replay(unseal(stored.sealed, secret), send)

    def _authorised_account(self, scope: Scope) -> str | None:
        """None where the request is none whose response can be stored."""
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] not in self._paths:
            return None
        principal = authenticated_principal(scope)
        return principal.subject if principal and self._required_scope in principal.scopes else None

    async def _first(
        self, scope: Scope, body: _FingerprintedBody, send: Send, store: StoredResponses, key_id: bytes, secret: bytes
    ) -> None:
        stored = False

        async def store_response(response: StoredResponse) -> None:
            nonlocal stored
            if response.status == 200 and body.complete and recorded_as_complete(scope):
                with _without_database():
                    stored = await store.store(key_id, body.fingerprint(), seal(response, secret))

        try:
            await self._app(scope, body.receive, _RecordedResponse(send, store_response).send)
        finally:
            if not stored:
                with _without_database():
                    await store.discard(key_id)


@contextmanager
def _without_database() -> Iterator[None]:
    """The request is served although its response cannot be stored: the key is free again when its lease expires."""
    try:
        yield
    except Unavailable as error:
        _log.warning("the state of an idempotency key was not written", extra={"reason": error.detail})


def _key_of(scope: Scope) -> str | None:
    """Raises InvalidRequest for two keys, or one of another form."""
    values = [value.decode("latin-1") for name, value in scope["headers"] if name == HEADER]
    if not values:
        return None
    match = _FORM.fullmatch(values[0])
    if len(values) != 1 or match is None:
        message = "16 to 128 letters, digits and _ . : -; a UUID is a good choice"
        field = InvalidField("header", "/Idempotency-Key", "invalid_format", message)
        raise InvalidRequest(f"Idempotency-Key: {message}", field)
    return match[1]


class _FingerprintedBody:
    """Passes the body on and computes a fingerprint: a hash of method, path, query, media type and bytes.

    The multipart boundary is left out, because clients make a new one for each attempt.
    """

    def __init__(self, scope: Scope, receive: Receive, bytes_max: int) -> None:
        self._receive = receive
        self._left = bytes_max
        self.complete = False
        kind = MimeMessage()
        kind["content-type"] = dict(scope["headers"]).get(b"content-type", b"").decode("latin-1")
        self._boundary = str(kind.get_param("boundary", "") or "").encode()
        self._tail = b""
        self._hash = hashlib.sha256(
            b"\0".join(
                [
                    scope["method"].encode(),
                    scope["raw_path"] or b"",
                    scope["query_string"],
                    kind.get_content_type().encode() if kind["content-type"] else b"",
                ]
            )
        )

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._add(message.get("body", b""))
            self.complete = self.complete or not message.get("more_body", False)
        return message

    async def read_to_end(self) -> None:
        """Raises TooLarge, and InvalidRequest where the client goes away."""
        while not self.complete:
            if (await self.receive())["type"] == "http.disconnect":
                message = "the upload ended before its announced length"
                raise InvalidRequest(message, InvalidField("body", "", "incomplete", message))
            if self._left < 0:
                raise TooLarge("the body is larger than any that this server accepts")

    def fingerprint(self) -> bytes:
        """Only of a complete body."""
        whole = self._hash.copy()
        whole.update(self._tail)
        return whole.digest()

    def _add(self, chunk: bytes) -> None:
        self._left -= len(chunk)
        text = self._tail + chunk
        held = max(len(self._boundary) - 1, 0)
        if self._boundary:
            text = text.replace(self._boundary, b"")
        split = max(len(text) - held, 0)
        self._hash.update(text[:split])
        self._tail = text[split:]


class _RecordedResponse:
    """Passes the response on. It is stored before its last byte is sent, so that a client that saw it can repeat it.

    store: called with a response of at most BODY_BYTES_MAX.
    """

    def __init__(self, send: Send, store: Callable[[StoredResponse], Awaitable[None]]) -> None:
        self._send = send
        self._store = store
        self._status = 0
        self._headers: list[tuple[str, str]] = []
        self._body = bytearray()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = [
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, value in message.get("headers", ())
                if name.lower() in _STORED_HEADERS
            ]
        elif message["type"] == "http.response.body":
            if len(self._body) <= BODY_BYTES_MAX:
                self._body += message.get("body", b"")
            if not message.get("more_body", False) and len(self._body) <= BODY_BYTES_MAX:
                await self._store(StoredResponse(self._status, self._headers, bytes(self._body)))
        await self._send(message)


async def _replay(response: StoredResponse, send: Send) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
    length = (b"content-length", str(len(response.body)).encode())
    start = {
        "type": "http.response.start",
        "status": response.status,
        "headers": [*headers, length, (REPLAYED, b"true")],
    }
    await send(start)
    await send({"type": "http.response.body", "body": response.body})
