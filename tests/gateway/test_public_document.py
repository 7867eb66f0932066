"""The public document: complete, and composed of what the code declares. tests/security/test_schemathesis.py calls."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from gateway.openapi import load_public_document
from tools.public_document import REPOSITORY, texts

DOCUMENT: dict[str, Any] = load_public_document()
OPERATIONS = [
    (f"{method.upper()} {path}", operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]


def test_the_committed_files_are_what_the_code_declares() -> None:
    for path, text in texts().items():
        assert (REPOSITORY / path).read_text() == text, "run `make openapi`"
    assert (REPOSITORY / "docs" / "openapi.json").samefile(REPOSITORY / "gateway" / "openapi.json")


def test_it_is_openapi_3_1() -> None:
    assert DOCUMENT["openapi"].startswith("3.1")
    validate(DOCUMENT)


@pytest.mark.parametrize(("name", "operation"), OPERATIONS, ids=[name for name, _ in OPERATIONS])
def test_every_operation_is_described_with_examples_of_success_and_of_each_error(
    name: str, operation: dict[str, Any]
) -> None:
    for words in ("summary", "description", "operationId"):
        assert operation[words]
    assert operation["tags"][0] in {tag["name"] for tag in DOCUMENT["tags"]}
    assert "security" in operation
    for parameter in operation.get("parameters", []):
        told = resolved(parameter)
        assert told["description"], (name, parameter)
    codes = operation["responses"]
    assert any(code.startswith("2") for code in codes)
    assert {"400", "408", "413", "414", "431", "500"} <= set(codes)
    for code, response in codes.items():
        for kind, content in response.get("content", {}).items():
            examples = examples_of(content)
            assert examples, (name, code, kind)
            for example in examples:
                assert_fits(example, content["schema"])
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        if kind in ("application/json", "application/x-www-form-urlencoded"):
            (example,) = examples_of(content)
            assert_fits(example, content["schema"])


def examples_of(content: dict[str, Any]) -> list[Any]:
    """Problems have one per kind; an event stream its own; any other document carries its example in its schema."""
    if "example" in content:
        return [content["example"]]
    if "examples" in content:
        return [resolved(example)["value"] for example in content["examples"].values()]
    examples: list[Any] = resolved(content["schema"])["examples"]
    return examples


def test_an_idempotency_key_has_no_example() -> None:
    """Callers would send the same one, and get each other's conflicts."""
    assert "example" not in str(DOCUMENT["components"]["parameters"]["Idempotency-Key"])


def test_basic_credentials_are_declared_for_the_token_endpoint() -> None:
    assert DOCUMENT["components"]["securitySchemes"]["client"]["scheme"] == "basic"
    assert {"client": []} in DOCUMENT["paths"]["/v1/token"]["post"]["security"]


def test_every_field_is_described() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        for field, told in schema.get("properties", {}).items():
            assert told.get("description") or "$ref" in told, f"{name}.{field}"


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in part:
        return part
    found: Any = DOCUMENT
    for step in part["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return dict(found)


def assert_fits(example: object, schema: dict[str, Any]) -> None:
    whole = schema | {"components": DOCUMENT["components"]}
    Draft202012Validator(whole).validate(example)
