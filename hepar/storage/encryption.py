"""Encryption at rest: AES-256-GCM with keys that can be replaced, and keyed hashes for searching.

Every study and every upload has a data key of its own; the installation's current key encrypts that data key. Replacing
the installation's key re-encrypts the small data keys only, and deleting a data key makes its content unreadable.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hepar.core.private_files import replace_private, require_private, write_private

_KEY_BYTES = 32
_NONCE_BYTES = 12
_TAG_BYTES = 16
_CHUNK_BYTES = 1024 * 1024
_INDEX = "index"
_LINE = re.compile(r"([a-z][a-z0-9-]{0,15}) ([0-9a-f]{64})")
_DIFFERENT_BYTES_MIN = 10  # 32 random bytes have fewer with a chance below 1e-20


class BadKeyFile(Exception):
    """The file of keys is missing, malformed or readable by others; the message names the reason."""


class Undecipherable(Exception):
    """The content was changed, or another key encrypted it."""


class DataKey:
    """Encrypts the content of one study or one upload. context: what the content is; it must be the same to decrypt."""

    def __init__(self, secret: bytes) -> None:
        self._cipher = AESGCM(secret)

    def encrypt(self, content: bytes | memoryview, context: str) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, content, context.encode())

    def decrypt(self, sealed: bytes | bytearray | memoryview, context: str) -> bytes:
        """Raises Undecipherable."""
        try:
            with memoryview(sealed) as view:
                return self._cipher.decrypt(view[:_NONCE_BYTES], view[_NONCE_BYTES:], context.encode())
        except (InvalidTag, ValueError) as error:
            raise Undecipherable(f"{context} cannot be decrypted") from error

    async def encrypt_stream(self, chunks: AsyncIterable[bytes], context: str) -> AsyncIterator[bytes]:
        """Chunks of one mebibyte, each with its number; the last is marked, so that a cut is noticed."""
        buffer, number = bytearray(), 0
        async for chunk in chunks:
            buffer += chunk
            while len(buffer) > _CHUNK_BYTES:
                yield self.encrypt(memoryview(buffer)[:_CHUNK_BYTES], f"{context} {number}")
                del buffer[:_CHUNK_BYTES]
                number += 1
        yield self.encrypt(bytes(buffer), f"{context} {number} last")

    async def decrypt_stream(self, chunks: AsyncIterable[bytes], context: str) -> AsyncIterator[bytes]:
        """Reads what encrypt_stream wrote. Raises Undecipherable, also where the end is missing."""
        sealed_bytes = _NONCE_BYTES + _CHUNK_BYTES + _TAG_BYTES
        buffer, number = bytearray(), 0
        async for chunk in chunks:
            buffer += chunk
            while len(buffer) > sealed_bytes:
                with memoryview(buffer)[:sealed_bytes] as sealed:
                    content = self.decrypt(sealed, f"{context} {number}")
                del buffer[:sealed_bytes]
                yield content
                number += 1
        yield self.decrypt(buffer, f"{context} {number} last")

    async def decrypt_range(
        self, read: Callable[[int, int], Awaitable[bytes]], size_bytes: int, context: str, start: int, length: int
    ) -> bytes:
        """A part of what encrypt_stream wrote, without the chunks around it. Raises Undecipherable.

        read: encrypted bytes by offset and length.  size_bytes: of the whole content.  start, length: within it.
        """
        if start < 0 or length < 0 or start + length > size_bytes:
            raise Undecipherable(f"{context} has no such range")
        sealed_bytes = _NONCE_BYTES + _CHUNK_BYTES + _TAG_BYTES
        last = max(size_bytes - 1, 0) // _CHUNK_BYTES
        first, end = min(start // _CHUNK_BYTES, last), min((start + length) // _CHUNK_BYTES, last) + 1
        stored_end = min(end * sealed_bytes, size_bytes + (last + 1) * (_NONCE_BYTES + _TAG_BYTES))
        sealed = await read(first * sealed_bytes, stored_end - first * sealed_bytes)
        content = bytearray()
        for number in range(first, end):
            chunk = sealed[(number - first) * sealed_bytes : (number - first + 1) * sealed_bytes]
            content += self.decrypt(chunk, f"{context} {number}{' last' if number == last else ''}")
        offset = start - first * _CHUNK_BYTES
        return bytes(content[offset : offset + length])


class KeyRing:
    """The installation's keys: one for keyed hashes, and those that encrypt data keys, the last of which is current."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._index = keys[_INDEX]
        self._ciphers = {name: AESGCM(key) for name, key in keys.items() if name != _INDEX}
        self.current = list(self._ciphers)[-1]

    def new_data_key(self) -> tuple[DataKey, bytes]:
        """A random key, and the same encrypted, to be stored."""
        secret = os.urandom(_KEY_BYTES)
        return DataKey(secret), self._wrap(secret)

    def data_key(self, wrapped: bytes) -> DataKey:
        """Raises Undecipherable where the key that encrypted it is no longer in the file."""
        return DataKey(self._unwrap(wrapped))

    def is_current(self, wrapped: bytes) -> bool:
        return _name_of(wrapped) == self.current

    def rewrapped(self, wrapped: bytes) -> bytes:
        """The same data key, encrypted with the current key. Raises Undecipherable."""
        return self._wrap(self._unwrap(wrapped))

    def keyed_hash(self, purpose: str, *parts: str) -> str:
        """HMAC-SHA256 in hexadecimal: finds equal values without storing them, whichever key is current."""
        message = "\0".join((purpose, *parts)).encode()
        return hmac.new(self._index, message, hashlib.sha256).hexdigest()

    def pseudonym(self, patient_id: str, issuer: str) -> str:
        """The same short name for all studies of a patient at this installation, such as P-7KQ2M9XA."""
        digest = bytes.fromhex(self.keyed_hash("patient", patient_id, issuer))
        return f"P-{base64.b32encode(digest[:5]).decode()}"

    def _wrap(self, secret: bytes) -> bytes:
        name, nonce = self.current.encode(), os.urandom(_NONCE_BYTES)
        return bytes([len(name)]) + name + nonce + self._ciphers[self.current].encrypt(nonce, secret, name)

    def _unwrap(self, wrapped: bytes) -> bytes:
        name = _name_of(wrapped)
        cipher = self._ciphers.get(name)
        if cipher is None:
            raise Undecipherable(f"the key {name!r} is not in the file of keys")
        nonce_and_sealed = wrapped[1 + len(name) :]
        nonce, sealed = nonce_and_sealed[:_NONCE_BYTES], nonce_and_sealed[_NONCE_BYTES:]
        try:
            return cipher.decrypt(nonce, sealed, name.encode())
        except InvalidTag as error:
            raise Undecipherable(f"a data key was changed, or the key {name!r} was") from error


