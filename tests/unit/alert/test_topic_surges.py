"""A calm month of 20 topics: a surge of bad news in any of them is one alert; of other news, none.

The stream is made up, and as uneven as news is: topics of 3 to 400 items a day, each with hours of its own,
clumps within an hour, busy and slow days, and days on which most of a topic's news is bad.

A surge is *sized to its baseline* when it is the least number of items within two hours that puts the
topic's three-hour window `SIZE` standard deviations above what is usual there, if all other news is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from models.labels import TOPICS
from monitor.aggregate.baselines import Baselines, compute
from monitor.aggregate.deviations import surprise
from monitor.aggregate.swings import HOUR_US
from monitor.alert.reports import Reports
from monitor.alert.states import Finding, advance
from monitor.alert.surge import MINUTE_US, Surge, SurgeRule, surges
from monitor.domain import Alert, AlertKind, Dimension, from_micros, to_micros
from tests.support.make import T0

RULE = SurgeRule()
FIRST = T0.replace(hour=0)  # a Monday
WARM, CALM = 8, 30  # days before the month, and of it
DAY_US = 24 * HOUR_US
SIZE = 6.0
PER_DAY = np.geomspace(3, 400, len(TOPICS))


def stream(seed: int) -> pd.DataFrame:
    """Return the items of all topics: columns key, published_us, sentiment, title and id."""
    dice = np.random.default_rng(seed)
    parts = []
    for topic, per_day in zip(dice.permutation(TOPICS), PER_DAY, strict=True):
        hours = np.arange((WARM + CALM) * 24)
        bell = np.exp(-0.5 * ((hours % 24 - dice.uniform(11, 16)) / 4) ** 2) + 0.15
        week = np.where(hours // 24 % 7 >= 5, 0.2, 1.0)
        shape = bell * week / (bell * week).mean()
        busy = dice.gamma(16, 1 / 16, WARM + CALM)[hours // 24]  # days differ by a quarter
        clump = dice.gamma(4, 1 / 4, len(hours))
        count = dice.poisson(per_day / 24 * shape * busy * clump)
        mood = np.log(1 / dice.uniform(0.1, 0.45) - 1)
        bad = 1 / (1 + np.exp(mood - dice.normal(0, 0.45, WARM + CALM)))[hours // 24]
        at = np.repeat(hours, count)
        draw = dice.random(len(at))
        sentiment = np.where(
            draw < bad[at], "negative", np.where(draw > 0.8, "positive", "neutral")
        )
        published_us = at * HOUR_US + dice.integers(0, HOUR_US, len(at)) + to_micros(FIRST)
        parts.append(
            pd.DataFrame({"key": topic, "published_us": published_us, "sentiment": sentiment})
        )
    return named(pd.concat(parts, ignore_index=True), "item")


def named(items: pd.DataFrame, what: str) -> pd.DataFrame:
    names = [f"{what} {at}" for at in range(len(items))]
    return items.assign(id=names, revision="r", title=names, score=0.0)


def counts(items: pd.DataFrame, width_us: int) -> pd.DataFrame:
    """Return buckets of topics: key, start_us and counts."""
    start_us = (items["published_us"] // width_us * width_us).rename("start_us")
    moods = pd.get_dummies(items["sentiment"], dtype=int)
    moods = moods.reindex(columns=["negative", "neutral", "positive"], fill_value=0)
    frame = moods.groupby([items["key"], start_us]).sum().reset_index()
    items_read = frame["negative"] + frame["neutral"] + frame["positive"]
    return frame.assign(items=items_read, score_sum=0)


def hour_buckets(items: pd.DataFrame) -> pd.DataFrame:
    topics = counts(items, HOUR_US).assign(dimension="topic")
    market = topics.groupby("start_us", as_index=False).sum(numeric_only=True)
    return pd.concat([topics, market.assign(dimension="market", key="all")], ignore_index=True)


@dataclass
class Month:
    """What is decided day by day, as the alert stage does it: baselines as of the last midnight."""

    items: pd.DataFrame

    def __post_init__(self) -> None:
        self.items = self.items.sort_values("published_us", ignore_index=True)
        self.hours = hour_buckets(self.items)
        self.minutes = counts(self.items, MINUTE_US).sort_values("start_us", ignore_index=True)

    def known(self, day: int) -> Baselines:
        midnight = FIRST + timedelta(days=day)
        first_us = to_micros(midnight - timedelta(days=RULE.history_days))
        inside = self.hours["start_us"].between(first_us, to_micros(midnight), inclusive="left")
        return compute(self.hours[inside], midnight, RULE.widths_us)

    def reports_of(self, dimension: Dimension, key: str, start_us: int, end_us: int) -> Reports:
        published = self.items["published_us"]
        part = self.items.iloc[slice(*published.searchsorted([start_us, end_us]))]
        return Reports(part[part["key"] == key])

    def surges(self) -> Iterator[Surge]:
        for day in range(WARM, WARM + CALM):
            after_us = to_micros(FIRST + timedelta(days=day))
            starts = self.minutes["start_us"]
            span = starts.searchsorted([after_us - RULE.longest_us, after_us + DAY_US])
            yield from sorted(
                surges(
                    RULE,
                    self.known(day),
                    Dimension.TOPIC,
                    self.minutes.iloc[slice(*span)],
                    after_us,
                    after_us + DAY_US,
                    self.reports_of,
                ),
                key=lambda surge: (surge.end_us, surge.key),
            )

    def alerts(self) -> list[Alert]:
        """Return every alert that fires."""
        newest: dict[str, Alert] = {}
        fired = []
        for surge in self.surges():
            for step in advance(newest.get(surge.key), finding(surge), RULE.life):
                newest[surge.key] = step.alert
                if step.change == "fired":
                    fired.append(step.alert)
        return fired


def finding(surge: Surge) -> Finding:
    at = from_micros(surge.end_us)
    return Finding(
        fingerprint=f"surge|topic|{surge.key}",
        kind=AlertKind.SURGE,
        dimension=Dimension.TOPIC,
        key=surge.key,
        event="negative_surge",
        severity=3,
        title=surge.key,
        at=at,
        decided_at=at,
        fires=True,
        mark="",
        details={},
        evidence=(),
        items=surge.items,
    )


def size(known: Baselines, topic: str, end: datetime) -> int:
    """Return how many items a surge that ends at ``end`` has; see the module's text."""
    width_us = min(RULE.widths_us)
    rate = known.rate(Dimension.TOPIC, topic)
    expected = rate.negative_per_hour * known.weight(np.array([to_micros(end)]), width_us)
    number = RULE.min_negative
    while surprise(expected + number, expected, rate.negative_dispersion(width_us)).item() < SIZE:
        number += 1
    return number


