"""What stands for a patient, for UIDs and for dates in de-identified objects; nobody without the key can undo it."""

from __future__ import annotations

import hashlib
import hmac
import re
import uuid
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from pydicom._uid_dict import UID_dictionary

_UUID_ROOT, _UID_LENGTH_MAX = "2.25", 64
_DATE = re.compile(r"(\d{4})(\d{2})(\d{2})")
_DATE_TIME = re.compile(r"(\d{8})((?:\d{2}){0,3}(?:(?<=\d{14})\.\d{1,6})?(?:[+-]\d{4})?)")
_TIME = re.compile(r"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?")


@dataclass(frozen=True)
class Pseudonyms:
    """patient: stands for the name and the id.  days: added to each date of the patient.

    key: of the UIDs, the same for all exports of an installation, so that equal UIDs stay equal.
    uid_root: of the installation, as in OutputContext.
    """

    patient: str
    days: int
    key: bytes = field(repr=False)
    uid_root: str = _UUID_ROOT

    def uid(self, value: str) -> str:
        """The same for the same UID. Those that the standard defines stay, such as the class of an object."""
        value = value.strip("\0 ")
        if value in UID_dictionary or not value:
            return value
        number = self._uuid("uid", value).int
        return f"{self.uid_root}.{str(number)[: _UID_LENGTH_MAX - len(self.uid_root) - 1]}"

    def study_id(self, value: str) -> str:
        """A UUID for an id of ours."""
        return str(self._uuid("study", value))

    def account_id(self, value: str) -> str:
        """A UUID for whoever did something."""
        return str(self._uuid("account", value))

    def shifted(self, vr: str, value: str) -> str | None:
        """A date (DA), time (TM) or both (DT), later by `days`; times of day stay. None for what is none."""
        value = value.strip("\0 ")
        if vr == "TM":
            return value if _TIME.fullmatch(value) else None
        parsed = (_DATE if vr == "DA" else _DATE_TIME).fullmatch(value)
        try:
            day = self._later(date.fromisoformat(value[:8])).strftime("%Y%m%d") if parsed else ""
        except (ValueError, OverflowError):
            return None
        return f"{day.rjust(8, '0')}{value[8:]}" if day else None

    def shifted_time(self, value: datetime) -> datetime:
        return value + timedelta(days=self.days)

    def _later(self, day: date) -> date:
        return day + timedelta(days=self.days)

    def _uuid(self, purpose: str, value: str) -> uuid.UUID:
        digest = hmac.digest(self.key, f"{purpose}\0{value}".encode(), hashlib.sha256)
        return uuid.UUID(bytes=digest[:16], version=4)
