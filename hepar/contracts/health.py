"""Health checks, for load balancers and monitoring."""

from typing import Literal

from pydantic import Field

from .base import Document, with_example


class Health(Document):
    """The answer of a process that is alive."""

    model_config = with_example({"status": "alive"})

    status: Literal["alive"] = Field(default="alive", description="always `alive`")


class Readiness(Document):
    """Whether a service can answer, and which of the parts it needs can."""

    model_config = with_example({"ready": True, "parts": {"sign_in": True, "classification": True, "detection": True}})

    ready: bool = Field(description="whether every part is ready")
    parts: dict[str, bool] = Field(description="by name, whether the part is ready")