def injected_day(topic: str) -> int:
    """Every topic has a day of its own, a Sunday like a Tuesday."""
    return WARM + 4 + TOPICS.index(topic)


def with_surges(calm: Month, sentiment: str) -> pd.DataFrame:
    """Return the month's items and, on each topic's day from 10:00 to 12:00, a surge in it."""
    parts = []
    for topic in TOPICS:
        day = injected_day(topic)
        begin = FIRST + timedelta(days=day, hours=10)
        number = size(calm.known(day), topic, begin + timedelta(hours=2))
        published_us = to_micros(begin) + np.arange(number) * 2 * HOUR_US // number
        parts.append(
            pd.DataFrame({"key": topic, "published_us": published_us, "sentiment": sentiment})
        )
    return pd.concat([calm.items, named(pd.concat(parts), f"{sentiment} surge")])


@pytest.fixture(scope="module")
def calm() -> Month:
    return Month(stream(1))


def on_their_days(alerts: list[Alert]) -> list[str]:
    """Return the topics whose alert began on the day of their surge, once for each alert."""
    return [
        alert.key for alert in alerts if (alert.started_at - FIRST).days == injected_day(alert.key)
    ]


def test_a_calm_month_is_calm(calm: Month) -> None:
    alerts = calm.alerts()
    assert len(alerts) <= 1
    assert on_their_days(alerts) == []  # so that what follows is of the surges


def test_a_negative_surge_in_any_topic_is_one_alert(calm: Month) -> None:
    alerts = Month(with_surges(calm, "negative")).alerts()
    assert sorted(on_their_days(alerts)) == sorted(TOPICS)
    assert len(alerts) <= len(TOPICS) + 1


@pytest.mark.parametrize("sentiment", ["neutral", "positive"])
def test_as_much_other_news_fires_nothing(calm: Month, sentiment: str) -> None:
    alerts = Month(with_surges(calm, sentiment)).alerts()
    assert on_their_days(alerts) == []
    assert len(alerts) <= 1
