"""The command line `hepar` as processes, each user with a token file of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

PASSWORD = "a long enough password"


class HeparCommand:
    """Of one user. Calling it runs the command to its end."""

    def __init__(self, url: str, config: Path) -> None:
        self.email = f"{uuid.uuid4().hex}@example.org"
        self.token_file = config / "hepar" / "tokens.json"
        self.url = url
        path = f"clients/python{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
        self.environment = os.environ | {
            "HEPAR_URL": url,
            "XDG_CONFIG_HOME": str(config),
            "HEPAR_PASSWORD": PASSWORD,
            "PYTHONPATH": path,
        }

    def __call__(self, *words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        with self.start(*words, **environment) as process:
            out, err = process.communicate(timeout=120)
        return subprocess.CompletedProcess(process.args, process.returncode, decoded(out), decoded(err))

    def start(self, *words: str | Path, **environment: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.arguments(*words),
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def arguments(self, *words: str | Path) -> list[str]:
        return [sys.executable, "-m", "hepar_client", *map(str, words)]

    def stored_token(self) -> dict[str, Any]:
        token: dict[str, Any] = json.loads(self.token_file.read_text())[self.url]
        return token

    def store_token(self, **changes: object) -> None:
        """Overwrites parts of what is stored."""
        tokens = json.loads(self.token_file.read_text()) if self.token_file.exists() else {}
        self.token_file.parent.mkdir(parents=True, exist_ok=True)
        self.token_file.write_text(json.dumps(tokens | {self.url: tokens.get(self.url, {}) | changes}))

    def expire_token(self) -> None:
        """The next command has to renew it."""
        self.store_token(expires_at_s=0)


def decoded(output: bytes) -> str:
    """As the file system decodes names."""
    return output.decode("utf-8", "surrogateescape")
