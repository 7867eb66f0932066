"""The models of one task that are served now. Follows triton_models/ and Triton while the service runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hepar.contracts.cards import Ensembles, ModelCard, Task
from hepar.inference.model_cards import BrokenCard, agreed_ensemble, read_cards
from hepar.inference.triton import TritonClient
from hepar.inference.version_routing import VersionRouting, read_version_routing

_log = logging.getLogger(__name__)
REFRESH_S = 2.0


@dataclass(frozen=True)
class ModelSet:
    """offers: by model name, in name order.  ensemble: how they decide together, where their cards agree on it."""

    offers: Mapping[str, VersionRouting]
    cards: Mapping[str, ModelCard] = field(init=False)
    ensemble: Ensembles | None = field(init=False)

    def __post_init__(self) -> None:
        cards = {name: offer.card for name, offer in self.offers.items()}
        object.__setattr__(self, "cards", cards)
        object.__setattr__(self, "ensemble", agreed_ensemble(cards))


class ModelRepositoryWatcher:
    """Reads the cards at start and whenever one changes; `current` never changes under a request that holds it.

    A model that joins is asked as soon as Triton has loaded it, one whose folder is gone no longer; the same of its
    versions. A card that cannot be read changes nothing until it can.
    """

    def __init__(self, triton: TritonClient, repository: Path, task: Task) -> None:
        """Raises BrokenCard. The cards of the start count at once: who is missing then is missed, not ignored."""
        self._triton, self._repository = triton, repository
        self._task: Task = task
        self._seen = _stamp(repository)
        self._awaited: set[str] = set()
        self.current = ModelSet(self._read())

    async def follow(self) -> None:
        """Runs until it is cancelled."""
        while True:
            await asyncio.sleep(REFRESH_S)
            await self.refresh()

    async def refresh(self) -> None:
        """Takes up what changed since the last look."""
        stamp = _stamp(self._repository)
        if stamp == self._seen and not self._awaited:
            return
        try:
            offers = self._read()
        except BrokenCard as error:
            if stamp != self._seen:
                _log.warning("model cards not taken up", extra={"reason": str(error)})
            self._seen = stamp
            return
        known = self.current.offers
        changed = [name for name, offer in offers.items() if offer != known.get(name)]
        loaded = await asyncio.gather(*(self._loaded(name, offers[name]) for name in changed))
        self._awaited = {name for name, there in zip(changed, loaded, strict=True) if not there}
        self._seen = stamp
        # What Triton has not loaded yet stays as it was: away, where it is new.
        standing = {name: known.get(name) if name in self._awaited else offer for name, offer in offers.items()}
        taken = ModelSet({name: offer for name, offer in standing.items() if offer is not None})
        if taken != self.current:
            for name in known.keys() | taken.offers.keys():
                self._triton.forget(name)
            self.current = taken
            _log.info("models taken up", extra={"models": sorted(taken.cards), "versions": _told(taken)})

    def _read(self) -> dict[str, VersionRouting]:
        """Raises BrokenCard."""
        cards = read_cards(self._repository, self._task)
        return {name: read_version_routing(self._repository / name, card) for name, card in cards.items()}

    async def _loaded(self, name: str, offer: VersionRouting) -> bool:
        return all(await asyncio.gather(*(self._triton.ready(name, version) for version in offer.needed)))


def _told(models: ModelSet) -> dict[str, dict[str, float]]:
    return {name: offer.versions.serving for name, offer in models.offers.items() if offer.versions}


def _stamp(repository: Path) -> dict[str, tuple[int, int]]:
    """Size and time of every card and versions.json: what differs when one was written, added or removed."""
    stamp = {}
    for file in [*repository.glob("*/card.json"), *repository.glob("*/versions.json")]:
        try:
            facts = file.stat()
        except FileNotFoundError:  # removed since it was listed
            continue
        stamp[str(file)] = (facts.st_mtime_ns, facts.st_size)
    return stamp
