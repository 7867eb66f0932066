"""Every error that a caller can meet has a page, and no page tells of one that does not exist."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import pytest

import auth_service
import classify_service
import detect_service
import gateway
import hepar
import study_service
from hepar.contracts.problem_types import PROBLEM_TYPES
from hepar.core.errors import HeparError

BY_THE_FRAMEWORK = {"http-404", "http-405"}


def subclasses(kind: type[HeparError]) -> Iterator[type[HeparError]]:
    yield kind
    for more in kind.__subclasses__():
        yield from subclasses(more)


@pytest.fixture(scope="module")
def errors() -> list[type[HeparError]]:
    for package in (hepar, gateway, auth_service, classify_service, detect_service, study_service):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__") and ".migrations" not in module.name:
                importlib.import_module(module.name)
    ours = {gateway.__name__, "hepar", "auth_service", "classify_service", "detect_service", "study_service"}
    return [error for error in subclasses(HeparError) if error.__module__.split(".")[0] in ours]


def test_every_error_has_its_page_with_its_title_and_status(errors: list[type[HeparError]]) -> None:
    assert len(errors) > 30
    for error in errors:
        if error.slug == "internal-error" and error is not HeparError:
            continue  # one that is passed on as it came
        known = PROBLEM_TYPES[error.slug]
        assert error.status in known.statuses, error
        assert error.title == known.title, error


def test_every_page_belongs_to_an_existing_error(errors: list[type[HeparError]]) -> None:
    assert set(PROBLEM_TYPES) == {error.slug for error in errors} | BY_THE_FRAMEWORK


def test_every_page_states_cause_and_action() -> None:
    for known in PROBLEM_TYPES.values():
        for words in (known.cause, known.action):
            assert words[0].isupper() or words[0] == "`"
            assert words.endswith(".")
