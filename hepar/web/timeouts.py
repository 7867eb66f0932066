"""The header by which a caller limits how long it waits."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header

from hepar.core.deadlines import DEADLINE_HEADER

TimeoutMs = Annotated[
    int | None,
    Header(
        alias=DEADLINE_HEADER.title(),
        ge=1,
        le=600_000,
        description="milliseconds that the caller waits for the answer; the server has an upper limit of its own",
        examples=[10_000],
    ),
]
"""For `Deadline.within`."""
