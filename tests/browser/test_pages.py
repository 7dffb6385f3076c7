"""Both pages in a real browser, over a real server and a seeded store."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from monitor.domain import OPEN_STATES, AlertState
from monitor.store import Store, alerts, audit
from tests.browser.conftest import Trap, prefer, serving, size

Shoot = Callable[[str], Path]
WAIT_S = 20


def text(browser: webdriver.Chrome) -> str:
    return browser.find_element(By.TAG_NAME, "body").text


def wait(browser: webdriver.Chrome, *words: str) -> str:
    """Wait until the page says all of these; return all it says."""

    def said(_: object) -> bool:
        shown = text(browser)
        return all(word in shown for word in words)

    try:
        WebDriverWait(browser, WAIT_S, ignored_exceptions=[Exception]).until(said)
    except Exception:
        raise AssertionError(f"never said {words}:\n{text(browser)}") from None
    return text(browser)


def console(browser: webdriver.Chrome) -> list[str]:
    """Return what the browser's console said since the last call."""
    return [str(line["message"]) for line in browser.get_log("browser")]  # type: ignore[no-untyped-call]


def painted(browser: webdriver.Chrome, *words: str) -> str:
    """Wait until the tables (canvases, with their cells as text for screen readers) hold these."""
    script = (
        "return [...document.querySelectorAll('canvas table')].map(t => t.textContent).join('\\n')"
    )

    def held(_: object) -> bool:
        return all(word in browser.execute_script(script) for word in words)

    WebDriverWait(browser, WAIT_S).until(held)
    return str(browser.execute_script(script))


def test_board_says_what_is_wrong(browser: webdriver.Chrome, board: str, shoot: Shoot) -> None:
    size(browser, 1440, 1540)
    prefer(browser, "light")
    browser.get(board)
    shown = wait(browser, "Castlereach Bancorp: bank run", "Newest items", "Companies by topic")
    assert "as of 17 Mar 2026 15:42 UTC" in shown
    assert "rules up to date" in shown
    assert "Critical" in shown and "not acknowledged" in shown
    cells = painted(browser, "Castlereach Bancorp", "not read by the model")
    assert "3 · Critical" in cells
    WebDriverWait(browser, WAIT_S).until(
        lambda b: (
            len(b.find_elements(By.CSS_SELECTOR, "[data-testid=stVegaLiteChart] canvas")) >= 3
            or len(b.find_elements(By.CSS_SELECTOR, "[data-testid=stVegaLiteChart] svg")) >= 3
        )
    )
    assert not browser.find_elements(By.CSS_SELECTOR, "[data-testid=stException]")
    shoot("board-light")
    prefer(browser, "dark")
    browser.get(board)
    wait(browser, "Castlereach Bancorp: bank run", "Newest items")
    painted(browser, "not read by the model")
    shoot("board-dark")
    prefer(browser, "light")


def test_alert_is_explained_and_acknowledged(
    browser: webdriver.Chrome, board: str, seeded: Store, shoot: Shoot
) -> None:
    surge = next(
        found for found in alerts.latest(seeded) if found.fingerprint.startswith("surge|company")
    )
    size(browser, 1440, 1000)
    browser.get(f"{board}/alerts?alert={surge.id}")
    shown = wait(browser, surge.title, "Acknowledge", "standard deviations", "Notifications")
    window = {180: "3 h", 1440: "1 d"}[int(str(surge.details["window_minutes"]))]
    assert f"negative items on Castlereach Bancorp within {window}" in shown
    assert "Usual at these hours of the week" in shown
    assert "fired (negative surge) by foreshock" in shown
    painted(browser, "5 Critical", surge.evidence[-1].title)  # the newest stands first
    shoot("alert-firing")
    browser.find_element(By.CSS_SELECTOR, ".st-key-acknowledge button").click()
    wait(browser, "Acknowledged by m. curie")
    with seeded.read() as connection:
        stored = alerts.get(connection, surge.id)
    assert stored is not None and stored.state is AlertState.ACKNOWLEDGED
    assert stored.acknowledged_by == "m. curie"
    assert [(e.change, e.actor) for e in alerts.history(seeded, surge.id)][-1:] == [
        ("acknowledged", "m. curie")
    ]
    shoot("alert-acknowledged")
    browser.find_element(By.CSS_SELECTOR, ".st-key-take-it button").click()
    wait(browser, "Assigned to m. curie")
    browser.find_element(By.CSS_SELECTOR, ".st-key-verdict-true button").click()
    wait(browser, "m. curie says true", "judged by m. curie: true")
    trail = [(entry.act, entry.who) for entry in audit.trail(seeded, surge.id)]
    assert trail == [(act, "m. curie") for act in ("acknowledged", "assigned", "judged")]


def test_rows_can_be_chosen(browser: webdriver.Chrome, board: str) -> None:
    size(browser, 1440, 1540)
    browser.get(board)
    wait(browser, "Watched companies", "Newest items")
    painted(browser, "Grevold Energy")
    choose_row(browser, "panel-watch", 2)
    chosen = ".st-key-subject"
    WebDriverWait(browser, WAIT_S).until(
        lambda b: "Castlereach" not in b.find_element(By.CSS_SELECTOR, chosen).text
    )
    browser.get(f"{board}/alerts")
    wait(browser, "Castlereach Bancorp: bank run", "Evidence")
    painted(browser, "Velundra Motors: product recall")
    choose_row(browser, "panel-list", 2)
    WebDriverWait(browser, WAIT_S).until(lambda b: "?alert=" in b.current_url)


