"""What each image of deploy/Dockerfile holds is enough to start its service."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
OURS = (
    "hepar",
    "gateway",
    "auth_service",
    "classify_service",
    "detect_service",
    "training",
    "triton_runtime",
    "local_stack",
)
SERVICES = {
    "gateway": ("image-gateway", "gateway.app"),
    "auth": ("image-auth", "auth_service.app, auth_service.command_line"),
    "classify": ("image-models", "classify_service.app"),
    "detect": ("image-models", "detect_service.app"),
    "triton": ("image-triton", "triton_runtime.keeper"),
}
_IMPORT = """
import sys
from importlib.abc import MetaPathFinder
forbidden = set(sys.argv[1].split(","))
class Wall(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in forbidden:
            raise ModuleNotFoundError(f"{name} is not in the image")
sys.meta_path.insert(0, Wall())
"""


def locked(name: str) -> set[str]:
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    return set(re.findall(r"^([a-z0-9.-]+)(?:\[[^]]*\])?==", text, re.MULTILINE))


def copied(target: str) -> set[str]:
    """The packages of ours that a target, and what it is made from, copies."""
    found: set[str] = set()
    stage = target
    while stage:
        match = re.search(rf"^FROM (\S+) AS {stage}\n(.*?)(?=^FROM |\Z)", DOCKERFILE, re.MULTILINE | re.DOTALL)
        if match is None:
            break
        found |= set(re.findall(r"^COPY (\w+) \w+$", match[2], re.MULTILINE)) & set(OURS)
        stage = match[1]
    return found


@pytest.mark.parametrize("target", SERVICES)
def test_a_service_starts_with_what_its_image_holds(target: str) -> None:
    lock, modules = SERVICES[target]
    held = {name.replace("_", "-") for name in locked(lock)}
    there = metadata.packages_distributions()
    missing = {
        module
        for module, distributions in there.items()
        if not {name.lower().replace("_", "-") for name in distributions} & held
    }
    missing |= set(OURS) - copied(target)
    code = _IMPORT + f"import {modules}"
    done = subprocess.run(
        [sys.executable, "-c", code, ",".join(sorted(missing))],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_every_service_has_a_target_that_runs_as_somebody_without_rights() -> None:
    for target in [*SERVICES, "edge"]:
        stage = re.search(rf"^FROM \S+ AS {target}\n(.*?)(?=^FROM |\Z)", DOCKERFILE, re.MULTILINE | re.DOTALL)
        assert stage, target
        assert re.search(r"^USER (10001:10001|101:101)$", stage[1], re.MULTILINE), target
        assert "HEALTHCHECK" in stage[1], target
