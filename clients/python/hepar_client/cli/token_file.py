"""Tokens in a file that every `hepar` process of the user shares."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import ValidationError

from hepar_client.auth import HeldToken
from hepar_client.cli.interruption import Interruption
from hepar_client.errors import GatewayUnreachable

LOCK_TIMEOUT_S = 60.0


def token_path() -> Path:
    """Under $XDG_CONFIG_HOME."""
    folder = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return folder / "hepar" / "tokens.json"


class FileTokenStore:
    """The token of one gateway. The file has one token per gateway and mode 600; it is replaced as a whole."""

    def __init__(self, url: str, interruption: Interruption, path: Path | None = None) -> None:
        self._url = url
        self._path = path or token_path()
        self._interruption = interruption
        self._file_lock = FileLock(self._path.with_suffix(".lock"), timeout=LOCK_TIMEOUT_S, thread_local=False)

    def load(self) -> HeldToken | None:
        return self._load_all().get(self._url)

    def save(self, token: HeldToken | None) -> None:
        """Call it within `lock`: the tokens of other gateways are read and written as well."""
        tokens = self._load_all()
        tokens.pop(self._url, None)
        self._replace(tokens | ({self._url: token} if token is not None else {}))

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Excludes other processes, and defers signals: a renewed token is stored before the process ends.

        Raises GatewayUnreachable where another process holds the lock for a minute.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            self._file_lock.acquire()
        except Timeout as error:
            message = f"another process has been renewing the token for {LOCK_TIMEOUT_S:.0f} s"
            raise GatewayUnreachable(message) from error
        try:
            with self._interruption.deferred():
                yield
        finally:
            self._file_lock.release()

    def _load_all(self) -> dict[str, HeldToken]:
        """Empty where the file is missing or damaged."""
        try:
            document = json.loads(self._path.read_text(encoding="utf-8"))
            return {url: HeldToken.model_validate(token) for url, token in document.items()}
        except (FileNotFoundError, ValueError, ValidationError, AttributeError):
            return {}

    def _replace(self, tokens: dict[str, HeldToken]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, name = tempfile.mkstemp(dir=self._path.parent, prefix="tokens-")  # mode 600
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump({url: token.model_dump() for url, token in tokens.items()}, file)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self._path)
        except BaseException:
            with suppress(FileNotFoundError):
                Path(name).unlink()
            raise
