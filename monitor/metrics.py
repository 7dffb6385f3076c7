"""Every metric, in one place, so that one test can ask whether each is documented.

Labels come from closed sets (stages, reasons, states): never a URL, a ticker or an id. Several processes
share one ``/metrics``: the supervisor names a folder in ``PROMETHEUS_MULTIPROC_DIR`` before it starts them
(see `monitor.supervise`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from itertools import product

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from monitor.reload import ReloadGauges

SPAN_BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
LATENCY_BUCKETS_S = (1, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 14_400, 86_400)


class Metrics:
    """The metrics of one process, on a registry that is handed in.

    Parameters
    ----------
    registry
        Where they are registered; a fresh one for each test.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self.collectors: list[MetricWrapperBase] = []
        self.records = self._counter(
            "foreshock_pipeline_records_total", "Records a stage took from its stream.", ["stage"]
        )
        self.batches = self._histogram(
            "foreshock_pipeline_batch_seconds", "Time a stage needs for one batch.", ["stage"]
        )
        self.retries = self._counter(
            "foreshock_pipeline_retries_total",
            "Batches tried again because a broker or database was away.",
            ["stage"],
        )
        self.dead = self._counter(
            "foreshock_pipeline_dead_total", "Items sent to news.dead.", ["stage", "reason"]
        )
        self.turns = self._gauge(
            "foreshock_pipeline_turn_timestamp_seconds",
            "When a stage last ended a turn, Unix time; it has turns also while it has nothing to do.",
            ["stage"],
        )
        self.lag = self._gauge(
            "foreshock_pipeline_lag_records", "Records a stage has still to read.", ["stage"]
        )
        self.behind = self._gauge(
            "foreshock_pipeline_behind_seconds",
            "Ingest time not yet aggregated, behind the newest item collected.",
            [],
        )
        self.collected = self._counter(
            "foreshock_collect_items_total", "Items collected and appended to news.articles.", []
        )
        self.visits = self._counter(
            "foreshock_collect_visits_total", "Visits to sources, by how they ended.", ["outcome"]
        )
        self.visit_seconds = self._histogram(
            "foreshock_collect_visit_seconds", "How long a visit to a source took.", []
        )
        self.latency = self._histogram(
            "foreshock_collect_latency_seconds",
            "From publication to collection, of new items whose date is believed; what a source holds at its "
            "first visit is not counted.",
            [],
            LATENCY_BUCKETS_S,
        )
        self.predictions = self._counter(
            "foreshock_classify_items_total",
            "Items classified, by what became of them.",
            ["outcome"],
        )
        self.probability = self._counter(
            "foreshock_classify_probability_total",
            "Calibrated probabilities of what the model answered, added up; by "
            "`foreshock_classify_items_total` of `read`: its mean confidence.",
            ["head"],
        )
        self.unsure = self._counter(
            "foreshock_classify_unsure_total",
            "Items that a head of the model is unsure of: below its threshold.",
            ["head"],
        )
        self.inference = self._histogram(
            "foreshock_classify_inference_seconds", "Time of one call of the model.", []
        )
        self.swaps = self._counter(
            "foreshock_model_swaps_total",
            "Promoted bundles, by what became of them: `serving`, or why the champion goes on.",
            ["outcome"],
        )
        self.model = self._gauge(
            "foreshock_model_info",
            "1 for the main bundle that classifies now, 0 for those that did before.",
            ["version"],
        )
        self.promotion = self._gauge(
            "foreshock_model_promotion",
            "Number of the promotion whose bundle classifies; 0 for the bundle of the settings, and where a "
            "promotion was refused.",
            [],
        )
        self.trials = self._counter(
            "foreshock_model_trial_items_total",
            "Items that a candidate on trial read beside the champion: `alike`, `differs`; `given up` counts "
            "trials that ended by themselves.",
            ["trial", "outcome"],
        )
        self.stored = self._counter(
            "foreshock_aggregate_items_total", "Items stored, by what they were.", ["outcome"]
        )
        self.alerts = self._counter(
            "foreshock_alert_changes_total", "What happened to alerts.", ["kind", "change"]
        )
        self.withheld = self._counter(
            "foreshock_alert_withheld_total",
            "Items that looked like an alert and were not.",
            ["reason"],
        )
        self.rules = self._reloads("foreshock_alert_rules", "the alert rules")
        self.spans = self._histogram(
            "foreshock_alert_span_seconds",
            "Time to alert by span: collect (published to ingested), classify (appended to classified), "
            "decide (ingested to alert, in the pipeline's time), notify (written to sent).",
            ["span"],
            SPAN_BUCKETS_S,
        )
        self.watchlist = self._reloads("foreshock_watchlist", "the watchlist")
        self.watchlist_number = self._gauge(
            "foreshock_watchlist_number",
            "Number of the watchlist in use; a change counts it up.",
            [],
        )
        self.routes = self._reloads("foreshock_notify_routes", "the routes of notifications")
        self.held = self._counter(
            "foreshock_notify_held_total",
            "Messages that waited or were not sent, by the stage that said so.",
            ["stage"],
        )
        self.heartbeats = self._counter(
            "foreshock_notify_heartbeats_total",
            "Heartbeats to the outside: heard, unheard, or withheld as something stands still.",
            ["outcome"],
        )
        self.channel_up = self._gauge(
            "foreshock_notify_channel_up", "Whether a channel took its last message.", ["channel"]
        )
        self.notifications = self._counter(
            "foreshock_notify_notifications_total", "Notifications, by how they ended.", ["outcome"]
        )
        self.jobs = self._counter(
            "foreshock_schedule_runs_total", "Runs of housekeeping jobs.", ["job", "outcome"]
        )

    def _counter(self, name: str, text: str, labels: Sequence[str]) -> Counter:
        made = Counter(name, text, labels, registry=self.registry)
        self.collectors.append(made)
        return made

    def _gauge(self, name: str, text: str, labels: Sequence[str]) -> Gauge:
        made = Gauge(name, text, labels, registry=self.registry, multiprocess_mode="mostrecent")
        self.collectors.append(made)
        return made

    def _reloads(self, name: str, what: str) -> ReloadGauges:
        return ReloadGauges(
            self._gauge(f"{name}_hash", f"Hash of {what} in use.", []),
            self._gauge(
                f"{name}_last_reload_ok",
                f"Whether {what} could be read when they last changed.",
                [],
            ),
            self._gauge(
                f"{name}_last_reload_ok_timestamp_seconds",
                f"When {what} in use were read, Unix time.",
                [],
            ),
        )

    def _histogram(
        self, name: str, text: str, labels: Sequence[str], buckets: Sequence[float] | None = None
    ) -> Histogram:
        buckets = buckets or Histogram.DEFAULT_BUCKETS
        made = Histogram(name, text, labels, registry=self.registry, buckets=buckets)
        self.collectors.append(made)
        return made


def from_zero(metric: Counter | Histogram, *sets: Iterable[str]) -> None:
    """Show a metric with every combination of some labels before anything has happened.

    A counter that appears with its first event has no rate before it: an alert on the first dead letter of a
    stage would miss it.
    """
    for labels in product(*sets):
        metric.labels(*labels)


def exposition(registry: CollectorRegistry, *others: Collector) -> bytes:
    """Return the text format of this process's metrics, or of all processes that share the folder.

    Parameters
    ----------
    others
        Asked as well.
    """
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    told = generate_latest(registry)
    for other in others:
        alone = CollectorRegistry()
        alone.register(other)
        told += generate_latest(alone)
    return told