def load_key_ring(file: Path) -> KeyRing:
    """Creates the file where there is none. Raises BadKeyFile.

    Lines `NAME KEY`, the key being 32 random bytes in hexadecimal; `index` is the key of hashes, the last line current.
    """
    if not file.exists():
        write_private(file, f"{_new_line(_INDEX)}{_new_line('k1')}".encode())
    require_private(file, BadKeyFile)
    return KeyRing(_keys(file))


def add_key(file: Path) -> str:
    """Appends a key, which becomes the current one; returns its name. Raises BadKeyFile."""
    require_private(file, BadKeyFile)
    names = set(_keys(file))
    number = next(number for number in range(1, len(names) + 2) if f"k{number}" not in names)
    text = file.read_text(encoding="ascii")
    replace_private(file, f"{text.rstrip()}\n{_new_line(f'k{number}')}".encode())
    return f"k{number}"


def _keys(file: Path) -> dict[str, bytes]:
    keys: dict[str, bytes] = {}
    for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").split("\n"), start=1):
        if not line.strip():
            continue
        parsed = _LINE.fullmatch(line.strip())
        if parsed is None or parsed[1] in keys:
            raise BadKeyFile(f"{file}, line {number}: not a new name and 64 hexadecimal digits")
        key = bytes.fromhex(parsed[2])
        if len(set(key)) < _DIFFERENT_BYTES_MIN:
            raise BadKeyFile(f"{file}, line {number}: a sample, not random bytes")
        keys[parsed[1]] = key
    if _INDEX not in keys or len(keys) < 2:
        raise BadKeyFile(f"{file} needs a line `index` and at least one more key")
    return keys


def _new_line(name: str) -> str:
    return f"{name} {os.urandom(_KEY_BYTES).hex()}\n"


def _name_of(wrapped: bytes) -> str:
    return wrapped[1 : 1 + wrapped[0]].decode("ascii", errors="replace")
