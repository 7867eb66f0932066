"""Every document of the public API carries an example, and the example is valid."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import pytest
from pydantic import BaseModel

import hepar.contracts
from gateway.openapi import load_public_document
from hepar.contracts.base import Document, example_of

SCHEMAS = load_public_document()["components"]["schemas"]


def documents(kind: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for more in kind.__subclasses__():
        if more.__module__.startswith("hepar.contracts."):
            yield more
            yield from documents(more)


@pytest.fixture(scope="module")
def contracts() -> dict[str, type[BaseModel]]:
    for module in pkgutil.iter_modules(hepar.contracts.__path__, "hepar.contracts."):
        importlib.import_module(module.name)
    return {kind.__name__: kind for kind in documents(BaseModel)}


def test_every_example_is_valid(contracts: dict[str, type[BaseModel]]) -> None:
    with_example = {name: kind for name, kind in contracts.items() if "examples" in SCHEMAS.get(name, {})}
    assert len(with_example) > 30
    for kind in with_example.values():
        kind.model_validate(example_of(kind))


def test_every_document_that_is_sent_on_its_own_has_an_example(contracts: dict[str, type[BaseModel]]) -> None:
    """Documents inside others (a curve of a model card) need none."""
    content = str(load_public_document()["paths"])
    for name, schema in SCHEMAS.items():
        if f"schemas/{name}'" in content:
            assert schema["examples"], name
    assert issubclass(contracts["Problem"], Document)
