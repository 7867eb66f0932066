"""The peers: how each is started, and how it takes an image and gives its answer."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bench.measurement import Workload

ENVIRONMENT, MLSERVER_ENVIRONMENT = Path(".venv-peers"), Path(".venv-peers-mlserver")
_SERVERS = "bench.peers.servers"


@dataclass(frozen=True)
class Body:
    """What is posted for an image."""

    content: bytes
    content_type: str


@dataclass(frozen=True)
class Peer:
    """command: without the path of the environment; {models} and {port} are filled in.

    paths: by workload.  form: of the request; `v2` is MLServer's protocol, for the answer as well.
    """

    name: str
    command: tuple[str, ...]
    paths: Mapping[Workload, str]
    form: Literal["png", "multipart", "v2"] = "png"
    environment: Path = ENVIRONMENT

    def command_line(self, models: Path, port: int) -> list[str]:
        program, *arguments = (part.format(models=models, port=port) for part in self.command)
        return [str(self.environment / "bin" / program), *arguments]

    def body(self, image: bytes) -> Body:
        """image: a PNG."""
        if self.form == "multipart":
            return _multipart(image)
        if self.form == "v2":
            return _v2_request(image)
        return Body(image, "image/png")

    def answer(self, content: bytes) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(content)
        return json.loads(answer["outputs"][0]["data"][0]) if self.form == "v2" else answer


def _multipart(image: bytes) -> Body:
    boundary = secrets.token_hex(16)
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="image.png"\r\n'
        "Content-Type: image/png\r\n\r\n"
    )
    return Body(head.encode() + image + f"\r\n--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}")


def _v2_request(image: bytes) -> Body:
    tensor = {
        "name": "image",
        "shape": [1],
        "datatype": "BYTES",
        "parameters": {"content_type": "base64"},
        "data": [base64.b64encode(image).decode()],
    }
    return Body(json.dumps({"inputs": [tensor]}).encode(), "application/json")


def _module(name: str) -> tuple[str, ...]:
    return ("python", "-m", f"{_SERVERS}.{name}", "{models}", "{port}")


PEERS = (
    Peer("FastAPI, naive", _module("naive_fastapi"), {"classification": "/classify"}),
    Peer("FastAPI, tuned", _module("tuned_fastapi"), {"classification": "/classify", "detection": "/detect"}),
    Peer("LitServe", _module("litserve_server"), {"classification": "/classify"}, "multipart"),
    Peer(
        "BentoML",
        ("bentoml", "serve", f"{_SERVERS}.bentoml_server:Classification", "--host", "127.0.0.1", "--port", "{port}"),
        {"classification": "/classify"},
        "multipart",
    ),
    Peer(
        "MLServer",
        _module("mlserver_server"),
        {"classification": "/v2/models/classify/infer"},
        "v2",
        MLSERVER_ENVIRONMENT,
    ),
)
