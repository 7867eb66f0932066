"""Base class of all documents."""

from typing import Any

from pydantic import BaseModel, ConfigDict

RESEARCH_USE_NOTICE = "Research software, not a medical device. Not for diagnosis or treatment decisions."


class Document(BaseModel):
    """A value that enters or leaves a service: immutable, and unknown fields are rejected."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


def with_example(example: dict[str, Any]) -> ConfigDict:
    """Configuration of a document that carries this example in its schema.

    example: without nulls, because FastAPI leaves them out of an OpenAPI document.
    """
    return ConfigDict(json_schema_extra={"examples": [example]})


def example_of(document: type[BaseModel]) -> dict[str, Any]:
    """The example that a document carries. Raises KeyError where it has none."""
    example: dict[str, Any] = document.model_json_schema()["examples"][0]
    return example
