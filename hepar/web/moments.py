"""Times as query parameters."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator

_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]")


def _written_moment(value: object) -> object:
    """A number is refused: pydantic would read it as seconds, which the document does not say."""
    if isinstance(value, str) and not _MOMENT.match(value):
        raise ValueError("a time is written YYYY-MM-DDThh:mm:ssZ")
    return value


def _in_utc(moment: datetime) -> datetime:
    """The first or last time of the calendar where a time zone leads beyond it."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC) if moment.year == 1 else datetime.max.replace(tzinfo=UTC)


Moment = Annotated[AwareDatetime, BeforeValidator(_written_moment), AfterValidator(_in_utc)]
"""With a time zone; in UTC."""
