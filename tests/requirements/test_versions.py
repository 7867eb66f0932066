"""What is locked is what is declared, and nothing is older than the oldest acceptable version."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

REQUIREMENTS = Path(__file__).parents[2] / "requirements"
PYPROJECT = tomllib.loads((REQUIREMENTS.parent / "pyproject.toml").read_text())
LOCKS = ("serve", "dev", "training", "triton", "peers", "image-gateway", "image-auth", "image-models", "image-triton")
IMAGES = ["gateway", "auth", "models", "study", "triton"]


def locked(name: str) -> dict[str, list[Version]]:
    versions: dict[str, list[Version]] = {}
    for package, version in re.findall(
        r"^([a-z0-9.-]+)(?:\[[^]]*\])?==([^ ;\\\n]+)", (REQUIREMENTS / f"{name}.txt").read_text(), re.MULTILINE
    ):
        versions.setdefault(package, []).append(Version(version))
    return versions


def declared_in(extra: str) -> list[Requirement]:
    """Of an extra and of those that it is made of."""
    found = []
    for requirement in required(PYPROJECT["project"]["optional-dependencies"][extra]):
        if requirement.name == "hepar":
            found += [one for part in requirement.extras for one in declared_in(part)]
        else:
            found.append(requirement)
    return found


def required(lines: list[str]) -> list[Requirement]:
    return [Requirement(line) for text in lines if (line := text.partition("#")[0].strip())]


@pytest.mark.parametrize("lock", LOCKS)
def test_no_lock_holds_a_version_below_the_floor(lock: str) -> None:
    versions = locked(lock)
    floors = required((REQUIREMENTS / "floors.txt").read_text().splitlines())
    assert len(floors) >= 6
    for floor in floors:
        for version in versions.get(floor.name, []):
            assert version in floor.specifier, f"{floor.name} {version}"


@pytest.mark.parametrize("extra", ["serve", "dev", "training", *IMAGES])
def test_every_declared_package_is_locked_at_a_version_it_allows(extra: str) -> None:
    declared = required(PYPROJECT["project"]["dependencies"]) + declared_in(extra)
    versions = locked(f"image-{extra}" if extra in IMAGES else extra)
    for requirement in declared:
        name = canonicalize_name(requirement.name)
        assert versions.get(name), f"{name} is not in requirements/{extra}.txt: run `make lock`"
        assert all(version in requirement.specifier for version in versions[name])


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_holds_the_versions_that_are_tested(image: str) -> None:
    tested = locked("serve")
    for package, versions in locked(f"image-{image}").items():
        assert versions == tested[package], package


def test_extras_that_packages_require_are_locked() -> None:
    """Else pip 23 takes the newest release for the extra, and then refuses it for want of a hash."""
    text = (REQUIREMENTS / "dev.txt").read_text()
    asked = []
    for package in locked("dev"):
        try:
            requirements = metadata.distribution(package).requires or []
        except metadata.PackageNotFoundError:
            continue  # for another platform or Python
        asked += [one for one in map(Requirement, requirements) if one.extras and applies(one)]
    assert "coverage" in {requirement.name for requirement in asked}
    for requirement in asked:
        pinned = re.search(rf"^{re.escape(requirement.name.lower())}\[([^]]*)\]==", text, re.MULTILINE)
        assert pinned, f"{requirement} is locked without its extras"
        assert requirement.extras <= {extra.strip() for extra in pinned[1].split(",")}


def applies(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


@pytest.mark.parametrize("lock", ["serve", "dev", "triton"])
def test_serving_locks_carry_hashes_and_no_training_framework(lock: str) -> None:
    text = (REQUIREMENTS / f"{lock}.txt").read_text()
    assert text.count("--hash=sha256:") >= len(locked(lock))
    for framework in ("torch", "tensorflow", "tensorflow-cpu", "keras", "ultralytics"):
        assert framework not in locked(lock)


def test_serving_has_neither_tensorflow_nor_torch() -> None:
    for framework in ("torch", "tensorflow"):
        with pytest.raises(ImportError):
            __import__(framework)
