from __future__ import annotations

import sys
from pathlib import Path

import pytest

from triton_runtime.machine import UnsuitableMachine, check_machine, find_package


def test_a_supported_machine_passes() -> None:
    check_machine("Linux", "x86_64", ("glibc", "2.36"))


@pytest.mark.parametrize(
    ("system", "machine", "glibc", "words"),
    [
        ("Darwin", "arm64", ("", ""), "x86-64 Linux only; this is arm64 Darwin"),
        ("Linux", "aarch64", ("glibc", "2.39"), "this is aarch64 Linux"),
        ("Windows", "AMD64", ("", ""), "WSL 2"),
        ("Linux", "x86_64", ("glibc", "2.31"), "glibc 2.35 or newer; this machine has glibc 2.31"),
        ("Linux", "x86_64", ("", ""), "musl"),
    ],
)
def test_other_machines_get_the_reason_and_the_remedy(
    system: str, machine: str, glibc: tuple[str, str], words: str
) -> None:
    with pytest.raises(UnsuitableMachine, match=r"HEPAR_CLASSIFY_TRITON and HEPAR_DETECT_TRITON") as error:
        check_machine(system, machine, glibc)
    assert words in str(error.value)


def fake_python(folder: Path, *lines: str) -> Path:
    """An environment whose python prints the properties of a real one."""
    program = folder / "bin" / "python"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n" + "".join(f"echo '{line}'\n" for line in lines))
    program.chmod(0o755)
    return folder


def test_a_missing_or_broken_environment_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UnsuitableMachine, match=r"is missing. Run `make setup`"):
        find_package(tmp_path / "none")
    with pytest.raises(UnsuitableMachine, match=r"is broken"):
        find_package(fake_python(tmp_path / "broken", "only one line"))


def test_a_python_without_libpython_gets_instructions(tmp_path: Path) -> None:
    environment = fake_python(tmp_path / "static", "3.11", str(tmp_path / "libpython3.11.a"), str(tmp_path))
    with pytest.raises(UnsuitableMachine, match=r"apt-get install libpython3.11"):
        find_package(environment)


def test_an_environment_without_triton_is_reported(tmp_path: Path) -> None:
    library = tmp_path / "libpython3.14.so.1.0"
    library.touch()
    environment = fake_python(tmp_path / "other", "3.14", str(library), str(tmp_path))
    with pytest.raises(UnsuitableMachine, match=r"no Triton for Python 3.14"):
        find_package(environment)


def test_the_python_of_a_real_virtual_environment_is_inspected() -> None:
    environment = Path(sys.prefix)
    with pytest.raises(UnsuitableMachine, match=r"no Triton"):
        find_package(environment)
