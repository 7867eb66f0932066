"""The content of each image of deploy/Dockerfile is enough to start its service."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
OURS = (
    "hepar",
    "gateway",
    "auth_service",
    "classify_service",
    "detect_service",
    "study_service",
    "training",
    "triton_runtime",
    "local_stack",
)
SERVICES = {
    "gateway": ("image-gateway", "gateway.app"),
    "auth": ("image-auth", "auth_service.app, auth_service.command_line"),
    "classify": ("image-models", "classify_service.app"),
    "detect": ("image-models", "detect_service.app"),
    "study": (
        "image-study",
        "study_service.app, study_service.command_line, study_service.worker, study_service.outputs.registry",
    ),
    "triton": ("image-triton", "triton_runtime.__main__"),
}
_IMPORT = """
import sys
from importlib.abc import MetaPathFinder
forbidden, single_files = (set(argument.split(",")) for argument in sys.argv[1:])
class Wall(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in forbidden and name not in single_files:
            raise ModuleNotFoundError(f"{name} is not in the image")
sys.meta_path.insert(0, Wall())
"""


def locked(name: str) -> set[str]:
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    return set(re.findall(r"^([a-z0-9.-]+)(?:\[[^]]*\])?==", text, re.MULTILINE))


def stages(target: str) -> list[str]:
    """The text of a target and of what it is made from, itself first."""
    found, stage = [], target
    while match := re.search(rf"^FROM (\S+) AS {stage}\n(.*?)(?=^FROM |\Z)", DOCKERFILE, re.MULTILINE | re.DOTALL):
        found.append(match[2])
        stage = match[1]
    return found


def copied(target: str) -> set[str]:
    """The packages of ours that a target, and what it is made from, copies."""
    return set(re.findall(r"^COPY (\w+) \w+$", "".join(stages(target)), re.MULTILINE)) & set(OURS)


def copied_modules(target: str) -> set[str]:
    """The modules of ours that a target copies file by file."""
    files = re.findall(r"(?<= )(\w+(?:/\w+)*)\.py(?= )", "".join(stages(target)))
    return {file.removesuffix("/__init__").replace("/", ".") for file in files}


@pytest.mark.parametrize("target", SERVICES)
def test_a_service_starts_with_the_packages_of_its_image(target: str) -> None:
    lock, modules = SERVICES[target]
    held = {canonicalize_name(name) for name in locked(lock)}
    there = metadata.packages_distributions()
    missing = {
        module
        for module, distributions in there.items()
        if not {canonicalize_name(name) for name in distributions} & held
    }
    missing |= set(OURS) - copied(target)
    code = _IMPORT + f"import {modules}"
    done = subprocess.run(
        [sys.executable, "-c", code, ",".join(sorted(missing)), ",".join(copied_modules(target))],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_every_service_runs_as_an_unprivileged_user() -> None:
    for target in [*SERVICES, "edge"]:
        own, *under = stages(target)
        assert re.search(r"^USER (10001:10001|101:101)$", own, re.MULTILINE), target
        assert "HEALTHCHECK" in own or ("HEALTHCHECK" in under[0] and "HEALTH=http://127.0.0.1:" in own), target
        assert f'image.title="hepar-{target}' in own, target
        assert 'image.licenses="AGPL-3.0-or-later"' in own + "".join(under), target


def test_whatever_an_image_copies_is_sent_to_the_build() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    sent = {line.removeprefix("!") for line in lines if line.startswith("!")}
    copies = [line.split()[1:-1] for line in DOCKERFILE.splitlines() if re.match(r"COPY (?!--from)", line)]
    copied_files = {source for sources in copies for source in sources}
    assert copied_files >= {"hepar", "study_service"}
    missing = {source for source in copied_files if not any(Path(source).is_relative_to(one) for one in sent)}
    assert missing == set()
