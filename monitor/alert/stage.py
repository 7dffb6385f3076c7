"""The alert stage: signals and surges become alerts, and what happens to alerts goes to the `alerts` stream.

One process at a time does this (a lease); another takes over when it dies. Every turn: relay what earlier
turns wrote, then look at the signals and at the minutes that the watermark has passed, and write alerts,
evidence and events in one transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from monitor.aggregate.baselines import Baselines, load_baselines
from monitor.aggregate.watermark import Watermark, watermark
from monitor.alert.reports import Reports, share_naming
from monitor.alert.states import Finding, Life, Step, advance, expired
from monitor.alert.story import Names, StoryRule
from monitor.alert.surge import MINUTE_US, Surge, SurgeRule, surges, whole_minute
from monitor.clock import Clock
from monitor.domain import (
    OPEN_STATES,
    Alert,
    AlertKind,
    AlertState,
    ClassifiedArticle,
    Dimension,
    Evidence,
    Grain,
    from_micros,
    to_micros,
)
from monitor.metrics import Metrics
from monitor.pipeline import ALERTS, Effects, Input
from monitor.store import Connection, Store, alerts, articles, buckets, leases, progress
from monitor.store.alerts import AlertEvent
from monitor.store.progress import Progress
from monitor.stream.codec import ALERT, AlertChange
from monitor.stream.port import Broker, Message

STAGE = "alert"
LEASE_S = 15.0
SIGNALS_PER_TURN = 500
SETTLE = timedelta(seconds=3)  # the longest that a signal waits for the watermark in live operation
EVIDENCE_PER_SURGE = 8
GRAVE_Z = 9.0  # a surge this far out is of severity 4, else of 3
EXPLAINING_SHARE = 0.5  # of a surge's reports that name one company: it is that company's news
IDLE_S = 0.25


class AlertStage:
    """Decides. See the module's text."""

    def __init__(
        self,
        store: Store,
        broker: Broker,
        story: StoryRule,
        surge: SurgeRule,
        names: Names,
        holder: str,
        clock: Clock,
        wall: Clock,
        metrics: Metrics,
    ) -> None:
        self.store = store
        self.broker = broker
        self.story = story
        self.surge = surge
        self.names = names
        self.holder = holder
        self.clock = clock
        self.wall = wall
        self.metrics = metrics
        self._baselines: Baselines | None = None
        self._seen_at: dict[int, datetime] = {}  # when a signal first waited, by seq

    def process(self, batch: Sequence[Input]) -> Effects:
        with self.store.write() as connection:
            if not leases.hold(connection, STAGE, self.holder, self.wall.now(), LEASE_S):
                return Effects(idle_s=LEASE_S / 3)
        relay = self._relay()
        mark = self._watermark()
        with self.store.read() as connection:
            waiting = alerts.waiting_signals(connection, self._horizon(mark), SIGNALS_PER_TURN)
            state = progress.load(connection, STAGE).get((ALERTS, 0))
        ready = self._ready(waiting, mark)
        until = whole_minute(mark.at) if mark else None
        idle = not ready and (until is None or (state is not None and until <= state.through_at))

        def write(connection: Connection) -> None:
            # Surges wait until no signal is left before the watermark: a story alert explains a surge.
            self._signals(connection, ready, mark)
            if mark and until and len(waiting) < SIGNALS_PER_TURN:
                self._surges(connection, state, until, mark)
                self._expire(connection, until)
                progress.save(
                    connection,
                    Progress(STAGE, ALERTS, 0, through_at=until, beat_at=self.wall.now()),
                )

        more = bool(relay.outputs) or len(ready) == SIGNALS_PER_TURN
        return Effects(
            write=None if idle else write,
            outputs=relay.outputs,
            after=relay.after,
            idle_s=0.0 if more or not idle else IDLE_S,
        )

    def _watermark(self) -> Watermark | None:
        mark = watermark(self.store, self.broker)
        if mark is not None:
            for stage, records in mark.lags.items():
                self.metrics.lag.labels(stage).set(records)
            self.metrics.behind.set((mark.collected_at - mark.at).total_seconds())
        return mark

    def _horizon(self, mark: Watermark | None) -> datetime | None:
        """In a replay signals wait for the watermark, so that every run sees them in the same order."""
        if mark is None or not mark.replay:
            return None
        return mark.at

    def _ready(
        self, waiting: Sequence[alerts.Signal], mark: Watermark | None
    ) -> list[alerts.Signal]:
        """Return the signals that may be decided.

        Partitions run side by side, so an echo may get here before its story. A signal waits for the
        watermark, with which everything ingested before it is here too; but not for long, since one stalled
        partition must not hold up the news of the others.
        """
        if mark is None or mark.replay:
            return list(waiting)
        now = self.wall.now()
        self._seen_at = {signal.seq: self._seen_at.get(signal.seq, now) for signal in waiting}
        return [
            signal
            for signal in waiting
            if signal.ingested_at <= mark.at or now - self._seen_at[signal.seq] >= SETTLE
        ]

    def _relay(self) -> Effects:
        with self.store.read() as connection:
            events = alerts.unrelayed(connection, 200)
            messages = []
            for seq, alert_id, change, at_us in events:
                alert = alerts.get(connection, alert_id)
                if alert is not None:
                    body = AlertChange(seq, change, at_us, alert)
                    messages.append(Message(alert_id, ALERT.encode(body)))
        if not events:
            return Effects()

        def after() -> None:
            with self.store.write() as connection:
                alerts.mark_relayed(connection, [event[0] for event in events])

        return Effects(outputs={ALERTS: messages}, after=after)

    # Story alerts ---------------------------------------------------------------------------------

    def _signals(
        self, connection: Connection, waiting: Sequence[alerts.Signal], mark: Watermark | None
    ) -> None:
        items = articles.get(
            connection, [(signal.article_id, signal.revision) for signal in waiting]
        )
        for item in items:
            reason = self.story.withheld(item, self.names)
            if reason is not None:
                self.metrics.withheld.labels(reason).inc()
                continue
            now = item.article.ingested_at if mark and mark.replay else self.clock.now()
            for finding in self.story.findings(item, self.names, now):
                self.metrics.spans.labels("decide").observe(
                    max(0.0, (now - item.article.ingested_at).total_seconds())
                )
                self._take(connection, finding)
        alerts.remove_signals(connection, [signal.seq for signal in waiting])

    # Surge alerts ---------------------------------------------------------------------------------

    def _surges(
        self, connection: Connection, state: Progress | None, until: datetime, mark: Watermark
    ) -> None:
        span = buckets.span(connection)
        if span is None:
            return
        after = max(state.through_at, span[0]) if state else span[0]
        reports_of = partial(self._reports, connection)
        while after < until:
            midnight = after.replace(hour=0, minute=0, second=0, microsecond=0)
            end = min(until, midnight + timedelta(days=1))
            known = self._known(connection, midnight)
            found: list[Surge] = []
            for dimension in self.surge.dimensions:
                minutes = buckets.between(
                    connection,
                    Grain.MINUTE,
                    to_micros(after) - self.surge.longest_us,
                    to_micros(end),
                    [dimension],
                )
                if not minutes.empty:
                    found += surges(
                        self.surge,
                        known,
                        dimension,
                        minutes,
                        to_micros(after),
                        to_micros(end),
                        reports_of,
                    )
            # Companies before topics: a company's alert explains a topic's surge.
            for surge in sorted(found, key=lambda each: (each.end_us, each.dimension, each.key)):
                at = from_micros(surge.end_us)
                self._surge(connection, surge, known, at if mark.replay else self.clock.now())
            after = end

    def _known(self, connection: Connection, midnight: datetime) -> Baselines:
        """Return the baselines as of a midnight: the same for every decision of that day."""
        if self._baselines is None or self._baselines.as_of != midnight:
            self._baselines = load_baselines(
                connection,
                midnight,
                self.surge.history_days,
                self.surge.dimensions,
                self.surge.widths_us,
            )
        return self._baselines

    def _surge(self, connection: Connection, surge: Surge, known: Baselines, now: datetime) -> None:
        at = from_micros(surge.end_us)
        fingerprint = f"surge|{surge.dimension.value}|{surge.key}"
        name = surge.key
        if surge.dimension is Dimension.COMPANY:
            name = self.names.companies.get(surge.key, surge.key)
        open_alert = alerts.by_fingerprint(connection, fingerprint)
        severity = 3 if surge.z < GRAVE_Z else 4
        proof: tuple[Evidence, ...] = ()
        if (
            open_alert is None
            or open_alert.state is AlertState.RESOLVED
            or severity > open_alert.severity
        ):
            items = self._surging(connection, surge)
            if self._explained(connection, surge, items):
                self.metrics.withheld.labels("explained").inc()
                return
            proof = _proof(surge, items[:EVIDENCE_PER_SURGE])
        publishers = buckets.publisher_count(
            connection,
            surge.dimension,
            surge.key,
            surge.start_us,
            surge.end_us,
        )
        finding = Finding(
            fingerprint=fingerprint,
            kind=AlertKind.SURGE,
            dimension=surge.dimension,
            key=surge.key,
            event="negative_surge",
            severity=severity,
            title=f"{name}: negative news far above usual",
            at=at,
            decided_at=now,
            fires=True,
            mark="",
            details={
                "rule": "surge of negative",
                "window_minutes": surge.window_us // MINUTE_US,
                "observed": surge.negative,
                "expected": round(surge.expected, 2),
                "z": round(surge.z, 1),
                "items": surge.items,
                "usual_share": round(surge.usual_share, 2),
                "score": None if surge.score is None else round(surge.score, 3),
                "baseline_days": round(known.days, 1),
            },
            evidence=proof,
            items=surge.items,
            publishers=publishers,
        )
        self._take(connection, finding, open_alert)

    def _reports(
        self, connection: Connection, dimension: Dimension, key: str, start_us: int, end_us: int
    ) -> Reports:
        """Return the reports of a key; a round-up of markets is none of a company that it names."""
        items = articles.of_key(connection, dimension, key, start_us, end_us)
        if dimension is Dimension.COMPANY:
            items = items[~items["title"].map(self.names.ignores).astype(bool)]
        return Reports(items)

    def _surging(self, connection: Connection, surge: Surge) -> list[ClassifiedArticle]:
        """Return the negative reports of a surge without their copies, most negative first."""
        found = self._reports(connection, surge.dimension, surge.key, surge.start_us, surge.end_us)
        return articles.get(connection, found.negative(surge.start_us, surge.end_us))

    def _explained(
        self, connection: Connection, surge: Surge, items: Sequence[ClassifiedArticle]
    ) -> bool:
        """Say whether a topic's surge is one company's news, of which people know already."""
        if surge.dimension is Dimension.COMPANY:
            return False  # people are told of the company's story; `monitor.notify` inhibits this
        most = share_naming([item.company_ids for item in items])
        if most is None or most[1] < EXPLAINING_SHARE:
            return False
        began, ended = from_micros(surge.start_us), from_micros(surge.end_us)
        return any(
            alert.state is not AlertState.PENDING
            and alert.started_at <= ended
            # Whether anybody looked since it went quiet is no matter.
            and (alert.resolved_at or alert.updated_at + self._life(alert.kind).quiet) > began
            for alert in alerts.of_key(connection, most[0])
        )

    # Both -----------------------------------------------------------------------------------------

    def _take(self, connection: Connection, finding: Finding, alert: Alert | None = None) -> None:
        if alert is None:
            alert = alerts.by_fingerprint(connection, finding.fingerprint)
        life = self._life(finding.kind)
        self._save(connection, advance(alert, finding, life), finding.decided_at, finding)

    def _expire(self, connection: Connection, now: datetime) -> None:
        for alert in alerts.unresolved(connection, [AlertState.PENDING, *OPEN_STATES]):
            step = expired(alert, now, self._life(alert.kind))
            if step is not None:
                self._save(connection, [step], step.alert.resolved_at or now)

    def _save(
        self,
        connection: Connection,
        steps: Iterable[Step],
        at: datetime,
        finding: Finding | None = None,
    ) -> None:
        for step in steps:
            alerts.save(connection, step.alert)
            if step.change is None:
                continue
            happened = AlertEvent(at, step.change, "foreshock")
            if step.change == "resolved":
                happened = replace(happened, at=step.alert.resolved_at or at)
            elif finding is not None:
                newest = max(finding.evidence, key=lambda e: e.published_at, default=None)
                article_id = None if newest is None else newest.article_id
                happened = replace(happened, event=finding.event, article_id=article_id)
            alerts.record_event(connection, step.alert.id, happened)
            self.metrics.alerts.labels(step.alert.kind.value, step.change).inc()

    def _life(self, kind: AlertKind) -> Life:
        return self.story.life if kind is AlertKind.STORY else self.surge.life


def _proof(surge: Surge, items: Iterable[ClassifiedArticle]) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(
            article_id=item.article.id,
            revision=item.article.revision,
            published_at=item.article.published_at,
            publisher=item.article.publisher,
            title=item.article.title,
            url=item.article.url,
            quote=item.article.title,
            score=item.towards(surge.key)[1],
            mark="",
        )
        for item in items
    )
