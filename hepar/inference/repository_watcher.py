"""The models of one task that are served now; changes of the model repository are picked up while the service runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hepar.contracts.cards import Ensembles, ModelCard, Task
from hepar.contracts.views import View
from hepar.core.file_stamps import file_stamps
from hepar.inference.model_cards import BrokenCard, agreed_ensemble, read_cards
from hepar.inference.triton import TritonClient
from hepar.inference.version_routing import VersionRouting, read_version_routing

_log = logging.getLogger(__name__)
REFRESH_S = 2.0
_FILES = ("*/card.json", "*/versions.json")


@dataclass(frozen=True)
class ModelSet:
    """The models of one task.

    routings, cards: by model name, sorted.  ensemble: fitted for exactly these models, None where there is none.
    views: of all models and versions.
    """

    routings: Mapping[str, VersionRouting]
    cards: Mapping[str, ModelCard] = field(init=False)
    ensemble: Ensembles | None = field(init=False)
    views: frozenset[View] = field(init=False)

    def __post_init__(self) -> None:
        cards = {name: routing.card for name, routing in self.routings.items()}
        object.__setattr__(self, "cards", cards)
        object.__setattr__(self, "ensemble", agreed_ensemble(cards))
        views = {view for routing in self.routings.values() for view in routing.views}
        object.__setattr__(self, "views", frozenset(views))


class ModelRepositoryWatcher:
    """Reads the cards at start and whenever one changes. `current` is replaced, never modified.

    A new model or version is used as soon as Triton has loaded it, and a removed one no longer. An invalid card leaves
    `current` as it is until the card is valid.
    """

    def __init__(self, triton: TritonClient, repository: Path, task: Task) -> None:
        """Raises BrokenCard. The models found now are used at once: one that is not loaded is reported as missing."""
        self._triton, self._repository = triton, repository
        self._task: Task = task
        self._stamps = file_stamps(repository, _FILES)
        self._not_loaded: set[str] = set()
        self.current = ModelSet(self._read())

    async def run(self) -> None:
        """Runs until it is cancelled."""
        while True:
            await asyncio.sleep(REFRESH_S)
            await self.refresh()

    async def refresh(self) -> None:
        """Applies the changes since the last call."""
        stamps = file_stamps(self._repository, _FILES)
        if stamps == self._stamps and not self._not_loaded:
            return
        try:
            routings = self._read()
        except BrokenCard as error:
            if stamps != self._stamps:
                _log.warning("model cards not applied", extra={"reason": str(error)})
            self._stamps = stamps
            return
        known = self.current.routings
        changed = [name for name, routing in routings.items() if routing != known.get(name)]
        loaded = await asyncio.gather(*(self._loaded(name, routings[name]) for name in changed))
        self._not_loaded = {name for name, is_loaded in zip(changed, loaded, strict=True) if not is_loaded}
        self._stamps = stamps
        # A model that Triton has not loaded keeps its old routing, or none where it is new.
        usable = {name: known.get(name) if name in self._not_loaded else routing for name, routing in routings.items()}
        models = ModelSet({name: routing for name, routing in usable.items() if routing is not None})
        if models != self.current:
            for name in known.keys() | models.routings.keys():
                self._triton.forget(name)
            self.current = models
            _log.info("models changed", extra={"models": sorted(models.cards), "versions": _serving_weights(models)})

    def _read(self) -> dict[str, VersionRouting]:
        """Raises BrokenCard."""
        cards = read_cards(self._repository, self._task)
        return {name: read_version_routing(self._repository / name, card) for name, card in cards.items()}

    async def _loaded(self, name: str, routing: VersionRouting) -> bool:
        return all(await asyncio.gather(*(self._triton.ready(name, version) for version in routing.required_versions)))


def _serving_weights(models: ModelSet) -> dict[str, dict[str, float]]:
    """By model and version."""
    return {name: routing.versions.serving for name, routing in models.routings.items() if routing.versions}
