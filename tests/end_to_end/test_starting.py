"""`make run` and `make demo` as commands: their output, and that they leave no process behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest
from PIL import Image

from local_stack.settings import StackSettings, on_free_ports
from tests.end_to_end.conftest import tiny_repository
from tests.support.processes import unmeasured

REPOSITORY = Path(__file__).parents[2]


def environment_for(settings: StackSettings, folder: Path) -> dict[str, str]:
    return settings.environment() | {
        "HEPAR_AUTH_DATABASE_URL": f"sqlite+aiosqlite:///{folder / 'accounts.sqlite3'}",
        "HEPAR_AUTH_KEYS_FOLDER": str(folder / "keys"),
        "HEPAR_AUTH_SECRET_KEY_FILE": str(folder / "secret.key"),
        "HEPAR_TRITON_LOG_FILE": str(folder / "triton.log"),
        "HEPAR_TRITON_STATE_FOLDER": str(folder / "state"),
    }


def start(arguments: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "local_stack", *arguments],
        env=unmeasured(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run(arguments: list[str], environment: dict[str, str], timeout_s: float = 60) -> tuple[int, str, str]:
    process = start(arguments, environment)
    output, errors = process.communicate(timeout=timeout_s)
    return process.returncode, output, errors


def tiny(folder: Path) -> StackSettings:
    repository = tiny_repository(folder / "models")
    return on_free_ports().model_copy(update={"triton_model_repository": repository})


def test_the_printed_commands_work_and_ctrl_c_stops_everything(tmp_path: Path) -> None:
    settings = tiny(tmp_path)
    process = start(["run"], environment_for(settings, tmp_path))
    assert process.stderr is not None
    errors = ""
    for line in process.stderr:
        errors += line
        if "/v1/analyses" in line:
            break
    family = psutil.Process(process.pid).children(recursive=True)
    try:
        assert f"Hepar is ready at {settings.gateway_url}" in errors
        assert "sign_in ready  classification ready  detection ready" in errors
        commands = re.sub(r"\\\n\s*", "", errors[errors.index("  curl") :])
        done = subprocess.run(
            ["bash", "-ec", commands], capture_output=True, text=True, timeout=60, cwd=REPOSITORY, check=False
        )
        assert '"label":"metastasis"' in done.stdout, done.stderr
        assert len(family) >= 6
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)
    _, alive = psutil.wait_procs(family, timeout=5)
    assert alive == []


def test_a_dying_service_stops_the_stack(tmp_path: Path) -> None:
    settings = tiny(tmp_path)
    process = start(["run"], environment_for(settings, tmp_path))
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{settings.gateway_url}/readyz", timeout=60).status_code == 200:
                break
        except httpx.HTTPError:
            time.sleep(0.2)
    family = psutil.Process(process.pid).children(recursive=True)
    next(child for child in family if "detect_service" in " ".join(child.cmdline())).kill()
    process.communicate(timeout=60)
    assert process.returncode != 0
    _, alive = psutil.wait_procs(family, timeout=5)
    assert alive == []


def test_a_port_in_use_gets_one_clear_line(tmp_path: Path) -> None:
    settings = tiny(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", settings.gateway_port))
        taken.listen()
        status, output, errors = run(["run"], environment_for(settings, tmp_path))
    assert (status, output) == (1, "")
    assert errors == (
        f"port {settings.gateway_port} is in use; stop what uses it or choose another with HEPAR_GATEWAY_PORT\n"
    )


def test_a_missing_model_gets_one_clear_line(tmp_path: Path) -> None:
    settings = tiny(tmp_path)
    (settings.triton_model_repository / "detect_tiny" / "1" / "model.onnx").unlink()
    status, _, errors = run(["run"], environment_for(settings, tmp_path))
    assert status == 1
    assert len(errors.splitlines()) == 1
    assert "detect_tiny lacks" in errors


def test_a_broken_environment_gets_one_clear_line(tmp_path: Path) -> None:
    settings = tiny(tmp_path)
    environment = environment_for(settings, tmp_path) | {"HEPAR_TRITON_ENVIRONMENT": str(tmp_path / "none")}
    status, _, errors = run(["run"], environment)
    assert (status, errors) == (1, f"{tmp_path / 'none'} is missing. Run `make setup`.\n")


def test_a_wrong_setting_gets_one_clear_line(tmp_path: Path) -> None:
    environment = os.environ | {"HEPAR_GATEWAY_PORT": "ninety"}
    status, _, errors = run(["run"], environment)
    assert status == 2
    assert errors.startswith("HEPAR_GATEWAY_PORT: Input should be a valid integer")


def test_a_service_that_cannot_start_reports_why_and_stops_the_stack(tmp_path: Path) -> None:
    settings = tiny(tmp_path)
    key = tmp_path / "keys" / "0-key.pem"
    key.parent.mkdir()
    key.write_text("no key")
    key.chmod(0o600)
    status, output, errors = run(["run"], environment_for(settings, tmp_path))
    assert status != 0
    assert "is not a private key in PEM" in output
    assert "Hepar did not start" in errors


def demo(image: str | Path) -> tuple[int, str, str]:
    return run(["demo", str(image)], dict(os.environ), timeout_s=150)


@pytest.mark.parametrize("label", ["cholangiocarcinoma", "metastasis", "no_tumour"])
def test_the_demo_prints_the_result_of_the_shipped_networks(label: str) -> None:
    status, output, errors = demo(f"samples/{label}.png")
    assert status == 0, errors
    assert re.search(rf"{label}\.png: {label} \(probability (> )?0\.\d\d, \d of 5 models agree\)", output)
    assert "classify_resnet" in output
    assert ("Boxes: none" in output) == (label == "no_tumour")
    assert "not a medical device" in output
    assert int(re.search(r"while idle: (\d+) MB", output)[1]) < 2000  # type: ignore[index]
    picture = Image.open(REPOSITORY / "var" / "demo" / f"{label}.png")
    assert picture.size == (768, 768 + 56)


@pytest.mark.parametrize(
    "image",
    ["../shared/data/msd-liver-slices/images/10089_131.png", "../shared/data/dicom/ct-liver-3slice/02.dcm"],
)
def test_the_demo_accepts_real_slices(image: str) -> None:
    if not (REPOSITORY / image).is_file():
        pytest.skip(f"{image} is not on this machine: its licence keeps it out of the repository")
    status, output, errors = demo(image)
    assert status == 0, errors
    assert f"{Path(image).name}: " in output
    assert (REPOSITORY / "var" / "demo" / f"{Path(image).stem}.png").stat().st_size > 10_000


@pytest.mark.parametrize(("content", "words"), [(None, "there is no file"), (b"text", "WebP nor DICOM")])
def test_a_failing_demo_states_the_reason(tmp_path: Path, content: bytes | None, words: str) -> None:
    image = tmp_path / "image.png"
    if content is not None:
        image.write_bytes(content)
    status, _, errors = demo(image)
    assert status == 1
    assert words in errors
    assert "Traceback" not in errors
