"""The Models page in a real browser: an admin looks, light and dark, wide and narrow, and promotes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from models.bundle import load_bundle
from models.refit.write import head_weights, write_refit
from monitor.store import Store, promotions, retrains
from monitor.store.retrains import State
from tests.browser import seed
from tests.browser.conftest import Trap, prefer, serving, size
from tests.browser.test_pages import wait
from tests.browser.test_roles import sign_in
from tests.support.web import populate


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, trap: Trap) -> Iterator[tuple[str, Store]]:
    """A server that asks for a login, over a store with a candidate that passed the gate."""
    folder = tmp_path_factory.mktemp("models")
    store = Store(f"sqlite:///{folder / 'foreshock.db'}")
    seed.fill(store, folder, seed.pieces(scale=0.1))
    populate(store)
    champion, now = load_bundle(), datetime.now(UTC)
    head = head_weights(champion, "sentiment")
    made = write_refit(
        champion,
        folder / "candidate",
        {"sentiment": replace(head, bias=head.bias + 0.01)},
        version="4+1",
        training={},
        data=(),
        card=f"# a card with ![]({trap.url}/card.png)",
    )
    with store.write() as connection:
        number = retrains.begin(
            *(connection, "ann", "by the calendar", "here:1"),
            *((champion.hash, champion.model_version), 7, now),
        )
        rows = {"sentiment": {"new": 240, "old": 1500, "people": 2}}
        retrains.candidate(
            connection, number, str(made.folder), made.hash, made.model_version, rows
        )
        figures = {
            "champion": 0.91,
            "candidate": 0.93,
            "difference": 0.02,
            "low": 0.0,
            "high": 0.04,
        }
        row = {"head": "sentiment", "rows": 400, "p_better": 0.01, "p_worse": 0.99, **figures}
        report = {
            "passed": True,
            "reasons": [],
            "sets": [{**row, "on": on, "value": ""} for on in ("frozen", "recent")],
            "slices": [{**row, "on": "source", "value": f"![]({trap.url}/slice.png)"}],
            "bias": [],
            "champion": champion.hash,
        }
        retrains.gated(connection, number, "ann", now, True, report, "passed")
        retrains.begin(
            *(connection, "schedule", "200 new labels", "here:2"),
            *((champion.hash, champion.model_version), 9, now),
        )
        retrains.say(connection, number + 1, now, "reading texts for sentiment", 400, 1860)
    with serving(str(store.url), tmp_path_factory.mktemp("served"), login=True) as url:
        yield url, store
    store.close()


def test_an_admin_reads_the_gate_and_promotes(
    browser: webdriver.Chrome,
    desk: tuple[str, Store],
    shoot: Callable[[str], Path],
    trap: Trap,
) -> None:
    url, store = desk
    prefer(browser, "light")
    size(browser, 1440, 1500)
    browser.get(url + "/login")
    sign_in(browser, url, "ada", "/models")
    wait(browser, "In use", "training 2: reading texts", "may take the place of", "Model card")
    shoot("models-light")
    size(browser, 390, 2600)
    shoot("models-narrow")
    size(browser, 1440, 1500)
    prefer(browser, "dark")
    shoot("models-dark")
    prefer(browser, "light")
    browser.find_element(By.CSS_SELECTOR, ".st-key-models-promote button").click()
    wait(browser, "ada promoted foreshock-en 4+1")
    with store.read() as connection:
        assert promotions.latest(connection)[0].who == "ada"
        assert retrains.get(connection, 1).state is State.PASSED
    assert trap.visits == []


def test_an_analyst_changes_nothing(browser: webdriver.Chrome, desk: tuple[str, Store]) -> None:
    url, _ = desk
    browser.get(url + "/login")
    sign_in(browser, url, "ann", "/models")
    wait(browser, "In use", "Promoting, trials and rolling back are for admins.")
    assert not browser.find_elements(
        By.CSS_SELECTOR, ".st-key-models-promote, .st-key-models-shadow, .st-key-models-roll-back"
    )
