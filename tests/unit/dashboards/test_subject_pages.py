"""What the pages of a company, a topic, a story, feeds, backtests and a person's own list read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from dashboards import (
    backtest_charts,
    backtests,
    charts,
    data,
    desk,
    feeds,
    finding,
    stories,
    story_charts,
    subjects,
)
from dashboards.desk import Desk
from monitor.access import visitor as visitors
from monitor.backtest import RESULT
from monitor.backtest.stored import load, runs
from monitor.domain import Dimension
from monitor.errors import ConfigError
from monitor.settings import load_settings
from monitor.source_state import state_of
from monitor.store import Store, acts, alerts, articles
from monitor.store.interests import Kind
from monitor.store.visits import Visited
from tests.browser import seed

BANK, QUIET, CHIP = "castlereach-bancorp", "sundvale-telecom", "noxarel-semiconductor"
COMPANY, TOPIC = Dimension.COMPANY, Dimension.TOPIC
MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A seeded store, with sources, relations and a backtest around it; its model cannot be loaded."""
    folder = tmp_path_factory.mktemp("subjects")
    store = Store(f"sqlite:///{folder / 'foreshock.db'}")
    story = sorted([*seed.pieces(scale=0.3), *seed.hostile("http://x.example")], key=lambda p: p.at)
    seed.fill(store, folder, story)
    settings = load_settings(
        seed.surroundings(store, folder, "http://x.example"),
        {"model": {"bundle": folder / "no-bundle"}},
    )
    before = desk._desk
    desk.furnish(Desk(str(store.url), login=False, analyst="ann", settings=settings))
    yield store
    desk._desk = before
    store.close()


def test_standing_agrees_with_the_board(store: Store) -> None:
    url = str(store.url)
    row = data.watch(url).set_index("key").loc[BANK]
    how = subjects.standing(url, COMPANY, BANK)
    assert (how.items, how.negative) == (row["items"], row["negative"])
    assert how.z == pytest.approx(row["z"]) and how.usual_items == pytest.approx(row["usual"])
    assert how.index is not None and how.low is not None and how.index < how.low
    assert how.publishers > 1 and how.week >= how.items


def test_no_data_is_not_neutral(store: Store) -> None:
    url = str(store.url)
    how = subjects.standing(url, COMPANY, QUIET)
    assert (how.index, how.items, how.unread) == (None, 0, 0)
    sure, said = subjects.coverage(url, QUIET)
    assert not sure and "No stored item names this company" in said
    sure, said = subjects.coverage(url, BANK)
    assert sure and "The model read all of them" in said
    _, said = subjects.coverage(url, CHIP)
    unread = subjects.standing(url, COMPANY, CHIP).unread
    assert unread == 3 and f"did not read {unread}" in said


def test_parts_are_the_two_sides_of_the_same_buckets(store: Store) -> None:
    url = str(store.url)
    of_bank = subjects.parts(url, COMPANY, BANK, 168).set_index("name")
    of_topic = subjects.parts(url, TOPIC, "Financials", 168).set_index("key")
    assert of_bank["items"].to_dict()["Financials"] == of_topic["items"].to_dict()[BANK] == 27
    assert of_topic.loc[BANK, "name"] == "Castlereach Bancorp"
    assert of_bank["items"].is_monotonic_decreasing
    assert subjects.parts(url, COMPANY, QUIET, 168).empty
    assert subjects.parts(url, TOPIC, "nothing", 168).empty
    drawn = charts.parts_chart(of_bank.reset_index(), "dark").to_dict()
    assert drawn["layer"][0]["mark"]["type"] == "bar"


def test_related_companies_say_how(store: Store) -> None:
    rows = subjects.related(str(store.url), BANK).set_index("key")
    assert rows["relation"].to_dict() == {
        "velundra-motors": "borrower",
        CHIP: "supplier",
        "pellworth-group": "peer, same sector",
    }
    assert rows.loc["velundra-motors", "alerts"] == 1
    back = subjects.related(str(store.url), "velundra-motors").set_index("key")
    assert back["relation"].to_dict() == {BANK: "lender"}
    assert subjects.related(str(store.url), QUIET).empty


def test_items_of_a_company_have_the_score_towards_it(store: Store) -> None:
    rows = subjects.items(str(store.url), company_id=BANK, topic=None, limit=9)
    assert len(rows) == 9 and {"towards", "towards_score"} <= set(rows)
    topic = subjects.items(str(store.url), company_id=None, topic="Financials", limit=9)
    assert set(topic["topic"]) == {"Financials"}
    assert len(subjects.topic_alerts(str(store.url), "Financials")) == 3


def test_stories_of_a_company_hold_their_alerts(store: Store) -> None:
    url = str(store.url)
    told = stories.of_company(url, BANK, 168)
    told_of_run = [each for each in told if each.story.event == "bank_run"]
    # By words alone the rumour stands for itself.
    assert [each.story.stage for each in told_of_run] == ["rumour", "confirmed"]
    run = told_of_run[1]
    assert len(run.items) >= 4 and not run.by_meaning
    assert {each.title for each in run.alerts} >= {"Castlereach Bancorp: bank run"}
    assert stories.one(url, run.key) == run
    assert stories.one(url, run.items[-1].article.id) == run
    assert stories.one(url, run.story.id[:10]) is not None
    behind = stories.behind(url, next(a.id for a in run.alerts if a.event == "bank_run"))
    assert {each.story.id for each in behind} == {each.story.id for each in told_of_run}
    assert stories.one(url, "nothing") is None and stories.one(url, "") is None
    assert stories.behind(url, "nothing") == []
    latest = stories.latest(url, 9)
    assert latest[0].story.severity == 5
    rows = stories.frame(told, data.now(url))
    first, last = data.window(url, 168)
    marks = pd.DataFrame(columns=["place", "started_at", "severity", "title"])
    drawn = story_charts.story_chart(rows, marks, first, last, "light").to_dict()
    assert {layer["mark"]["type"] for layer in drawn["layer"]} == {"rule", "text"}


