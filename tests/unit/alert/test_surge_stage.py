"""What the alert stage makes of surges: over a real store, from articles to alerts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from monitor.alert.explain import explain
from monitor.alert.ruleset import RuleSet
from monitor.alert.story import Names, StoryRule
from monitor.alert.surge import SurgeRule
from monitor.alert.surging import EVIDENCE_PER_SURGE
from monitor.domain import AlertKind, ClassifiedArticle
from monitor.store import Store
from monitor.stream import LocalStreamSettings, open_broker
from monitor.stream.port import Lag
from tests.support.desk import Desk
from tests.support.make import T0, classified, risk

MIDNIGHT = T0.replace(hour=0)
DAYS = 9
TROUBLE = MIDNIGHT + timedelta(days=DAYS, hours=10)
TOPIC = "Energy | Oil"
PLACES = ("North", "South", "East", "West", "Coast", "Delta", "Ridge", "Basin", "Harbour", "Plain")


@pytest.fixture
def desk(sqlite_store: Store, tmp_path: Path) -> Iterator[Desk]:
    broker = open_broker(LocalStreamSettings(path=tmp_path / "streams.db"))
    broker.create({"news.articles": 1, "news.classified": 1, "alerts": 1})
    rules = RuleSet((StoryRule(),), (SurgeRule(),))
    yield Desk(sqlite_store, broker, rules, Names({"acme": "Acme"}, {}))
    broker.close()


def quiet() -> list[ClassifiedArticle]:
    """Nine days with an item an hour on the topic, one in four of them negative."""
    return [
        classified(
            f"quiet {hour}",
            f"Crude report {hour}",
            published_at=MIDNIGHT + timedelta(hours=hour, minutes=5),
            topic=TOPIC,
            sentiment="negative" if hour % 4 == 0 else "neutral",
            score=-0.4 if hour % 4 == 0 else 0.0,
            companies=(),
        )
        for hour in range(DAYS * 24)
    ]


def burst(
    titles: Sequence[str],
    companies: Sequence[str] = (),
    sentiment: str = "negative",
) -> list[ClassifiedArticle]:
    sign = {"negative": -1.0, "neutral": 0.0, "positive": 1.0}[sentiment]
    return [
        classified(
            f"burst {at}",
            title,
            published_at=TROUBLE + timedelta(minutes=at, seconds=5),
            publisher=f"paper{at % 7}.example",
            topic=TOPIC,
            sentiment=sentiment,
            score=sign * (0.5 + at / 100),
            companies=companies,
        )
        for at, title in enumerate(titles)
    ]


MANY = [
    f"Refinery fire spreads near {place}, {at} plants shut" for place in PLACES for at in (2, 3)
]
END = TROUBLE + timedelta(hours=2)


STORY = classified(
    "story",
    "Acme files for bankruptcy",
    published_at=TROUBLE - timedelta(minutes=1),
    topic="Legal | Regulation",
    score=-0.9,
    risks=[risk()],
)


def test_a_topic_surge_tells_what_was_seen_against_what_is_usual(desk: Desk) -> None:
    found = desk.tell([*quiet(), *burst(MANY), *burst_copies(MANY[-1])], END)
    assert [alert.fingerprint for alert in found] == [f"surge|topic|{TOPIC}"]
    titles = [item.title for item in found[0].evidence]
    # Once more as many were added when it grew graver.
    assert EVIDENCE_PER_SURGE <= len(set(titles)) == len(titles)
    said = " ".join(explain(found[0], TOPIC))
    assert f"negative items on {TOPIC} within 3 h" in said
    assert "Usual at these hours of the week: 0." in said
    assert "of all items on it; usual is 25%" in said
    again = desk.tell([], END + timedelta(hours=1))
    assert [alert.id for alert in again] == [found[0].id]


@pytest.mark.parametrize("sentiment", ["neutral", "positive"])
def test_other_news_is_no_surge(desk: Desk, sentiment: str) -> None:
    assert desk.tell([*quiet(), *burst(MANY, sentiment=sentiment)], END) == []


def test_forty_copies_are_no_surge(desk: Desk) -> None:
    assert desk.tell([*quiet(), *burst_copies("Refinery fire spreads")], END) == []


def test_a_surge_that_a_story_explains_is_no_second_alert(desk: Desk) -> None:
    # Company surges are inhibited where people are told: here it is the topic's that must not be.
    found = desk.tell([*quiet(), STORY, *burst(MANY, companies=("acme",))], END)
    assert AlertKind.STORY in {alert.kind for alert in found}
    assert f"surge|topic|{TOPIC}" not in {alert.fingerprint for alert in found}
    withheld = desk.metrics.withheld.labels("explained")
    assert withheld._value.get() > 0


def test_a_story_of_another_company_explains_nothing(desk: Desk) -> None:
    found = desk.tell([*quiet(), STORY, *burst(MANY)], END)
    assert f"surge|topic|{TOPIC}" in {alert.fingerprint for alert in found}


def test_streams_are_asked_only_when_something_may_be_due(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    lags = desk.alert.broker.lags

    def counted(reads: Mapping[str, str]) -> dict[str, dict[int, Lag]]:
        asked.append(dict(reads))
        return lags(reads)

    monkeypatch.setattr(desk.alert.broker, "lags", counted)

    def asks(items: list[ClassifiedArticle], until: datetime) -> bool:
        """Say whether the streams were asked while collecting went on until a time."""
        asked.clear()
        desk.tell(items, until)
        return bool(asked)

    assert asks([], END)
    assert not asks([], END + timedelta(seconds=20))
    assert asks([STORY], END + timedelta(seconds=30)), "a signal waits"
    assert not asks([], END + timedelta(seconds=40))
    assert asks([], END + timedelta(seconds=60)), "a minute has passed"
    monkeypatch.setattr("monitor.alert.stage.ASKED_EVERY_S", -1.0)
    assert asks([], END + timedelta(seconds=70)), "it was not asked for long"


def burst_copies(title: str) -> list[ClassifiedArticle]:
    """Forty publishers with one text, more negative than anything else."""
    return [
        classified(
            f"copy {at}",
            title if at % 2 else f"UPDATE 1-{title.upper()}",
            published_at=TROUBLE + timedelta(minutes=25 + at),
            publisher=f"copier{at}.example",
            topic=TOPIC,
            score=-0.95,
            companies=(),
        )
        for at in range(40)
    ]
