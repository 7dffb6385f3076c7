"""Relabelling in a real browser, by keys alone: fast, blind, undone, and never for an item not yet seen."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from models.labels import SENTIMENTS, TOPICS
from monitor.domain import Label
from monitor.relabel.standing import standing
from monitor.store import Store, labels
from tests.browser.conftest import prefer, size
from tests.browser.test_pages import WAIT_S, text, wait

Shoot = Callable[[str], Path]
LETTERS = "abdefghijklmoqstvwxy"  # of the topics, in their order
WHO = "m. curie"  # who acts at the board that asks for no login
ITEMS = 20
MOST_S = 40.0


def press(browser: webdriver.Chrome, key: str) -> None:
    browser.find_element(By.TAG_NAME, "body").send_keys(key)


def enter(browser: webdriver.Chrome, board: str, store: Store) -> int:
    """Open the page; return the number of the newest label until then."""
    browser.get(f"{board}/relabel")
    wait(
        browser, "Item 1 of", "Sentiment", "Topic", "items answered", "Undo", f"answering as {WHO}"
    )
    at_item(browser, 1)
    with store.read() as connection:
        return max((each.id or 0 for each in labels.events(connection)), default=0)


def said_since(store: Store, newest: int) -> list[Label]:
    with store.read() as connection:
        return [each for each in labels.events(connection) if (each.id or 0) > newest]


def at_item(browser: webdriver.Chrome, number: int) -> None:
    """Wait for an item and its keys, as a reader sees them; cheaper than to read the whole page."""
    script = """
        const item = document.querySelector('.st-key-why-meta')?.innerText ?? '';
        return item.startsWith(`Item ${arguments[0]} of`) &&
            document.querySelector(`.st-key-relabel-${arguments[0] - 1}-undo button`) !== null;
    """
    wait = WebDriverWait(browser, WAIT_S, poll_frequency=0.05)
    wait.until(lambda b: b.execute_script(script, number))


def test_twenty_items_by_keyboard(
    browser: webdriver.Chrome, board: str, seeded: Store, shoot: Shoot
) -> None:
    size(browser, 1440, 900)
    prefer(browser, "light")
    newest = enter(browser, board, seeded)
    shown = text(browser)
    assert "What the model says is shown once you have answered" in shown
    assert "The model says" not in shown
    shoot("relabel-light")
    place = browser.find_element(By.CSS_SELECTOR, ".st-key-panel-answers").rect
    begun = time.monotonic()
    for number in range(ITEMS):
        press(browser, "123"[number % 3])
        press(browser, LETTERS[number])
        at_item(browser, number + 2)
    took_s = time.monotonic() - begun
    assert took_s < MOST_S, f"{ITEMS} items took {took_s:.1f} s"
    print(f"{ITEMS} items in {took_s:.1f} s")
    assert browser.find_element(By.CSS_SELECTOR, ".st-key-panel-answers").rect == place  # no jump
    wait(browser, f"{ITEMS} of 50 items answered", "items a minute", "the model: ")
    shoot("relabel-answered")
    said = said_since(seeded, newest)
    assert [each.value for each in said if each.head == "sentiment"] == [
        SENTIMENTS[number % 3] for number in range(ITEMS)
    ]
    assert [each.value for each in said if each.head == "topic"] == list(TOPICS)
    assert len({each.article_id for each in said}) == ITEMS
    assert not any(each.guess_shown for each in said)
    assert {each.sampler for each in said} >= {"uncertain", "random"}
    prefer(browser, "dark")
    browser.get(f"{board}/relabel")
    at_item(browser, 1)
    shoot("relabel-dark")
    prefer(browser, "light")


def test_undo_next_and_previous(browser: webdriver.Chrome, board: str, seeded: Store) -> None:
    before = enter(browser, board, seeded)
    press(browser, "1")
    press(browser, "a")
    at_item(browser, 2)
    press(browser, "u")
    at_item(browser, 1)
    wait(browser, "0 of 50 items answered")
    kept = standing(said_since(seeded, before))
    assert [(each.head, each.value) for each in kept] == [("sentiment", "negative")]
    press(browser, "b")
    at_item(browser, 2)
    assert len(said_since(seeded, before)) == 4  # two, a withdrawal, one more: nothing is lost
    press(browser, "n")
    at_item(browser, 3)
    press(browser, "p")
    at_item(browser, 2)
    press(browser, "p")
    at_item(browser, 1)
    wait(browser, "The model says: ")  # it is answered
    press(browser, "3")  # thought better of it
    at_item(browser, 2)
    newest = standing(said_since(seeded, before))
    assert {(each.head, each.value) for each in newest} == {
        ("sentiment", "positive"),
        ("topic", TOPICS[1]),
    }
    assert [each.guess_shown for each in said_since(seeded, before)][-1]


def test_keys_are_never_for_an_item_not_seen(
    browser: webdriver.Chrome, board: str, seeded: Store
) -> None:
    """Three times each key at once: the second and third were meant for the item that was shown."""
    newest = enter(browser, board, seeded)
    first = browser.find_element(By.CSS_SELECTOR, ".st-key-item-quote").text
    press(browser, "1aaa")
    wait(browser, "1 of 50 items answered", "Item 2 of")
    time.sleep(1.0)
    assert "1 of 50 items answered" in text(browser)
    said = standing(said_since(seeded, newest))
    assert len({each.article_id for each in said}) == 1
    assert first not in browser.find_element(By.CSS_SELECTOR, ".st-key-item-quote").text
