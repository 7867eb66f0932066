"""Standard output that prints any file name and may be closed by its reader."""

from __future__ import annotations

import codecs
import io
import os
import sys
from pathlib import Path

ANY_NAME = "hepar-any-name"
"""Error handler of encoders: bytes of a file name that could not be decoded come out as they were."""


def prepare() -> None:
    """For names that the encoding of the terminal lacks, and for names in no known encoding.

    A process may be started without standard output; what is printed is then discarded.
    """
    sys.stdout = sys.stdout or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  open until the process ends
    sys.stderr = sys.stderr or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=ANY_NAME)


def finish() -> None:
    """Writes what is buffered. Raises OSError."""
    sys.stdout.flush()
    sys.stderr.flush()


def discard() -> None:
    """After an error of standard output: nothing more is written, at the end of the interpreter either."""
    null = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(null, stream.fileno())
    os.close(null)


def _encode_any_name(error: UnicodeError) -> tuple[bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return b"".join(map(_bytes_of, text)), error.end


def _bytes_of(character: str) -> bytes:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # surrogateescape (PEP 383)
        return bytes([code - 0xDC00])
    return character.encode("ascii", "backslashreplace")


codecs.register_error(ANY_NAME, _encode_any_name)
