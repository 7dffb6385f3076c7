"""The aggregate and the alert stage over one store, without a broker between them, at the end of a replay."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from monitor.aggregate.stage import AggregateStage
from monitor.alert.rulebind import World
from monitor.alert.rulebook import rule_book
from monitor.alert.ruleset import RuleSet
from monitor.alert.stage import AlertStage
from monitor.alert.story import Names, StoryRule, may_concern
from monitor.alert.surge import SurgeRule
from monitor.clock import ReplayClock
from monitor.domain import Alert, ClassifiedArticle, Company
from monitor.entities.relations import Relation, RelationKind, Relations
from monitor.metrics import Metrics
from monitor.pipeline import Effects, Input
from monitor.store import Store, alerts, progress
from monitor.store.progress import Progress
from monitor.stream.codec import Classified, Origin
from monitor.stream.port import Broker, Record

#: A small watchlist, and what rules may speak of.
WORLD = World(
    companies=(
        Company("acme", "Acme Corp", ("Acme",), sector="Retail", groups=("core", "loans")),
        Company("zenith", "Zenith", country="DE", groups=("loans",)),
        Company("orbit", "Orbit", country="US", sector="Retail"),
    ),
    families={"bankruptcy": "insolvency", "default": "insolvency", "recall": "product"},
    story=StoryRule(),
    surge=SurgeRule(),
    relations=Relations(
        (
            Relation("acme", RelationKind.SUPPLIER, "zenith"),
            Relation("acme", RelationKind.LENDER, "orbit"),
        )
    ),
)


class Desk:
    """See the module's text."""

    def __init__(self, store: Store, broker: Broker, rules: RuleSet, names: Names) -> None:
        self.store = store
        self.clock = clock = ReplayClock(None)
        metrics = Metrics()
        self.aggregate = AggregateStage(may_concern, clock.now, metrics)
        book = rule_book(lambda: rules, None, clock, metrics)
        self.alert = AlertStage(store, broker, book, names, "test", clock, clock, metrics)
        self.metrics = metrics

    def tell(
        self, items: Sequence[ClassifiedArticle], until: datetime, replay: bool = True
    ) -> list[Alert]:
        """Take these items, look at everything before ``until``, and return all alerts.

        Without ``replay`` it is live operation, at the time of ``clock``.
        """
        batch = [
            Input(
                Classified(item, Origin(0, at)),
                Record("news.classified", 0, at, item.article.id, b"", 0),
            )
            for at, item in enumerate(items)
        ]
        self._write(self.aggregate.process(batch))
        with self.store.write() as connection:
            progress.save(
                connection,
                Progress(
                    "collect", "news.articles", 0, through_at=until, replay=replay, beat_at=until
                ),
            )
        for _ in range(20):
            effects = self.alert.process(())
            if effects.write is None and not effects.outputs:
                break
            self._write(effects)
        return alerts.latest(self.store)

    def _write(self, effects: Effects) -> None:
        if effects.write is not None:
            with self.store.write() as connection:
                effects.write(connection)
        if effects.after is not None:
            effects.after()
