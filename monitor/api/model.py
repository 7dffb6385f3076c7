"""The model behind ``/classify`` and ``/explain``: the classify stage itself, so that both say the same.

It is loaded at the first question, follows promotions as every classifying process does, and looks for the
companies of the watchlist that is stored.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from monitor.domain import Article, ClassifiedArticle
from monitor.metrics import Metrics
from monitor.settings import Settings
from monitor.store import Store, companies, leases
from monitor.store.clock import wall_clock

if TYPE_CHECKING:
    from models.classifier import Classifier
    from models.routing import Router
    from monitor.classify.stage import ClassifyStage
    from monitor.entities.resolver import Resolver


class Model:
    """One for the process; questions are answered one after the other."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._stage: ClassifyStage | None = None
        self._lock = threading.Lock()

    def classify(self, store: Store, articles: Sequence[Article]) -> list[ClassifiedArticle]:
        """Return what the stream would store of these articles."""
        with self._lock:
            stage = self._ready(store)
            stage.router = stage.models()
            return stage.classify(articles)

    def main(self, store: Store) -> Classifier:
        """Return the bundle that is asked for explanations."""
        return self.router(store).main

    def router(self, store: Store) -> Router:
        """Return the bundles in use."""
        with self._lock:
            return self._ready(store).models()

    def _ready(self, store: Store) -> ClassifyStage:
        from monitor.entities.resolver import Resolver
        from monitor.entities.watchlist import load_reference

        with store.read() as connection:
            number = companies.number(connection)
        if self._stage is None or self._stage.watchlist != number:
            with store.read() as connection:
                watched = companies.watched(connection)
            known = watched.companies
            others = load_reference(self.settings.watchlist.reference, known)
            if self._stage is None:
                self._stage = self._load(store, Resolver(known, others), watched.number)
            else:
                self._stage.watch(Resolver(known, others), watched.number)
        return self._stage

    def _load(self, store: Store, resolver: Resolver, number: int) -> ClassifyStage:
        from models.routing import Router
        from monitor.classify.serving import ServedModel
        from monitor.classify.stage import ClassifyStage
        from monitor.stories.risk import RiskPack

        model, wall, metrics = self.settings.model, wall_clock(store), Metrics()
        router = Router.load(model.folders, model.engine, model.threads, model.cache)
        served = ServedModel(model, router, store, leases.this_process(), wall, metrics)
        pack = RiskPack.load(self.settings.story.pack)
        return ClassifyStage(served.refresh, resolver, number, pack, wall, metrics)
