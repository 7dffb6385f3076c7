"""The alert stage: signals and surges become alerts, and what happens to alerts goes to the `alerts` stream.

What people say of articles it relays in the same way, to the `labels` stream.

One process at a time does this (a lease); another takes over when it dies. A turn relays what earlier turns
wrote; where nothing is left to relay, it looks at the signals and at the minutes that the watermark has
passed, and writes alerts, evidence and events in one transaction. What is looked for is what the rules say
(`monitor.alert.rulebook`); they may change between two turns, and never in a replay.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from monitor.aggregate.watermark import Watermark, watermark
from monitor.alert.again import published_before
from monitor.alert.rulebook import RuleBook
from monitor.alert.ruleset import RuleSet
from monitor.alert.silent import Silent
from monitor.alert.states import ANSWERING, Finding, Step, advance, expired, rules_of
from monitor.alert.story import WITHHELD, Names
from monitor.alert.surge import whole_minute
from monitor.alert.surging import Surging
from monitor.clock import Clock
from monitor.domain import (
    EPOCH,
    OPEN_STATES,
    Alert,
    AlertKind,
    AlertState,
    DateStatus,
    Dimension,
    to_micros,
)
from monitor.metrics import Metrics, from_zero
from monitor.pipeline import ALERTS, LABELS, Effects, Input
from monitor.store import Connection, Store, alerts, articles, buckets, labels, leases, progress
from monitor.store.alerts import AlertEvent
from monitor.store.progress import Progress
from monitor.stream.codec import ALERT, LABEL, AlertChange
from monitor.stream.port import Broker, Message

log = logging.getLogger(__name__)

STAGE = "alert"
COLLECT = "collect"
LEASE_S = 15.0
RENEW = timedelta(seconds=LEASE_S / 5)
SIGNALS_PER_TURN = 500
RELAYED_PER_TURN = 200
SETTLE = timedelta(seconds=3)  # the longest that a signal waits for the watermark in live operation
# The parts of a compound alert are among the alerts updated so long before at most: an item can be believed
# that is published some days before it comes.
PARTS_BEFORE = timedelta(days=8)
GRACE = timedelta(minutes=5)  # what is published so close together may be decided in any order
UNDOING = ("denied", "revoked")
IDLE_S = 0.25
ASKED_EVERY_S = 1.0


class AlertStage:
    """Decides. See the module's text.

    Parameters
    ----------
    republished_after
        An article whose text was published so long before is an old story with a new date.
    """

    def __init__(
        self,
        store: Store,
        broker: Broker,
        book: RuleBook,
        names: Names,
        holder: str,
        clock: Clock,
        wall: Clock,
        metrics: Metrics,
        republished_after: timedelta = timedelta(days=30),
    ) -> None:
        self.store = store
        self.broker = broker
        self.book = book
        self.names = names
        self.holder = holder
        self.clock = clock
        self.wall = wall
        self.metrics = metrics
        from_zero(metrics.alerts, AlertKind, ["fired"])
        from_zero(metrics.withheld, WITHHELD)
        from_zero(metrics.spans, ["decide"])
        self.republished_after = republished_after
        self._surging = Surging(names, metrics)
        self._silent = Silent()
        self._silent_until: datetime | None = None
        self._seen_at: dict[int, datetime] = {}  # when a signal first waited, by seq
        self._held_at = EPOCH  # when the lease was taken or renewed
        self._mark: Watermark | None = (
            None  # what was found last, and how far collecting was before
        )
        self._asked_s = 0.0
        self._collected: Mapping[tuple[str, int], Progress] = {}

    @property
    def rules(self) -> RuleSet:
        return self.book.value

    def watch(self, book: RuleBook, names: Names) -> None:
        """Take the rules and names of another watchlist."""
        self.book, self.names = book, names
        self._surging = Surging(names, self.metrics)

    def close(self) -> None:
        """Let another process decide at once."""
        with self.store.write() as connection:
            leases.release(connection, STAGE, self.holder)

    def process(self, batch: Sequence[Input]) -> Effects:
        if not self._decides():
            return Effects(idle_s=LEASE_S / 3)
        with self.store.read() as connection:
            relay = self._relay(connection)
            collected = progress.load(connection, COLLECT)
            state = progress.load(connection, STAGE).get((ALERTS, 0))
            waits = bool(alerts.waiting_signals(connection, None, 1))
        if relay.after is not None:
            return relay  # people wait for it, and what is to be decided next does not depend on it
        if not waits and self._nothing_can_be_due(collected, state):
            return Effects(idle_s=IDLE_S)
        mark = self._watermark(collected)
        with self.store.read() as connection:
            waiting = alerts.waiting_signals(connection, self._horizon(mark), SIGNALS_PER_TURN)
        if not (mark and mark.replay):
            self.book.refresh()
        ready = self._ready(waiting, mark)
        until = whole_minute(mark.at) if mark else None
        passed = until is not None and (state is None or until > state.through_at)
        silent_until = self._silence_until(mark)
        idle = not ready and not passed and silent_until is None

        def write(connection: Connection) -> None:
            # A process that stood still since may find that another decides by now.
            if not leases.hold(connection, STAGE, self.holder, self.wall.now(), LEASE_S):
                self._held_at = EPOCH
                return
            # Surges wait until no signal is left before the watermark: a story alert explains a surge.
            self._signals(connection, ready, mark)
            if mark and silent_until:
                self._silences(connection, state, mark, silent_until)
            if mark and until and passed and len(waiting) < SIGNALS_PER_TURN:
                self._surges(connection, state, until, mark)
                self._compounds(connection, state, until)
                self._expire(connection, until)
                progress.save(
                    connection,
                    Progress(STAGE, ALERTS, 0, through_at=until, beat_at=self.wall.now()),
                )

        return Effects(write=None if idle else write, idle_s=IDLE_S if idle else 0.0)

    def _decides(self) -> bool:
        """Take the lease, or renew it before it has gone on for long; say whether it is ours."""
        now = self.wall.now()
        if timedelta(0) <= now - self._held_at < RENEW:
            return True
        with self.store.write() as connection:
            held = leases.hold(connection, STAGE, self.holder, now, LEASE_S)
        self._held_at = now if held else EPOCH
        return held

    def _nothing_can_be_due(
        self, collected: Mapping[tuple[str, int], Progress], state: Progress | None
    ) -> bool:
        """Say whether time has made nothing due, wherever the watermark is: it is never ahead of collecting.

        It is asked for every second all the same, for those who watch how far the pipeline is.
        """
        recently = time.monotonic() - self._asked_s <= ASKED_EVERY_S
        if not (recently and collected and self._mark and state):
            return False
        ahead = replace(self._mark, at=min(each.through_at for each in collected.values()))
        return whole_minute(ahead.at) <= state.through_at and self._silence_until(ahead) is None

    def _watermark(self, collected: Mapping[tuple[str, int], Progress]) -> Watermark | None:
        """Return how far aggregating is; streams are asked only when something may have moved."""
        still = self._mark is not None and not any(self._mark.lags.values())
        if still and collected == self._collected:
            return self._mark
        self._asked_s = time.monotonic()
        mark = self._mark = watermark(self.store, self.broker, collected)
        self._collected = collected
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

    def _relay(self, connection: Connection) -> Effects:
        events = alerts.unrelayed(connection, RELAYED_PER_TURN)
        messages, told = [], []
        for event in events:
            alert = alerts.get(connection, event.alert_id)
            if alert is not None:
                body = AlertChange(event.seq, event.change, event.at_us, alert)
                messages.append(Message(alert.id, ALERT.encode(body)))
                told.append((event, alert.title))
        said = labels.unrelayed(connection, RELAYED_PER_TURN)
        if not events and not said:
            return Effects()

        def after() -> None:
            with self.store.write() as connection:
                alerts.mark_relayed(connection, [event.seq for event in events])
                labels.mark_relayed(connection, said)
            for event, title in told:
                about = {"trace": event.article_id or event.alert_id, "alert": event.alert_id}
                log.info("alert %s: %s", event.change, title, extra={"stage": STAGE, **about})

        outputs = {ALERTS: messages}
        if said:
            outputs[LABELS] = [Message(each.article_id, LABEL.encode(each)) for each in said]
        causes = {event.alert_id: event.article_id for event in events if event.article_id}
        return Effects(outputs=outputs, causes=causes, after=after)

    # Story alerts ---------------------------------------------------------------------------------

    def _signals(
        self, connection: Connection, waiting: Sequence[alerts.Signal], mark: Watermark | None
    ) -> None:
        items = articles.get(
            connection, [(signal.article_id, signal.revision) for signal in waiting]
        )
        known: dict[str, Alert | None] = {}
        for item in items:
            now = item.article.ingested_at if mark and mark.replay else self.clock.now()
            findings, reason = self.rules.read(item, self.names, now)
            if findings and published_before(connection, item, self.republished_after):
                old = replace(item.article, date_status=DateStatus.STALE)
                findings, reason = self.rules.read(replace(item, article=old), self.names, now)
            if reason is not None:
                self.metrics.withheld.labels(reason).inc()
            for finding in findings:
                self.metrics.spans.labels("decide").observe(
                    max(0.0, (now - item.article.ingested_at).total_seconds())
                )
                alert = self._take_again(connection, finding, known)
                if alert is not None and alert.items == 1 and finding.mark not in ANSWERING:
                    for answer in self._answers(connection, finding, now):
                        self._take_again(connection, answer, known)
        alerts.remove_signals(connection, [signal.seq for signal in waiting])

    def _answers(self, connection: Connection, report: Finding, now: datetime) -> Iterator[Finding]:
        """Yield the denials and withdrawals of the first report of an event that were decided before it.

        By themselves they open nothing, so that they were let go; what is published within minutes of each
        other may come in any order.
        """
        company_id = str(report.details.get("exposed_to", report.key))
        first, last = to_micros(report.at - GRACE), to_micros(report.at + GRACE)
        near = articles.of_key(connection, Dimension.COMPANY, company_id, first, last + 1)
        near = near.sort_values(["published_us", "id"])
        keys = list(zip(near["id"], near["revision"], strict=True))
        for item in articles.get(connection, keys):
            if item.article.ingested_at <= now and item.risks:
                for finding in self.rules.read(item, self.names, now)[0]:
                    if finding.fingerprint == report.fingerprint and finding.mark in UNDOING:
                        yield finding

    # What only time makes due -----------------------------------------------------------------------

    def _surges(
        self, connection: Connection, state: Progress | None, until: datetime, mark: Watermark
    ) -> None:
        span = buckets.span(connection)
        if span is None:
            return
        after = max(state.through_at, span[0]) if state else span[0]
        self._surging.decide(
            connection, self.rules, after, until, self._clock(mark), self._taker(connection)
        )

    def _silence_until(self, mark: Watermark | None) -> datetime | None:
        """Return up to when silences are to be decided, or ``None`` when they were.

        Where nothing is collected the watermark stands still, so that live the clock decides.
        """
        if mark is None:
            return None
        until = whole_minute(mark.at if mark.replay else max(mark.at, self.clock.now()))
        return until if self._silent_until is None or until > self._silent_until else None

    def _silences(
        self, connection: Connection, state: Progress | None, mark: Watermark, until: datetime
    ) -> None:
        self._silent_until = until
        self._silent.decide(
            connection,
            self.rules,
            state.through_at if state else None,
            min(mark.at, until),
            until,
            self._clock(mark),
            self._taker(connection),
            lambda step, at: self._save(connection, [step], at),
        )

    def _compounds(self, connection: Connection, state: Progress | None, until: datetime) -> None:
        after = state.through_at if state else EPOCH
        for rule in self.rules.compound:
            parts = alerts.updated_since(connection, after - rule.within - PARTS_BEFORE)
            decisive = alerts.fired_with(connection, [alert.id for alert in parts])
            for finding in rule.findings(parts, decisive, after, until, self.names.companies):
                self._take(connection, finding)

    def _expire(self, connection: Connection, now: datetime) -> None:
        for alert in alerts.unresolved(connection, [AlertState.PENDING, *OPEN_STATES]):
            step = expired(alert, now, self.rules.life_of(alert))
            if step is not None:
                self._save(connection, [step], step.alert.resolved_at or now)

    # All --------------------------------------------------------------------------------------------

    def _clock(self, mark: Watermark) -> Callable[[datetime], datetime]:
        """In a replay a decision is made at the time that it is about."""
        return (lambda at: at) if mark.replay else (lambda at: self.clock.now())

    def _taker(self, connection: Connection) -> Callable[[Finding, Alert | None], None]:
        def take(finding: Finding, alert: Alert | None) -> None:
            self._take(connection, finding, alert)

        return take

    def _take(
        self, connection: Connection, finding: Finding, alert: Alert | None = None
    ) -> Alert | None:
        """Apply a finding, and return the alert that it opened or changed."""
        if alert is None:
            alert = alerts.by_fingerprint(connection, finding.fingerprint)
        return self._advance(connection, finding, alert)

    def _take_again(
        self, connection: Connection, finding: Finding, known: dict[str, Alert | None]
    ) -> Alert | None:
        """As `_take`, where many findings of one transaction are of few alerts: each is read once.

        What is read is locked until the transaction ends, so that it stays as it is known.
        """
        name = finding.fingerprint
        if name not in known:
            known[name] = alerts.by_fingerprint(connection, name)
        changed = self._advance(connection, finding, known[name])
        known[name] = changed or known[name]
        return changed

    def _advance(
        self, connection: Connection, finding: Finding, alert: Alert | None
    ) -> Alert | None:
        # The alert's own rules say whether it is over, not those that join it now.
        names = finding.rules if alert is None else tuple(rules_of(alert))
        steps = advance(alert, finding, self.rules.life(finding.kind, names))
        self._save(connection, steps, finding.decided_at, finding, alert)
        return steps[-1].alert if steps else None

    def _save(
        self,
        connection: Connection,
        steps: Iterable[Step],
        at: datetime,
        finding: Finding | None = None,
        before: Alert | None = None,
    ) -> None:
        """Write what has changed; ``before`` is the alert as it is stored, with all its evidence."""
        for step in steps:
            same = before is not None and before.id == step.alert.id
            alerts.save(connection, step.alert, before if same else None)
            before = step.alert
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