def choose_row(browser: webdriver.Chrome, panel: str, row: int) -> None:
    """Click the box before a row, counted from 1."""
    grid = browser.find_element(By.CSS_SELECTOR, f".st-key-{panel} [data-testid=stDataFrame]")
    x, y = 16 - grid.size["width"] // 2, 35 + 32 * row - 16 - grid.size["height"] // 2
    ActionChains(browser).move_to_element_with_offset(grid, x, y).click().perform()


def test_unknown_alert_is_said_in_words(browser: webdriver.Chrome, board: str) -> None:
    browser.get(f"{board}/alerts?alert=%3Cb%3Ex")
    wait(browser, "There is no such alert")


def test_hostile_news_is_text(
    browser: webdriver.Chrome, board: str, seeded: Store, trap: Trap, shoot: Shoot
) -> None:
    fined = next(found for found in alerts.latest(seeded) if "fine" in found.event)
    size(browser, 1440, 1540)
    browser.get(board)
    painted(browser, "<script>fetch(", "![](", "=cmd|")
    shoot("board-hostile")
    browser.get(f"{board}/alerts?alert={fined.id}")
    shown = wait(browser, fined.title, "Why", "Evidence · 3", f"![]({trap.url}/quote.png)")
    assert "fined" in shown
    cells = painted(browser, "<script>fetch(", "![](", "=cmd|")
    assert "<b>1</b>.example" in cells
    found = browser.execute_script(
        "return [...document.querySelectorAll('[src],[href]')].map(e => e.src || e.href)"
    )
    assert not [url for url in found if str(url).startswith((trap.url, "javascript:"))]
    assert "javascript:" not in cells
    shoot("alert-hostile")
    assert trap.visits == []


def test_several_alerts_are_acted_on_together(
    browser: webdriver.Chrome, board: str, seeded: Store, shoot: Shoot
) -> None:
    before = {found.id: found for found in alerts.latest(seeded)}
    size(browser, 1440, 1000)
    browser.get(f"{board}/alerts")
    wait(browser, "Select several", "Evidence")
    painted(browser, "Velundra Motors: product recall")
    browser.find_element(By.CSS_SELECTOR, ".st-key-alert-several label").click()
    wait(browser, "Tick alerts on the left")
    choose_row(browser, "panel-list", 0)  # the box at the top
    open_alerts = [found for found in before.values() if found.state in OPEN_STATES]
    wait(browser, f"{len(open_alerts)} alerts selected", *(each.title for each in open_alerts))
    shoot("alerts-selected")
    choose_row(browser, "panel-list", 1)  # not this one
    wait(browser, f"{len(open_alerts) - 1} alerts selected")
    browser.find_element(By.CSS_SELECTOR, ".st-key-acknowledge button").click()
    wait(browser, "Tick alerts on the left")
    now = {found.id: found for found in alerts.latest(seeded)}
    done = [
        id_
        for id_, each in now.items()
        if each.acknowledged_by == "m. curie" and before[id_].acknowledged_by is None
    ]
    firing = [each.id for each in open_alerts if each.state is AlertState.FIRING]
    left = [each for each in firing if each not in done]
    assert set(done) <= set(firing) and len(left) <= 1 < len(done)
    for id_ in done:  # as a single act is
        assert [(e.act, e.who) for e in audit.trail(seeded, id_)][-1:] == [
            ("acknowledged", "m. curie")
        ]
    shoot("alerts-acknowledged-together")


def test_nothing_is_asked_of_other_hosts(browser: webdriver.Chrome, board: str) -> None:
    console(browser)
    browser.get(board)
    wait(browser, "Newest items")
    asked = browser.execute_script(
        "return performance.getEntriesByType('resource').map(e => e.name)"
    )
    assert asked and not [url for url in asked if not url.startswith((board, "data:", "blob:"))]
    assert not [line for line in console(browser) if "Content Security" in line]


def test_no_data_is_guided(browser: webdriver.Chrome, tmp_path: Path, shoot: Shoot) -> None:
    path = tmp_path / "none.db"
    with serving(f"sqlite:///{path}", tmp_path) as url:
        size(browser, 1440, 900)
        browser.get(url)
        shown = wait(browser, "No database to show", "foreshock demo")
        assert "Traceback" not in shown
        assert not path.exists()  # looking must not make one
        shoot("missing")
        Store(f"sqlite:///{path}").close()
        wait(browser, "No news yet", "foreshock demo")  # the page looks again by itself
        shoot("empty")
        browser.get(f"{url}/alerts")
        wait(browser, "No news yet")


def test_metrics_and_health(board: str) -> None:
    with urllib.request.urlopen(f"{board}/metrics") as answer:
        body = answer.read().decode()
        assert answer.headers["Content-Type"].startswith("text/plain")
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "foreshock_alert_span_seconds" in body
    with urllib.request.urlopen(f"{board}/healthz") as answer:
        assert json.load(answer) == {"status": "ok", "as_of": "2026-03-17T15:42:00+00:00"}
    # The database can be read, and the pipeline has decided nothing for a long time.
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{board}/readyz")
    assert caught.value.code == 503
    answered = json.load(caught.value)
    assert answered["status"] == "not ready"
    assert any("behind" in reason or "decided" in reason for reason in answered["reasons"])
