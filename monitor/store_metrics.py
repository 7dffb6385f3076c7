"""Gauges of what the store holds, asked of it when ``/metrics`` is.

The stages count what they do (`monitor.metrics`). How things stand (what is open, waiting, silent, behind)
is the store's to say, whichever processes run and since when; every web process of a service says the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from monitor.domain import OPEN_STATES
from monitor.errors import ForeshockError
from monitor.pipeline import STAGES
from monitor.settings import SourceSettings
from monitor.source_state import SourceState, state_of
from monitor.store import Connection, Store, counts, drifts, listing, outbox, progress, visits
from monitor.store.clock import time_of

SEVERITIES = range(1, 6)


class StoreCollector(Collector):
    """Asks a store at every scrape; one that cannot be read gives `foreshock_store_up` 0 and nothing else.

    Parameters
    ----------
    opened
        Lends the store; raises a `ForeshockError` where there is none.
    sources
        Those of the settings.
    """

    def __init__(
        self,
        opened: Callable[[], AbstractContextManager[Store]],
        sources: Sequence[SourceSettings] = (),
    ) -> None:
        self.opened = opened
        self.sources = sources

    def describe(self) -> Iterator[GaugeMetricFamily]:
        yield from families()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        gauges = _Families()
        try:
            with self.opened() as store:
                now = time_of(store)
                with store.read() as connection:
                    self._ask(gauges, connection, now)
        except ForeshockError:
            gauges = _Families()
            gauges.up.add_metric([], 0)
            yield gauges.up
            return
        gauges.up.add_metric([], 1)
        yield from gauges.all

    def _ask(self, gauges: _Families, connection: Connection, now: datetime) -> None:
        gauges.size.add_metric([], counts.size_bytes(connection))
        decided = [state.through_at for state in progress.load(connection, "alert").values()]
        if decided:
            gauges.decided.add_metric([], max(0.0, (now - max(decided)).total_seconds()))
        held = counts.open_alerts(connection)
        for state in OPEN_STATES:
            for severity in SEVERITIES:
                labels = [state.value, str(severity)]
                gauges.alerts.add_metric(labels, held.get((state.value, severity), 0))
        since = outbox.waits_since(connection)
        overdue_s = 0.0 if since is None else max(0.0, (now - since).total_seconds())
        gauges.overdue.add_metric([], overdue_s)
        letters = counts.waiting_letters(connection)
        for stage in STAGES:
            gauges.letters.add_metric([stage], letters.get(stage, 0))
        for source_state, number in self._states(connection, now).items():
            gauges.sources.add_metric([source_state.value], number)
        looked = drifts.last(connection)
        for monitor in () if looked is None else looked.monitors:
            if monitor["value"] is not None:
                gauges.drift.add_metric([monitor["name"]], monitor["value"] / monitor["bound"])

    def _states(self, connection: Connection, now: datetime) -> dict[SourceState, int]:
        """Return how many configured sources are in each state."""
        known = visits.load(connection)
        silent = counts.silent_keys(connection)
        new_at = {name: visited.new_at for name, visited in known.items()}
        if any(source.name not in known for source in self.sources):  # a stream, or never visited
            heard = listing.heard_since(connection, now - timedelta(days=1))
            new_at = {**{each.source: each.last_at for each in heard}, **new_at}
        found = Counter(
            state_of(
                known.get(source.name),
                new_at.get(source.name),
                timedelta(seconds=source.interval_s),
                now,
                silent=source.name in silent,
            )[0]
            for source in self.sources
        )
        return {state: found[state] for state in SourceState}


def families() -> Sequence[GaugeMetricFamily]:
    """Return the gauges without figures: their names, labels and what they say."""
    return _Families().all


class _Families:
    """The gauges, empty."""

    def __init__(self) -> None:
        self.up = _gauge("store_up", "Whether the database can be read.")
        self.size = _gauge("store_bytes", "Size of the database on its disk.")
        self.decided = _gauge(
            "alert_decided_behind_seconds", "How far the decisions on alerts are behind the clock."
        )
        self.alerts = _gauge(
            "alert_open_alerts", "Alerts that are open, by state and severity.", "state", "severity"
        )
        self.overdue = _gauge(
            "notify_overdue_seconds",
            "For how long the message has been due that waits longest; 0: none waits.",
        )
        self.letters = _gauge(
            "dead_waiting_letters", "Dead letters that nobody has dealt with.", "stage"
        )
        self.sources = _gauge("collect_sources", "Configured sources, by how they are.", "state")
        self.drift = _gauge(
            "model_drift_ratio",
            "What a drift monitor measured last, by its bound: above 1 it speaks.",
            "monitor",
        )

    @property
    def all(self) -> list[GaugeMetricFamily]:
        return list(vars(self).values())


def _gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"foreshock_{name}", text, labels=labels)
