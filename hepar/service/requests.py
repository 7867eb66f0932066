"""The id of the request under way, which travels from the first hop to Triton's log."""

from __future__ import annotations

import re
import uuid
from contextvars import ContextVar

REQUEST_ID_HEADER = "x-request-id"
_ALLOWED = re.compile(r"[A-Za-z0-9._-]{8,64}")
_current: ContextVar[str] = ContextVar("request_id", default="-")


def current_request_id() -> str:
    """The id of the request that this task works for, `-` outside of any."""
    return _current.get()


def begin_request(offered: str | None) -> str:
    """Takes the caller's id where it is well formed, else makes one."""
    known = offered if offered and _ALLOWED.fullmatch(offered) else uuid.uuid4().hex
    _current.set(known)
    return known
