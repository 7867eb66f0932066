"""Nothing that ends a command signs its user out: signals, closed pipes, other processes, odd file names."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.hepar_command import HeparCommand, decoded
from tests.support.pictures import encoded, gradient
from tests.support.scripted_gateway import MODELS, RENEWED, ScriptedGateway
from tests.support.serving import serving

PICTURE = encoded(gradient(64, 64))
PROCESSES = 4


@pytest.fixture
def batch(tmp_path: Path) -> Path:
    folder = tmp_path / "batch"
    folder.mkdir()
    for number in range(60):
        (folder / f"slice{number}.png").write_bytes(PICTURE)
    return folder


def assert_signed_in_after_renewal(command: HeparCommand) -> None:
    """The stored refresh token is valid."""
    command.expire_token()
    assert command("whoami").returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_in_a_batch(signed_in: HeparCommand, batch: Path, number: signal.Signals) -> None:
    signed_in.expire_token()
    with signed_in.start("classify", batch) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "Traceback" not in decoded(err)
    assert_signed_in_after_renewal(signed_in)


def test_the_second_signal_does_not_wait_for_requests_in_flight(tmp_path: Path) -> None:
    gateway = ScriptedGateway([(200, {}, MODELS)], held_path="/v1/classifications")
    (tmp_path / "x.png").write_bytes(PICTURE)
    with serving(gateway) as url:
        command = HeparCommand(url, tmp_path)
        command.store_token(access_token="one", expires_in=600, scope="analyses", expires_at_s=2**40)
        with command.start("classify", tmp_path / "x.png") as process:
            assert gateway.holding.wait(60)
            while process.poll() is None:
                process.send_signal(signal.SIGINT)
                time.sleep(0.2)
        gateway.release.set()
    assert process.returncode == 130


def test_a_signal_during_the_renewal_waits_until_the_token_is_stored(tmp_path: Path) -> None:
    gateway = ScriptedGateway([(200, {}, RENEWED), (200, {}, MODELS)], held_path="/v1/token")
    with serving(gateway) as url:
        command = HeparCommand(url, tmp_path)
        command.store_token(access_token="one", expires_in=600, scope="analyses", refresh_token="first")
        with command.start("models") as process:
            assert gateway.holding.wait(60)
            process.send_signal(signal.SIGINT)
            gateway.release.set()
            _, err = process.communicate(timeout=60)
    assert (process.returncode, decoded(err)) == (130, "")
    assert gateway.paths == ["/v1/token"]
    assert command.stored_token()["refresh_token"] == "second"


def test_a_killed_renewal_leaves_the_token_file_as_it_was(tmp_path: Path) -> None:
    gateway = ScriptedGateway([(200, {}, RENEWED), (200, {}, RENEWED), (200, {}, MODELS)], held_path="/v1/token")
    with serving(gateway) as url:
        command = HeparCommand(url, tmp_path)
        command.store_token(access_token="one", expires_in=600, scope="analyses", refresh_token="first")
        before = command.token_file.read_bytes()
        with command.start("models") as process:
            assert gateway.holding.wait(60)
            process.kill()
        gateway.release.set()
        assert command.token_file.read_bytes() == before
        assert command("models").returncode == 0
    first, second = gateway.received[:2]
    assert first.body == second.body


def test_a_token_file_of_an_earlier_version_is_read(signed_in: HeparCommand) -> None:
    signed_in.store_token(renewal_key=None)
    assert signed_in("whoami").returncode == 0


def test_a_copied_refresh_token_ends_the_session_once_both_successors_are_used(signed_in: HeparCommand) -> None:
    """Used twice within seconds, as by two commands at once, it gets two successors (docs/decisions/0029)."""
    signed_in.expire_token()
    copied = signed_in.token_file.read_bytes()
    assert signed_in("whoami").returncode == 0
    renewed = signed_in.token_file.read_bytes()
    signed_in.token_file.write_bytes(copied)
    assert signed_in("whoami").returncode == 0
    of_the_thief = signed_in.token_file.read_bytes()
    for tokens, status in ((renewed, 0), (of_the_thief, 4)):
        signed_in.token_file.write_bytes(tokens)
        signed_in.expire_token()
        assert signed_in("whoami").returncode == status


def test_a_hospital_system_is_renewed_with_its_secret(tmp_path: Path) -> None:
    token = b'{"access_token": "two", "expires_in": 600, "scope": "analyses"}'
    gateway = ScriptedGateway([(200, {}, token), (200, {}, MODELS)])
    with serving(gateway) as url:
        command = HeparCommand(url, tmp_path)
        command.store_token(access_token="one", expires_in=600, scope="analyses")
        assert command("models", HEPAR_CLIENT_ID="id", HEPAR_CLIENT_SECRET="secret").returncode == 0
    assert gateway.paths == ["/v1/token", "/v1/models"]
    assert b"client_secret=secret" in gateway.received[0].body
    assert command.stored_token()["access_token"] == "two"


def test_a_pipe_that_its_reader_closes(signed_in: HeparCommand, batch: Path) -> None:
    signed_in.expire_token()
    with signed_in.start("classify", batch, "--json") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read()
    assert (process.returncode, decoded(err)) == (141, "")
    assert_signed_in_after_renewal(signed_in)


def test_a_full_disk_behind_standard_output(signed_in: HeparCommand) -> None:
    signed_in.expire_token()
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            signed_in.arguments("whoami"),
            env=signed_in.environment,
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    assert done.returncode == 2
    assert "Traceback" not in decoded(done.stderr)
    assert "No space left" in decoded(done.stderr)
    assert_signed_in_after_renewal(signed_in)


def test_a_closed_standard_output(signed_in: HeparCommand, batch: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    for target in ("-", str(table)):
        words = signed_in.arguments("classify", batch / "slice1.png", "--csv", target)
        closing = ["bash", "-c", 'exec "$@" >&- 2>&-', "bash", *words]
        assert subprocess.run(closing, env=signed_in.environment, timeout=60, check=False).returncode == 0
    assert "metastasis" in table.read_text()


def test_several_commands_at_once_renew_one_after_the_other(signed_in: HeparCommand) -> None:
    signed_in.expire_token()
    processes = [signed_in.start("whoami") for _ in range(PROCESSES)]
    outputs = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0] * PROCESSES, outputs
    assert_signed_in_after_renewal(signed_in)


def test_another_command_waits_for_the_renewal_and_uses_its_token(tmp_path: Path) -> None:
    gateway = ScriptedGateway([(200, {}, RENEWED), (200, {}, MODELS), (200, {}, MODELS)], held_path="/v1/token")
    with serving(gateway) as url:
        command = HeparCommand(url, tmp_path)
        command.store_token(access_token="one", expires_in=600, scope="analyses", refresh_token="first")
        first = command.start("models")
        assert gateway.holding.wait(60)
        second = command.start("models")
        with pytest.raises(subprocess.TimeoutExpired):
            second.communicate(timeout=3)
        gateway.release.set()
        for process in (first, second):
            process.communicate(timeout=60)
            assert process.returncode == 0
    assert gateway.paths == ["/v1/token", "/v1/models", "/v1/models"]
    assert {request.headers["authorization"] for request in gateway.received[1:]} == {"Bearer two"}


def test_tokens_of_several_gateways_do_not_replace_each_other(signed_in: HeparCommand) -> None:
    with serving(ScriptedGateway([(200, {}, RENEWED)])) as other:
        assert signed_in("--url", other, "login", "a@example.org").returncode == 0
        assert signed_in("whoami").returncode == 0
        assert signed_in("--url", other, "logout").returncode == 0
    assert signed_in("whoami").returncode == 0


def test_a_damaged_token_file_means_signed_out(signed_in: HeparCommand) -> None:
    signed_in.token_file.write_text("{")
    assert signed_in("whoami").returncode == 4
    assert signed_in("login", signed_in.email).returncode == 0
    assert_signed_in_after_renewal(signed_in)


ODD_NAMES = (
    b"caf\xe9.png",  # Latin-1
    "größe.png".encode(),
    "肝臓 😀.png".encode(),
    b"two\nlines.png",
    b"\xff\xfe\x80.png",
)


@pytest.mark.parametrize(
    ("form", "encoding"),
    [
        ("", "utf-8:strict"), ("", "ascii"), ("", "latin-1"), ("", "cp1252:strict"),
        ("--json", "utf-8:strict"), ("--csv", "ascii"),
    ],
)  # fmt: skip
def test_file_names_in_any_encoding_are_printed(
    signed_in: HeparCommand, tmp_path: Path, encoding: str, form: str
) -> None:
    folder = os.fsencode(tmp_path / "odd")
    Path(os.fsdecode(folder)).mkdir()
    for name in ODD_NAMES:
        Path(os.fsdecode(folder + b"/" + name)).write_bytes(PICTURE)
    Path(os.fsdecode(folder + b"/skipped \xe9")).write_text("not an image")
    signed_in.expire_token()
    table = tmp_path / "table.csv"
    words: list[str | Path] = ["classify", os.fsdecode(folder)]
    words += [form] if form else []
    words += [table] if form == "--csv" else []
    done = signed_in(*words, PYTHONIOENCODING=encoding)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False), "one file is skipped"
    assert "skipped " in done.stderr
    written = table.read_text("utf-8", "surrogateescape") if form == "--csv" else done.stdout
    assert written.count("metastasis") >= len(ODD_NAMES)
    if encoding.startswith("utf-8") and form != "--json":
        assert all(name in os.fsencode(written) for name in ODD_NAMES)
    assert_signed_in_after_renewal(signed_in)
