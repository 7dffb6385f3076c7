"""Nearly the same text under another address is a repeat; an update or another number is none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from monitor.collect.dates import DateRules
from monitor.collect.near import NearRepeats
from monitor.collect.raw import RawItem
from monitor.collect.repeats import Repeats
from monitor.collect.stage import CollectStage
from monitor.domain import Article
from monitor.metrics import Metrics
from monitor.pipeline import ARTICLES
from monitor.store import Store, articles, visits
from monitor.store.visits import Visit
from monitor.stream import LocalStreamSettings, open_broker
from monitor.stream.codec import ARTICLE
from tests.support.make import T0, classified

TEXT = (
    "Acme Corp said on Monday that it will recall every heater that its plant in Ohio made in the spring, "
    "after customers told of burns. The regulator had asked for the step in a letter that became public "
    "last week. Shares of the company fell at the opening and recovered some of the loss by noon. "
    "Analysts expect that the cost will be borne by the insurer, which has not yet answered a request "
    "for comment. Nobody was badly hurt, the company said."
)
FIRST = Article("a", "1", "wire", "p", "https://p/1", "Acme recalls heaters", TEXT, "en", T0, T0)
AGAIN = replace(FIRST, id="b", revision="2", url="https://p/amp/1", lead=f"{TEXT} Read more here.")


def test_under_another_address_it_is_a_repeat_in_one_visit_and_in_the_next() -> None:
    repeats = Repeats()
    assert repeats.fresh([FIRST, AGAIN]) == [FIRST]
    assert repeats.fresh([AGAIN]) == [AGAIN], "nothing is remembered before it is appended"
    repeats.remember([FIRST])
    assert repeats.fresh([AGAIN]) == []


@pytest.mark.parametrize(
    "other",
    [
        replace(FIRST, revision="2", lead=f"{TEXT} Read more here."),  # an update
        replace(AGAIN, title="Beta recalls heaters"),
        replace(AGAIN, title="CORRECTED-Acme recalls heaters"),
        replace(AGAIN, title="UPDATE 1-Acme recalls heaters"),
        replace(AGAIN, lead=f"{TEXT} It is 5,000 heaters."),
        replace(AGAIN, lead=TEXT.replace("Nobody was", "Three were").replace("noon", "evening")),
        replace(AGAIN, published_at=T0 + timedelta(hours=13)),
        replace(AGAIN, lead="Acme recalls heaters, it said."),
    ],
)
def test_what_is_news_is_none(other: Article) -> None:
    repeats = Repeats()
    repeats.remember([FIRST])
    assert repeats.fresh([other]) == [other]


def test_an_item_that_is_known_may_take_title_and_text_of_another() -> None:
    repeats = Repeats()
    repeats.remember([FIRST, replace(AGAIN, revision="0", title="Heaters", lead="Soon more.")])
    assert repeats.fresh([AGAIN]) == [AGAIN]


def test_memory_is_bounded_by_what_a_visit_brings() -> None:
    near = NearRepeats()
    for number in range(3_000):
        near.remember(replace(FIRST, id=str(number), title=f"Acme recalls heater {number}"))
    assert len(near) == 1_000
    near.expect(40)
    assert len(near) == 80
    assert near.repeated(replace(AGAIN, title="Acme recalls heater 2999"))
    assert not near.repeated(replace(AGAIN, title="Acme recalls heater 7"))


class Again:
    """Brings the text again, under another address each."""

    name = "wire"
    interval_s = 300.0
    once = False

    def poll(self, now: datetime) -> Iterator[RawItem]:
        for url, more in (("amp/1", "Read more here."), ("3", "It is 5,000 heaters.")):
            lead = f"{TEXT} {more}"
            yield RawItem("wire", "wire", FIRST.title, lead, f"https://p/{url}", None, now)

    def close(self) -> None:
        pass


def test_after_a_restart_it_is_still_a_repeat(sqlite_store: Store, tmp_path: Path) -> None:
    with sqlite_store.write() as connection:
        articles.add(connection, [replace(classified(), article=FIRST)])
        visits.save(connection, [Visit("wire", T0, 1)])
    broker = open_broker(LocalStreamSettings(path=tmp_path / "streams.db"))
    broker.create({ARTICLES: 1, "news.classified": 1, "news.dead": 1, "alerts": 1})

    class Clock:
        def now(self) -> datetime:
            return T0 + timedelta(hours=1)

    stage = CollectStage(
        [Again()], DateRules(), broker, sqlite_store, Clock(), Clock(), Metrics(), 1_000
    )
    told = [ARTICLE.decode(each.value) for each in stage.process(()).outputs[ARTICLES]]
    assert [each.url for each in told] == ["https://p/3"]
    stage.close()
    broker.close()
