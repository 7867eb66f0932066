"""The header by which a caller limits how long it waits."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header
from pydantic import WithJsonSchema

from hepar.core.deadlines import DEADLINE_HEADER

TimeoutMs = Annotated[
    str | None,
    Header(
        alias=DEADLINE_HEADER.title(),
        description="milliseconds that the caller waits for the answer; the server has an upper limit of its own",
    ),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 600_000, "examples": [10_000]}),
]
"""For `Deadline.from_header`. A value that is no number of milliseconds is ignored, as if it were missing."""
