"""`make demo`: starts the stack, analyses one image or one study, and stops the stack."""

from __future__ import annotations

import base64
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

from hepar.contracts.analyses import Analysis, Classification, Detection
from hepar.contracts.base import RESEARCH_USE_NOTICE
from hepar.contracts.problems import Problem
from hepar.contracts.wording import probability_text
from local_stack.demo_client import DemoFailed, checked, signed_in_client
from local_stack.readiness import wait_until_ready
from local_stack.settings import StackSettings, on_free_ports
from local_stack.study_demo import run_study
from local_stack.supervisor import START_TIMEOUT_S

FOLDER = Path("var/demo")
STOP_TIMEOUT_S = 45
_MEGABYTE = 1e6


def run_demo(image: Path, study: Path | None = None) -> None:
    """Signs up, signs in, sends the image or the study, prints the result and writes a picture. Raises DemoFailed."""
    sent = image if study is None else study
    if not sent.exists():
        raise DemoFailed(f"there is no file {sent}")
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    print("Starting Triton, sign-in, classification, detection, studies and the gateway on free ports ...")
    settings = on_free_ports()
    with running_stack(settings, FOLDER) as process:
        memory = _memory_bytes(process.pid)
        with signed_in_client(settings) as client:
            if study is None:
                _show_image(client, image)
            else:
                run_study(client, study, FOLDER)
    print(f"Memory of all processes while idle: {memory / _MEGABYTE:.0f} MB")
    sizes = sum(_folder_bytes(folder) for folder in (Path(".venv"), settings.triton_environment))
    print(f"Environments on disk: {sizes / _MEGABYTE:.0f} MB")
    started = os.environ.get("HEPAR_MAKE_STARTED", "")
    if started.isdigit():
        print(f"Time, set-up included: {time.time() - int(started):.0f} s")


def _show_image(client: httpx.Client, image: Path) -> None:
    answer = _analyse(client, image)
    print("\n" + "\n".join(result_lines(image, answer)) + "\n")
    if isinstance(answer.detection, Detection) and answer.detection.annotated_png is not None:
        picture = FOLDER / f"{image.stem}.png"
        picture.write_bytes(base64.b64decode(answer.detection.annotated_png))
        print(f"Annotated image: {picture}")


@contextmanager
def running_stack(
    settings: StackSettings, folder: Path, variables: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs the stack as a separate process with state and logs in `folder`: ready on entry, stopped on exit.

    variables: of the environment, instead of those that `state_variables` gives.
    Raises DemoFailed with the last lines of the log when the stack does not become ready.
    """
    log_file = folder / "stack.log"
    environment = settings.environment() | state_variables(folder) | dict(variables or {})
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "local_stack", "run", "--quiet"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        try:
            wait_until_ready(settings, START_TIMEOUT_S, lambda: process.poll() is None)
        except Exception as error:
            tail = "\n".join(log_file.read_text(errors="replace").splitlines()[-8:])
            raise DemoFailed(f"{error}; the end of {log_file}:\n{tail}") from error
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()


def state_variables(folder: Path) -> dict[str, str]:
    """The environment variables that put all state into one folder."""
    return {
        "HEPAR_AUTH_DATABASE_URL": f"sqlite+aiosqlite:///{folder / 'accounts.sqlite3'}",
        "HEPAR_AUTH_KEYS_FOLDER": str(folder / "keys"),
        "HEPAR_AUTH_SECRET_KEY_FILE": str(folder / "secret.key"),
        "HEPAR_STUDY_DATABASE_URL": f"sqlite+aiosqlite:///{folder / 'studies.sqlite3'}",
        "HEPAR_STUDY_KEY_FILE": str(folder / "study_keys"),
        "HEPAR_STUDY_OBJECTS_URL": str(folder / "objects"),
        "HEPAR_STUDY_SPOOL_FOLDER": str(folder / "spool"),
        "HEPAR_GATEWAY_DATABASE_URL": f"sqlite+aiosqlite:///{folder / 'gateway.sqlite3'}",
        "HEPAR_TRITON_LOG_FILE": str(folder / "triton.log"),
        "HEPAR_TRITON_STATE_FOLDER": str(folder / "triton"),
    }


def _analyse(client: httpx.Client, image: Path) -> Analysis:
    with image.open("rb") as file:
        answer = client.post(
            "/v1/analyses",
            params={"annotate": "true"},
            files={"image": (image.name, file, "application/octet-stream")},
        )
    return Analysis.model_validate_json(checked(answer).content)


def result_lines(image: Path, answer: Analysis) -> list[str]:
    """The result as text; the first line is the headline."""
    contradiction = answer.consistency.code not in ("consistent", "not_comparable")
    return [
        *_classification_lines(image, answer.classification),
        *_detection_lines(answer.detection),
        *([f"Note: {answer.consistency.text}"] if contradiction else []),
        "",
        RESEARCH_USE_NOTICE,
    ]


def _classification_lines(image: Path, part: Classification | Problem) -> list[str]:
    if isinstance(part, Problem):
        return [f"{image.name}: no classification ({part.title}: {part.detail})"]
    if part.probability is None:
        return [f"{image.name}: out of scope, {part.scope.reason if part.scope else ''}"]
    undecided = "tumour, type undecided" if part.tumour else "indeterminate"
    label = part.label or f"{undecided}, most probably {part.most_probable_label}"
    agreement = f"{part.agreeing_models} of {part.voting_models} models agree"
    headline = f"{image.name}: {label} (probability {probability_text(part.probability)}, {agreement})"
    votes = [
        f"  {vote.model:<20} {vote.label:<20} "
        + "  ".join(f"{label} {probability_text(probability):<6}" for label, probability in vote.probabilities.items())
        for vote in part.votes
    ]
    warnings = [f"  note: {warning}" for warning in part.image.warnings]
    missing = [f"  did not answer: {model}" for model in part.missing_models]
    return [headline, "Votes:", *votes, *missing, *warnings]


def _detection_lines(part: Detection | Problem) -> list[str]:
    if isinstance(part, Problem):
        return [f"No detection ({part.title}: {part.detail})"]
    size = f"image of {part.image.width} x {part.image.height} pixels"
    if not part.boxes:
        return [f"Boxes: none ({size})"]
    rows = [
        f"  x {box.x_min:.0f} to {box.x_max:.0f}, y {box.y_min:.0f} to {box.y_max:.0f}  "
        f"{box.label} {box.score:.2f}  ({', '.join(box.detectors)})"
        for box in part.boxes
    ]
    return [f"Boxes ({size}):", *rows]


def _memory_bytes(pid: int) -> int:
    """Proportional set size of a process and all its descendants: shared pages counted once."""
    root = psutil.Process(pid)
    return sum(process.memory_full_info().pss for process in [root, *root.children(recursive=True)])


def _folder_bytes(folder: Path) -> int:
    return sum(file.lstat().st_size for file in folder.rglob("*") if file.is_file() and not file.is_symlink())
