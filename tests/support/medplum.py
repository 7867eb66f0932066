"""Medplum's FHIR router with its store in memory: a FHIR R4 server of another maker."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.support.node_programs import node_command


@dataclass(frozen=True)
class Medplum:
    """url: base of the server.  token: that it wants."""

    url: str
    token: str

    def take_transactions(self, count: int | None = None) -> None:
        """Then it answers 503. Without a number it takes all."""
        url = f"{self.url.removesuffix('/fhir')}/transactions-left"
        httpx.post(url if count is None else f"{url}?{count}", timeout=60).raise_for_status()

    def search(self, kind: str, **parameters: str) -> list[dict[str, Any]]:
        headers = {"authorization": f"Bearer {self.token}"}
        answer = (
            httpx.get(f"{self.url}/{kind}", params=parameters, headers=headers, timeout=60).raise_for_status().json()
        )
        assert answer["type"] == "searchset"
        return [entry["resource"] for entry in answer.get("entry", [])]


@contextmanager
def medplum() -> Iterator[Medplum]:
    """It ends with its standard input."""
    token = secrets.token_hex(8)
    command = node_command("fhir_server.mjs", "@medplum/fhir-router", token)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = process.stdout.readline().strip()
            assert port.isdecimal(), "it prints its port once it listens"
            yield Medplum(f"http://127.0.0.1:{port}/fhir", token)
        finally:
            process.terminate()
