"""What each kind of destination implements: sending the outputs of one study, and testing the connection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol


class SendFailed(Exception):
    """The destination did not take everything.

    reason: one sentence without patient data.  permanent: the same outputs would be refused again.
    """

    def __init__(self, reason: str, *, permanent: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.permanent = permanent


def refusal(refused: Iterable[tuple[str, str]]) -> str:
    """The reason of a failed send, by why. refused: names of outputs, each with why."""
    names: dict[str, list[str]] = {}
    for name, why in refused:
        names.setdefault(why, []).append(name)
    stated = [f"{', '.join(items)} ({why})" for why, items in names.items()]
    return f"the archive refuses {'; '.join(stated)}"


class Sender(Protocol):
    """One configured destination. Sending the same outputs twice must leave one copy at the destination."""

    async def send(self, outputs: Mapping[str, bytes]) -> None:
        """outputs: content by the names of `study_service.outputs.registry`. Raises SendFailed."""
        ...

    async def test(self) -> None:
        """Whether the destination answers and lets us in; nothing is stored there. Raises SendFailed."""
        ...
