"""The Models page, as Streamlit runs it: what it shows, and that only an admin changes what classifies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboards import bundles, desk
from dashboards.desk import Desk
from models.bundle import load_bundle
from models.refit.write import head_weights, write_refit
from monitor.access import visitor
from monitor.access.roles import SCOPES, Role
from monitor.access.visitor import Visitor
from monitor.store import Store, articles, audit, comparisons, promotions, retrains
from monitor.store.comparisons import Comparison, Reading
from monitor.store.people import Person
from monitor.store.retrains import State, Trial
from tests.support.make import T0, classified

NOW = datetime.now(UTC)
HOSTILE = "![](https://trap.example/x.png) <script>fetch('https://trap.example')</script>"


def compared(on: str, value: str = "") -> dict[str, Any]:
    names = ("champion", "candidate", "difference", "low", "high", "p_better", "p_worse")
    numbers = dict.fromkeys(names, 0.5)
    return {
        "head": "sentiment",
        "on": on,
        "value": value,
        "rows": 40,
        "gained": 3,
        "lost": 1,
    } | numbers


def report(passed: bool) -> dict[str, Any]:
    return {
        "passed": passed,
        "reasons": [] if passed else ["sentiment: loses 3.00 points on the frozen set"],
        "sets": [compared("frozen"), compared("recent")],
        "slices": [compared("source", HOSTILE)],
        "bias": [],
        "champion": load_bundle().hash,
        "candidate": "c" * 64,
        "frozen_hash": "f" * 64,
    }


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{tmp_path / 'store.db'}")
    champion = load_bundle()
    folder = tmp_path / "candidate"
    head = head_weights(champion, "sentiment")
    made = write_refit(
        champion,
        folder,
        {"sentiment": replace(head, bias=head.bias + 0.01)},
        version="4+1",
        training={},
        data=(),
        card=f"# card of {HOSTILE}",
    )
    rows = {"sentiment": {"new": 240, "old": 500, "people": 2}}
    items = [classified("a", HOSTILE, published_at=T0), classified("b", published_at=T0)]
    with store.write() as connection:
        articles.add(connection, items)
        for passed in (False, True):
            number = retrains.begin(
                connection, "ann", "by command", "here:1", (champion.hash, "foreshock-en 4"), 7, NOW
            )
            retrains.candidate(connection, number, str(folder), made.hash, "foreshock-en 4+1", rows)
            said = "passed" if passed else "sentiment: loses 3.00 points on the frozen set"
            retrains.gated(connection, number, "ann", NOW, passed, report(passed), said)
        retrains.put_on_trial(connection, 2, Trial.SHADOW, 0.05, "ann", NOW)
        one, other = Reading("Macro", "neutral", 0.0, ()), Reading("Macro", "negative", -0.5, ())
        found = [
            Comparison(2, item.article.id, item.article.revision, False, one, said, NOW)
            for item, said in zip(items, (other, one), strict=True)
        ]
        comparisons.add(connection, found)
    desk.furnish(Desk(store_url=str(store.url), login=False))
    bundles.standing.clear()
    yield store
    store.close()


def admin(name: str = "root") -> Visitor:
    return Visitor(Person(name, Role.ADMIN), frozenset(SCOPES), "test", "")


def drawn() -> AppTest:
    def script() -> None:
        from dashboards.pages import models

        models.page()

    page = AppTest.from_function(script, default_timeout=30).run()
    assert not page.exception, page.exception
    return page


def texts(page: AppTest) -> str:
    return "\n".join(each.value for each in page.text)


def test_it_shows_champion_gate_and_differences_and_a_viewer_changes_nothing(store: Store) -> None:
    page = drawn()
    said = texts(page)
    assert load_bundle().model_version in said
    assert "may take the place of foreshock-en 4" in said
    assert "Learnt sentiment: 240 labels of 2 people beside 500 old texts" in said
    assert "2 items read by both, 1 differently (50.0%); its answer counted on 0" in said
    assert not [each for each in page.button if str(each.key).startswith("models-")]
    # What feeds and settings named is in tables and text only.
    assert all("trap.example" not in each.value for each in page.markdown)
    examples = page.dataframe[-1].value
    assert list(examples["title"]) == [HOSTILE]
    page.selectbox(key="models-chosen").select(1).run()
    assert "may not:" in texts(page)
    assert "· sentiment: loses 3.00 points on the frozen set" in texts(page)


def test_an_admin_promotes_tries_and_rolls_back(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visitor, "local", admin)
    page = drawn()
    assert {each.key for each in page.button} == {
        *("models-promote", "models-canary", "models-end-the-trial"),
    }
    page.button(key="models-canary").click().run()
    with store.read() as connection:
        assert retrains.get(connection, 2).trial is Trial.CANARY
    page.button(key="models-promote").click().run()
    with store.read() as connection:
        (chosen,) = promotions.latest(connection)
        assert retrains.get(connection, 2).trial is Trial.ENDED
    assert (chosen.who, chosen.model_version) == ("analyst", "foreshock-en 4+1")
    page.button(key="models-roll-back").click().run()
    with store.read() as connection:
        assert promotions.latest(connection)[0].hash == load_bundle().hash
    acts = [each.entry.act for each in audit.newest(store, 4)]
    assert acts == ["rolled back", "trial", "promoted", "trial"]


def test_what_the_gate_refused_or_another_champion_met_is_not_promoted(store: Store) -> None:
    url = str(store.url)
    assert "the gate did not let it pass" in bundles.promote(url, admin(), 1)
    assert "there is none" in bundles.promote(url, admin(), 9)
    assert "try a shadow" in bundles.try_out(url, admin(), 1, Trial.CANARY)
    analyst = Visitor(Person("ann", Role.ANALYST), frozenset(SCOPES), "test", "")
    assert "takes admin" in bundles.promote(url, analyst, 2)
    assert "takes admin" in bundles.roll_back(url, analyst)
    assert "takes admin" in bundles.try_out(url, analyst, 2, Trial.SHADOW)
    assert bundles.promote(url, admin(), 2) == ""
    # It was compared with the champion before itself.
    assert "ask again with `foreshock retrain gate 2`" in bundles.promote(url, admin(), 2)
    with store.read() as connection:
        assert retrains.get(connection, 1).state is State.REFUSED
