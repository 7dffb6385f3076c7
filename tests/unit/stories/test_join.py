"""Joining reports into stories: what is one event and what is not, whatever order the reports came in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from monitor.alert.about import subjects
from monitor.alert.rulebind import load_rules
from monitor.alert.story import Names
from monitor.cli import app
from monitor.domain import EPOCH, ClassifiedArticle, Company, DateStatus
from monitor.entities import Resolver
from monitor.store import Store, articles, companies
from monitor.stories import RiskPack
from monitor.stories.join import GAP, Story, stories
from monitor.stream import LocalStreamSettings, open_broker
from tests.support.desk import WORLD, Desk
from tests.support.make import T0, classified

PACK = RiskPack.load()
WATCHED = (Company("acme", "Acme"), Company("brown", "Brown Motor"))
RESOLVER = Resolver(WATCHED)


def report(
    minutes: float, publisher: str, title: str, date_status: DateStatus = DateStatus.OK
) -> ClassifiedArticle:
    name, at = f"{minutes}{publisher}{title}", T0 + timedelta(minutes=minutes)
    item = classified(name, title, published_at=at, publisher=publisher, date_status=date_status)
    return replace(item, mentions=RESOLVER.resolve(title), risks=PACK.match(title))


def joined(items: Sequence[ClassifiedArticle]) -> list[Story]:
    about = {
        item.article.id: () if PACK.ignores(item.article.title) else subjects(item)
        for item in items
    }
    return stories(items, about, PACK.episodes)


def sizes(items: Sequence[ClassifiedArticle]) -> list[int]:
    return [len(story.articles) for story in joined(items)]


RECALL = report(0, "wire", "Acme recalls 5,000 cookers after burns")


def test_fifty_copies_are_one_story_of_one_voice() -> None:
    (story,) = joined(
        [
            RECALL,
            *(
                report(n, f"outlet{n}", "Acme Recalls 5,000 Cookers After Burns")
                for n in range(1, 50)
            ),
        ]
    )
    assert (len(story.articles), story.publishers) == (50, ("wire",))
    assert (story.event, story.stage, story.company_ids) == ("recall", "confirmed", ("acme",))
    assert story.first_at == T0 and story.title == RECALL.article.title


@pytest.mark.parametrize(
    ("title", "same"),
    [
        ("UPDATE 1-Acme recalls 5,000 cookers after burns, shares fall", True),
        ("UPDATE 3-Acme cooker recall widens after more burns", True),
        ("Burns prompt Acme to recall its cookers", True),
        ("Acme denies cookers caused burns before recall", True),
        ("Acme recalls 300 lamps for wrong plugs", False),  # another recall
        ("Acme fined $40 mln over cartel", False),
        ("Brown Motor recalls 5,000 cars after fires", False),
        ("European shares fall, Acme recall of cookers after burns weighs", False),  # a round-up
        ("Cooker burns worry buyers", False),  # names nobody
    ],
)
def test_what_belongs_to_a_story(title: str, same: bool) -> None:
    assert (sizes([RECALL, report(90, "daily", title)]) == [2]) is same


def test_a_story_grows_while_reports_follow_each_other() -> None:
    hours = GAP / timedelta(minutes=1)
    titles = ["Acme recalls cookers after burns", "UPDATE 1-Acme recalls cookers after burns"]
    first, second = report(0, "wire", titles[0]), report(hours, "wire", titles[1])
    late = report(2.5 * hours, "wire", "UPDATE 2-Acme recalls cookers after burns")
    assert sizes([first, second, late]) == [2, 1]
    assert sizes([first, late]) == [1, 1]


@pytest.mark.parametrize(
    ("titles", "stage"),
    [
        (["Acme may recall cookers, sources say"], "rumour"),
        (["Acme may recall cookers, sources say", "Acme recalls cookers"], "confirmed"),
        (["Acme recalls cookers", "Acme denies cookers recall"], "denied"),
        (["Acme recalls cookers", "CORRECTED-Acme recalls cookers"], "corrected"),
        (["Acme recalls cookers", "(ADVISORY) Acme recalls cookers story withdrawn"], "withdrawn"),
    ],
)
def test_stages(titles: list[str], stage: str) -> None:
    items = [report(number * 10, "wire", title) for number, title in enumerate(titles)]
    (story,) = joined(items)
    assert story.stage == stage and not story.is_open(T0 + 2 * GAP) and story.is_open(T0 + GAP)


def test_what_has_no_believable_date_is_no_report() -> None:
    assert sizes([report(0, "wire", "Acme recalls cookers", date_status=DateStatus.FUTURE)]) == []


MANY = [
    report(minute, publisher, title)
    for minute, (publisher, title) in enumerate(
        (publisher, title)
        for title in (
            "Acme recalls 5,000 cookers after burns",
            "Burns prompt Acme to recall its cookers",
            "Acme fined $40 mln over cartel",
            "Brown Motor fined over cartel with Acme",
            "Cooker burns worry buyers",
        )
        for publisher in ("wire", "daily", "herald")
    )
]


@given(st.permutations(MANY), st.lists(st.sampled_from(MANY), max_size=4))
def test_neither_order_nor_a_second_delivery_changes_a_story(
    mixed: list[ClassifiedArticle], again: list[ClassifiedArticle]
) -> None:
    # The store keeps each article once.
    stored = list({item.article.id: item for item in [*again, *mixed]}.values())
    assert joined(stored) == joined(MANY)


def test_the_command_lists_and_shows_stories(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'stories.db'}"
    store = Store(url)
    items = [
        RECALL,
        report(5, "daily", "Burns prompt Acme to recall its cookers"),
        report(9, "wire", "Acme opens shop"),
    ]
    with store.write() as connection:
        companies.replace(connection, WATCHED, EPOCH)
        articles.add(connection, items)

    def told(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["stories", "--db", url, *arguments])
        assert result.exit_code == 0, result.exception
        return result.stdout

    listed = told()
    assert "2 reports from 2 independent publishers  [3/5] Acme: recall (confirmed)" in listed
    assert "Acme opens shop" not in listed and "Acme opens shop" in told("--least", "1")
    shown = told("--show", listed[:8])
    assert "daily: Burns prompt Acme to recall its cookers" in shown
    assert '"publishers": [\n   "wire",\n   "daily"' in told("--json", "--company", "Acme")
    assert told("--company", "brown") == "no story of that kind\n"


def test_one_event_in_other_words_is_joined_by_its_meaning(tmp_path: Path) -> None:
    """With the shipped encoder; and the alert of either report leads to the story."""
    items = [
        report(0, "wire", "UK regulator fines Acme over gold price setting"),
        report(40, "daily", "Acme slapped with $44 mln fine over gold price fix"),
        report(50, "post", "Brown Motor opens a plant in Ohio"),
        report(60, "wire", "Acme to buy a chain of bakeries"),
    ]
    assert sizes(items) == [1, 1, 1, 1]
    db = f"sqlite:///{tmp_path / 'stories.db'}"
    store = Store(db)
    broker = open_broker(LocalStreamSettings(path=tmp_path / "streams.db"))
    broker.create({"news.articles": 1, "alerts": 1})
    desk = Desk(store, broker, load_rules(None, WORLD), Names({"acme": "Acme"}, PACK.episodes))
    found = desk.tell(items, items[-1].article.ingested_at)
    (alert,) = (each for each in found if each.evidence[0].article_id == items[0].article.id)
    with store.write() as connection:
        companies.replace(connection, WATCHED, EPOCH)

    def told(*arguments: str) -> list[dict[str, object]]:
        result = CliRunner().invoke(app, ["stories", "--db", db, "--json", *arguments])
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)  # type: ignore[no-any-return]

    (story,) = told()
    assert story["articles"] == [item.article.id for item in items[:2]]
    assert story["alerts"] == [alert.id]
    assert told("--alert", alert.id[:8]) == [story | {"status": "quiet"}]
    assert [len(each["articles"]) for each in told("--words", "--least", "1")] == [1, 1, 1, 1]  # type: ignore[arg-type]
