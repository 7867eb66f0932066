"""Which Python `make` creates environments with, and that it refuses others before it changes anything."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()
SUPPORTED = ["3.13", "3.12", "3.11"]
TOOLS = ("bash", "date", "find", "make", "rm", "touch")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the Makefile and what it looks for, and bin/, the only folder on PATH, without any Python."""
    for folder in ("bin", "requirements", "web/src", "web/public"):
        (tmp_path / folder).mkdir(parents=True)
    for tool in TOOLS:
        (tmp_path / "bin" / tool).symlink_to(str(shutil.which(tool)))
    for lock in ("serve", "triton", "training"):
        (tmp_path / "requirements" / f"{lock}.txt").touch()
    (tmp_path / "Makefile").write_text(MAKEFILE)
    return tmp_path


def add_python(checkout: Path, name: str, version: str) -> None:
    """A Python that prints its version; every other use of it is noted in `calls` and fails."""
    program = checkout / "bin" / name
    program.write_text(
        f'#!/bin/bash\ncase "$*" in *version_info*) echo {version} ;; *) echo {name} "$@" >> calls; exit 9 ;; esac\n'
    )
    program.chmod(0o755)


def make(checkout: Path, *arguments: str) -> tuple[list[str], list[str]]:
    """The lines that make printed, without its own "Error" lines, and the calls of Python."""
    done = subprocess.run(
        ["make", *arguments],
        cwd=checkout,
        env={"PATH": str(checkout / "bin")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    calls = checkout / "calls"
    return (
        [line for line in done.stdout.splitlines() if not re.match(r"make.* Error \d+$", line)],
        calls.read_text().splitlines() if calls.exists() else [],
    )


@pytest.mark.parametrize("target", ["demo", "test", "train"])
@pytest.mark.parametrize("version", ["2.7", "3.10", "3.14", "3.110"])
def test_an_unsupported_python_gets_one_line_and_nothing_is_installed(
    checkout: Path, target: str, version: str
) -> None:
    add_python(checkout, "python3", version)
    environments = [checkout / name for name in (".venv", ".venv-triton", ".venv-training")]
    for environment in environments:  # left by an interrupted set-up
        environment.mkdir()
    lines, calls = make(checkout, target)
    assert len(lines) == 1
    assert f"Hepar needs Python 3.11, 3.12 or 3.13, but python3 is Python {version}." in lines[0]
    assert calls == []
    assert all(environment.is_dir() for environment in environments)


def test_a_missing_python_gets_one_line(checkout: Path) -> None:
    (line,), _ = make(checkout, "demo")
    assert "but python3 cannot be run. Name another: make demo PYTHON=python3.13" in line


def test_the_python_that_is_named_is_the_one_that_is_checked(checkout: Path) -> None:
    add_python(checkout, "python3", "3.12")
    add_python(checkout, "other", "3.9")
    (line,), calls = make(checkout, "demo", "PYTHON=other")
    assert "but other is Python 3.9." in line
    assert calls == []


@pytest.mark.parametrize("version", SUPPORTED)
def test_every_supported_version_is_used_when_it_is_named(checkout: Path, version: str) -> None:
    add_python(checkout, "python3", "3.14")
    add_python(checkout, "named", version)
    assert make(checkout, ".venv/.serve", "PYTHON=named")[1] == ["named -m venv .venv"]


def test_the_newest_supported_python_that_runs_is_the_default(checkout: Path) -> None:
    add_python(checkout, "python3", "3.11")
    assert make(checkout, ".venv/.serve")[1][-1:] == ["python3 -m venv .venv"]
    add_python(checkout, "python3.11", "3.11")
    add_python(checkout, "python3.12", "3.12")
    add_python(checkout, "python3.14", "3.14")
    broken = checkout / "bin" / "python3.13"  # as pyenv leaves one for each version that is not selected
    broken.write_text("#!/bin/bash\nexit 127\n")
    broken.chmod(0o755)
    assert make(checkout, ".venv/.serve")[1][-1:] == ["python3.12 -m venv .venv"]


def test_makefile_and_package_support_the_same_versions() -> None:
    assert re.findall(r"^SUPPORTED_PYTHONS := (.*)$", MAKEFILE, re.MULTILINE) == [" ".join(SUPPORTED)]
    allowed = SpecifierSet(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"])
    assert [f"3.{minor}" for minor in range(20, 0, -1) if f"3.{minor}.0" in allowed] == SUPPORTED


def test_triton_has_a_python_stub_for_every_supported_version() -> None:
    (stubs,) = (ROOT / ".venv-triton").glob("lib/python3*/site-packages/pytriton/tritonserver/python_backend_stubs")
    assert {version for version in SUPPORTED if (stubs / version / "triton_python_backend_stub").is_file()} == set(
        SUPPORTED
    )
