"""Base class of all documents."""

from pydantic import BaseModel, ConfigDict

RESEARCH_USE_NOTICE = "Research software, not a medical device. Not for diagnosis or treatment decisions."


class Document(BaseModel):
    """A value that enters or leaves a service: immutable, and unknown fields are rejected."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())
