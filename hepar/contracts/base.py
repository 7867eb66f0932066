"""What all documents have in common."""

from pydantic import BaseModel, ConfigDict

RESEARCH_USE_NOTICE = "Research software, not a medical device. Not for diagnosis or treatment decisions."


class Document(BaseModel):
    """A value that crosses a boundary: unknown fields are refused, fields do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())
