"""The models of one task that are served now. Follows triton_models/ and Triton while the service runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hepar.contracts.cards import Ensembles, ModelCard, Task
from hepar.inference.cards import BrokenCard, agreed_ensemble, read_cards
from hepar.inference.triton import TritonClient
from hepar.inference.versions import NEWEST, Offer, read_offer

_log = logging.getLogger(__name__)
REFRESH_S = 2.0


@dataclass(frozen=True)
class ModelSet:
    """cards: by model name.  offers: their versions.  ensemble: how they decide, where their cards agree on it."""

    cards: Mapping[str, ModelCard]
    offers: Mapping[str, Offer] = field(default_factory=dict)
    ensemble: Ensembles | None = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ensemble", agreed_ensemble(self.cards))

    def offer(self, model: str) -> Offer:
        """Which of its versions answer. Raises KeyError for a model that is not of the set."""
        return self.offers.get(model) or Offer({NEWEST: self.cards[model]})


class FollowedModels:
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
        self.current = ModelSet(*self._read())

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
            cards, offers = self._read()
        except BrokenCard as error:
            if stamp != self._seen:
                _log.warning("model cards not taken up", extra={"reason": str(error)})
            self._seen = stamp
            return
        before = self.current.cards
        ready = await self._triton.ready_models(sorted(cards.keys() - before.keys()))
        self._awaited = {name for name, answers in ready.items() if not answers}
        self._seen = stamp
        after = {name: card for name, card in cards.items() if name not in self._awaited}
        for name in list(after):
            if name in before and not await self._loaded(name, offers[name]):
                self._awaited.add(name)
                after[name], offers[name] = before[name], self.current.offer(name)
        taken = ModelSet(after, {name: offers[name] for name in after})
        if taken != self.current:
            for name in before.keys() | after.keys():
                self._triton.forget(name)
            self.current = taken
            _log.info("models taken up", extra={"models": sorted(after), "versions": _told(taken)})

    def _read(self) -> tuple[dict[str, ModelCard], dict[str, Offer]]:
        """Raises BrokenCard."""
        cards = read_cards(self._repository, self._task)
        return cards, {name: read_offer(self._repository / name, card) for name, card in cards.items()}

    async def _loaded(self, name: str, offer: Offer) -> bool:
        return all([await self._triton.ready_version(name, version) for version in offer.needed])


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
