"""Encryption at rest: nothing changed, moved or cut is decrypted; keys can be replaced; hashes find equal values."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepar.storage.encryption import BadKeyFile, DataKey, KeyRing, Undecipherable, add_key, load_key_ring

KEY = DataKey(os.urandom(32))
MEBIBYTE = 1024 * 1024


async def chunked(content: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


def sealed(content: bytes, context: str = "c") -> bytes:
    async def run() -> bytes:
        return b"".join([part async for part in KEY.encrypt_stream(chunked(content, 300_000), context)])

    return asyncio.run(run())


def opened(content: bytes, context: str = "c") -> bytes:
    async def run() -> bytes:
        return b"".join([part async for part in KEY.decrypt_stream(chunked(content, 70_001), context)])

    return asyncio.run(run())


@pytest.mark.parametrize("size", [0, 1, MEBIBYTE - 1, MEBIBYTE, MEBIBYTE + 1, 3 * MEBIBYTE, 3 * MEBIBYTE + 5])
def test_a_stream_of_any_length_comes_back(size: int) -> None:
    content = os.urandom(size)
    assert opened(sealed(content)) == content


@pytest.mark.parametrize("size", [0, 1, MEBIBYTE, 2 * MEBIBYTE, 2 * MEBIBYTE + 5])
def test_a_part_of_a_stream_is_that_part(size: int) -> None:
    content, reads = os.urandom(size), []
    whole = sealed(content)

    async def read(start: int, length: int) -> bytes:
        reads.append(length)
        assert start + length <= len(whole)
        return whole[start : start + length]

    def part(start: int, length: int, context: str = "c") -> bytes:
        return asyncio.run(KEY.decrypt_range(read, size, context, start, length))

    edges = sorted(
        {place for place in (0, 1, 700_000, MEBIBYTE - 1, MEBIBYTE, MEBIBYTE + 1, size - 1) if 0 <= place <= size}
    )
    for start in edges:
        for length in (0, 1, MEBIBYTE, size - start):
            if 0 <= length <= size - start:
                assert part(start, length) == content[start : start + length]
    reads.clear()
    assert len(part(size // 2, min(10, size // 2))) == min(10, size // 2)
    assert reads[0] <= 2 * (MEBIBYTE + 28)
    for start, length, context in ((0, size + 1, "c"), (-1, 0, "c"), (0, size, "another object")):
        with pytest.raises(Undecipherable):
            part(start, length, context)


def test_a_stream_that_was_changed_cut_reordered_or_moved_is_refused() -> None:
    whole = sealed(os.urandom(2 * MEBIBYTE + 10))
    block = MEBIBYTE + 28
    damaged = {
        "changed": whole[:100] + bytes([whole[100] ^ 1]) + whole[101:],
        "cut at a block": whole[: 2 * block],
        "cut in a block": whole[:-1],
        "reordered": whole[block : 2 * block] + whole[:block] + whole[2 * block :],
        "empty": b"",
    }
    for content in damaged.values():
        with pytest.raises(Undecipherable):
            opened(content)
    with pytest.raises(Undecipherable):
        opened(whole, "another object")


@given(st.binary(max_size=200), st.text(max_size=20))
def test_content_needs_its_key_and_its_context(content: bytes, context: str) -> None:
    token = KEY.encrypt(content, context)
    assert KEY.decrypt(token, context) == content
    assert content not in token or len(content) < 4
    for key, given_context in ((DataKey(os.urandom(32)), context), (KEY, context + "x")):
        with pytest.raises(Undecipherable):
            key.decrypt(token, given_context)


def test_a_new_key_encrypts_what_comes_and_the_old_one_still_reads(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    first = load_key_ring(file)
    assert file.stat().st_mode & 0o777 == 0o600
    data_key, wrapped = first.new_data_key()
    token = data_key.encrypt(b"x", "c")
    assert add_key(file) == "k2"
    both = load_key_ring(file)
    assert not both.is_current(wrapped)
    again = both.rewrapped(wrapped)
    assert both.is_current(again)
    file.write_text("".join(line for line in file.read_text().splitlines(keepends=True) if not line.startswith("k1")))
    only_new = load_key_ring(file)
    assert only_new.data_key(again).decrypt(token, "c") == b"x"
    with pytest.raises(Undecipherable, match="k1"):
        only_new.data_key(wrapped)
    assert only_new.keyed_hash("accession", "a") == first.keyed_hash("accession", "a")


def test_hashes_and_pseudonyms_depend_on_key_purpose_and_every_part(tmp_path: Path) -> None:
    keys = load_key_ring(tmp_path / "keys")
    parts = (("a", "1"), ("b", "1"), ("a", "2"), ("a", "1", ""), ("a", "", "1"))
    values = {keys.keyed_hash(*part) for part in parts} | {load_key_ring(tmp_path / "other").keyed_hash("a", "1")}
    assert len(values) == 6
    assert keys.pseudonym("4711", "A") == keys.pseudonym("4711", "A")
    assert len({keys.pseudonym("4711", "A"), keys.pseudonym("4711", "B"), keys.pseudonym("4712", "A")}) == 3
    assert len(keys.pseudonym("4711", "A")) == 10


def line(name: str) -> str:
    """The same in every process that collects the tests."""
    return f"{name} {sha256(name.encode()).hexdigest()}\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "needs a line `index`"),
        (line("index"), "at least one more"),
        (line("k1"), "needs a line `index`"),
        (line("index") + line("k1") + line("k1"), "line 3"),
        (line("index") + "k1 abc\n", "line 2"),
        (line("index") + "k1 " + "0" * 64, "a sample"),
    ],
)
def test_a_wrong_file_of_keys_is_refused_by_its_line(tmp_path: Path, content: str, reason: str) -> None:
    file = tmp_path / "keys"
    file.write_text(content)
    file.chmod(0o600)
    with pytest.raises(BadKeyFile, match=reason):
        load_key_ring(file)


def test_a_file_of_keys_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    load_key_ring(file)
    file.chmod(0o644)
    with pytest.raises(BadKeyFile, match="chmod 600"):
        load_key_ring(file)


def test_the_ring_keeps_no_key_in_its_representation(tmp_path: Path) -> None:
    keys: KeyRing = load_key_ring(tmp_path / "keys")
    secrets = [text.split()[1] for text in (tmp_path / "keys").read_text().splitlines()]
    assert not any(secret in repr(keys) + repr(vars(keys)) for secret in secrets)
