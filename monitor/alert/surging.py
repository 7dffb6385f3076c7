"""From surges to alerts: several rules' surges of one minute, with their proof, as findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial

import pandas as pd

from monitor.aggregate.baselines import Baselines, load_baselines
from monitor.alert.reports import Reports, share_naming
from monitor.alert.ruleset import RuleSet
from monitor.alert.states import Finding, expired
from monitor.alert.story import Names
from monitor.alert.surge import MINUTE_US, Measure, Surge, SurgeRule, surges
from monitor.domain import (
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
from monitor.store import Connection, alerts, articles, buckets

EVIDENCE_PER_SURGE = 8
GRAVE_Z = 9.0  # a surge this far out is of severity 4, else of 3
EXPLAINING_SHARE = 0.5  # of a surge's reports that name one company: it is that company's news
DAY = timedelta(days=1)

#: What is done with a finding, and the alert of its fingerprint that is known already.
Take = Callable[[Finding, Alert | None], None]


class Surging:
    """Decides minutes by the surge rules. Baselines are as of midnight: one for all decisions of a day."""

    def __init__(self, names: Names, metrics: Metrics) -> None:
        self.names = names
        self.metrics = metrics
        self._as_of: datetime | None = None
        self._of: tuple[SurgeRule, ...] = ()
        self._known: dict[float, Baselines] = {}

    def decide(
        self,
        connection: Connection,
        rules: RuleSet,
        after: datetime,
        until: datetime,
        clock: Callable[[datetime], datetime],
        take: Take,
    ) -> None:
        """Decide the minutes in ``[after, until)``, in order of time.

        Parameters
        ----------
        clock
            Gives the time of a decision from the end of its minute.
        take
            Called with each finding.
        """
        while after < until:
            midnight = after.replace(hour=0, minute=0, second=0, microsecond=0)
            end = min(until, midnight + DAY)
            found: dict[tuple[int, Dimension, str, bool], list[tuple[Surge, SurgeRule]]] = {}
            read: dict[tuple[Dimension, int], pd.DataFrame] = {}
            for rule in rules.surge:
                known = self._baselines(connection, rules.surge, rule, midnight)
                for surge in self._surges(connection, rule, known, after, end, read):
                    volume = surge.measure is Measure.VOLUME
                    place = (surge.end_us, surge.dimension, surge.key, volume)
                    found.setdefault(place, []).append((surge, rule))
            # Companies before topics: a company's alert explains a topic's surge.
            for _, each in sorted(found.items(), key=lambda entry: entry[0]):
                self._surge(connection, rules, each, clock, take)
            after = end

    def _baselines(
        self,
        connection: Connection,
        rules: tuple[SurgeRule, ...],
        rule: SurgeRule,
        midnight: datetime,
    ) -> Baselines:
        """Return the baselines of a rule: one for all rules that look back as far."""
        if self._as_of != midnight or self._of != rules:
            self._as_of, self._of, self._known = midnight, rules, {}
        if rule.history_days not in self._known:
            same = [each for each in rules if each.history_days == rule.history_days]
            self._known[rule.history_days] = load_baselines(
                connection,
                midnight,
                rule.history_days,
                list(dict.fromkeys(dimension for each in same for dimension in each.dimensions)),
                list(dict.fromkeys(width for each in same for width in each.widths_us)),
            )
        return self._known[rule.history_days]

    def _surge(
        self,
        connection: Connection,
        rules: RuleSet,
        found: Sequence[tuple[Surge, SurgeRule]],
        clock: Callable[[datetime], datetime],
        take: Take,
    ) -> None:
        surge, rule = max(found, key=lambda each: each[0].z)
        at = from_micros(surge.end_us)
        open_alert = alerts.by_fingerprint(connection, fingerprint(surge))
        severity = 3 if surge.z < GRAVE_Z else 4
        proof: tuple[Evidence, ...] = ()
        if (
            open_alert is None
            or open_alert.state is AlertState.RESOLVED
            # Whether anybody looked since it went quiet is no matter.
            or expired(open_alert, at, rules.life_of(open_alert)) is not None
            or severity > open_alert.severity
        ):
            items = self._items(connection, surge)
            if self._explained(connection, rules, surge, items, clock(at)):
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
        known = self._known[rule.history_days]
        volume = surge.measure is Measure.VOLUME
        name = surge.key
        if surge.dimension is Dimension.COMPANY:
            name = self.names.companies.get(surge.key, surge.key)
        finding = Finding(
            fingerprint=fingerprint(surge),
            kind=AlertKind.SURGE,
            dimension=surge.dimension,
            key=surge.key,
            event="volume_surge" if volume else "negative_surge",
            severity=severity,
            title=f"{name}: {'news' if volume else 'negative news'} far above usual",
            at=at,
            decided_at=clock(at),
            fires=True,
            mark="",
            details={
                "rule": f"surge of {surge.measure.value}",
                "window_minutes": surge.window_us // MINUTE_US,
                "observed": surge.items if volume else surge.negative,
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
            rules=tuple(dict.fromkeys(each.name for _, each in found)),
        )
        take(finding, open_alert)

    def _surges(
        self,
        connection: Connection,
        rule: SurgeRule,
        known: Baselines,
        after: datetime,
        end: datetime,
        read: dict[tuple[Dimension, int], pd.DataFrame],
    ) -> list[Surge]:
        """Return a rule's surges; ``read`` holds the minutes others have looked at, and takes ours."""
        found: list[Surge] = []
        for dimension in rule.dimensions:
            start_us = to_micros(after) - rule.lookback_us
            if (dimension, start_us) not in read:
                read[dimension, start_us] = buckets.between(
                    connection, Grain.MINUTE, start_us, to_micros(end), [dimension]
                )
            minutes = read[dimension, start_us]
            if not minutes.empty:
                found += surges(
                    rule,
                    known,
                    dimension,
                    minutes,
                    to_micros(after),
                    to_micros(end),
                    partial(self._reports, connection),
                )
        return found

    def _items(self, connection: Connection, surge: Surge) -> list[ClassifiedArticle]:
        """Return the reports of a surge without their copies, most negative first."""
        found = self._reports(connection, surge.dimension, surge.key, surge.start_us, surge.end_us)
        of = found.all if surge.measure is Measure.VOLUME else found.negative
        return articles.get(connection, of(surge.start_us, surge.end_us))

    def _reports(
        self, connection: Connection, dimension: Dimension, key: str, start_us: int, end_us: int
    ) -> Reports:
        """Return the reports of a key; a round-up of markets is none of a company that it names."""
        items = articles.of_key(connection, dimension, key, start_us, end_us)
        if dimension is Dimension.COMPANY:
            items = items[~items["title"].map(self.names.ignores).astype(bool)]
        return Reports(items)

    def _explained(
        self,
        connection: Connection,
        rules: RuleSet,
        surge: Surge,
        items: Sequence[ClassifiedArticle],
        now: datetime,
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
            and alert.decided_at <= now
            # Whether anybody looked since it went quiet is no matter.
            and (alert.resolved_at or alert.updated_at + rules.life_of(alert).quiet) > began
            for alert in alerts.of_key(connection, most[0])
        )


def fingerprint(surge: Surge) -> str:
    """Name the event: that the news turned bad is one, however it was measured; that it is much, another."""
    place = f"surge|{surge.dimension.value}|{surge.key}"
    return f"{place}|volume" if surge.measure is Measure.VOLUME else place


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