def test_words_find_and_without_a_model_meaning_says_so(store: Store) -> None:
    url = str(store.url)
    found = finding.by_words(url, '"brake fault"')
    assert len(found.rows) == 3 and found.alike == [None] * 3
    assert finding.by_words(url, "半导体").rows["language"].tolist() == ["zh"] * 3
    assert "could not be loaded" in finding.by_meaning(url, "money is gone").trouble
    assert finding.like(url, "nothing") is None


def test_a_person_s_own_list_follows_what_they_follow_and_judged(store: Store) -> None:
    url, ann = str(store.url), visitors.local("ann")
    finding.follow(url, ann, Kind.COMPANY, [BANK, "velundra-motors"])
    finding.follow(url, ann, Kind.TOPIC, ["Macro"])
    followed = finding.followed(url, "ann")
    assert followed == {Kind.COMPANY: [BANK, "velundra-motors"], Kind.TOPIC: ["Macro"]}
    assert finding.followed(url, "bob") == {Kind.COMPANY: [], Kind.TOPIC: []}
    rows, ranked = finding.mine(url, "ann", (BANK, "velundra-motors"), ("Macro",), 80)
    assert list(rows["id"]) == [each.item.article.id for each in ranked]
    assert "bank run (5 of 5)" in ranked[0].why or "emergency liquidity" in ranked[0].why
    assert {BANK, "velundra-motors"} <= {key for ids in rows["companies"] for key in ids}
    assert "Macro" in set(rows["topic"])
    bank = next(each for each in alerts.latest(store) if each.key == BANK)
    with store.write() as connection:
        acts.judge(connection, bank.id, "ann", bank.decided_at + 400 * timedelta(days=1), "false")
    finding.mine.clear()
    _, after = finding.mine(url, "ann", (BANK, "velundra-motors"), ("Macro",), 80)
    before = {each.item.article.id: each.relevance for each in ranked}
    fell = [each for each in after if BANK in each.item.company_ids]
    assert fell and all(each.relevance < before[each.item.article.id] for each in fell)
    assert all("your verdicts −" in each.why for each in fell)


def test_feeds_say_what_is_wrong_with_each(store: Store) -> None:
    found = {each.name: each for each in feeds.sources(str(store.url))}
    assert list(found) == ["broken", "forgotten", "seed"]  # the worst first
    assert found["broken"].state == feeds.BAD and "3 visits failed in a row" in found["broken"].said
    assert found["forgotten"].said == "never visited"
    assert found["seed"].state == feeds.GOOD and found["seed"].items == sum(found["seed"].by_hour)
    assert found["seed"].lag_s == 20.0
    assert len(feeds.dead_letters(str(store.url))) == 1


def test_how_a_source_is_judged() -> None:
    now, every = seed.END, 5 * MINUTE
    fine = Visited("a", now - MINUTE, now - MINUTE, now - MINUTE, 0, "")
    late = Visited("a", now - 60 * MINUTE, now - 60 * MINUTE, None, 0, "")
    cases = {
        "answers": state_of(fine, now, every, now, True, False),
        "not visited": state_of(late, now, every, now, True, False),
        "never visited": state_of(None, None, every, now, True, False),
        "silent": state_of(fine, now, every, now, True, True),
        "nothing new": state_of(fine, now - timedelta(hours=30), every, now, True, False),
        "never brought": state_of(fine, None, every, now, True, False),
        "not recorded": state_of(None, now, None, now, False, False),
    }
    for words, (_, said) in cases.items():
        assert words in said, (words, said)
    states = [feeds.TONES[state] for state, _ in cases.values()]
    assert states == [
        *(feeds.GOOD, feeds.BAD, feeds.BAD, feeds.MIND, feeds.MIND, feeds.MIND, feeds.GOOD),
    ]
    # In a replay nobody visits: an hour without is no trouble.
    assert feeds.TONES[state_of(late, now, None, now)[0]] == feeds.GOOD


def test_a_backtest_is_read_and_a_broken_one_named(store: Store, tmp_path: Path) -> None:
    (folder,) = backtests.found()
    stored = backtests.run(folder)
    rows = backtests.events(stored)
    assert not rows["detected"].iloc[0] and rows["detected"].sum() == 4
    assert stored.precision.judged == len(backtests.alerts(stored)) > 3
    assert backtests.windows(stored)["window"].tolist() == ["march"]
    backtest_charts.delay_chart(rows, "light").to_dict()
    backtest_charts.day_chart(backtests.alerts(stored), "dark").to_dict()
    assert runs(tmp_path / "none") == []
    for text in ("{", "[]", '{"total": {}}'):
        (tmp_path / RESULT).write_text(text)
        with pytest.raises(ConfigError, match="foreshock backtest"):
            load(tmp_path)
    assert runs(tmp_path) == [tmp_path]


def test_a_key_is_read_by_its_index_alone(store: Store) -> None:
    with store.read() as connection:
        some = articles.newest_read(connection, 5)
        keys = [(each.article.id, each.article.revision) for each in some]
        wrong = [(keys[0][0], "0" * 16)]
        assert [each.article.id for each in articles.get(connection, [*keys, *wrong])] == [
            id_ for id_, _ in keys
        ]
