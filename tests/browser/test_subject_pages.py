"""The pages of companies, topics, stories, feeds, search, backtests and one's own list, in a real browser."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from monitor.store import Store, alerts, articles, audit, interests
from monitor.store.interests import Kind
from tests.browser.conftest import Trap, prefer, size
from tests.browser.test_pages import WAIT_S, choose_row, console, painted, text, wait

Shoot = Callable[[str], Path]
WHO = "m. curie"
BANK = "castlereach-bancorp"
SETTLED_S = 0.3

# Page: address, words of its text, words of its tables.
CALM: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "company": (
        f"/company?company={BANK}",
        ("Castlereach Bancorp", "The model read all of them", "Alerts · 3 open", "Stories, 7 d"),
        ("Towards it", "borrower"),
    ),
    "topic": ("/topic?topic=Financials", ("Companies that drive it", "bank run"), ("UPDATE 4-",)),
    "story": ("/story?alert={bank}", ("How sure it became", "rumour", "confirmed"), ("own",)),
    "feeds": ("/feeds", ("1 of 3", "1 failing", "What could not be used"), ("never visited",)),
    "search": ("/search?q=withdrawals", ("of all that are stored",), ("limits withdrawals",)),
    "backtest": ("/backtest", ("4 of 5", "Backtest: march", "90% within"), ("missed", "march")),
    "mine": ("/mine", ("For you, of the last 7 days", "halved every 24 h"), ("Why", "Matters")),
}
HOSTILE: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "company": (
        "/company?company=grevold-energy",
        ("Grevold Energy", "[click]("),
        ("<script>fetch(", "![](", "=cmd|"),
    ),
    "topic": ("/topic?topic=Legal%20%7C%20Regulation", ("Grevold",), ("<script>fetch(", "=cmd|")),
    "story": ("/story?alert={fined}", ("=cmd|", "quote.png"), ("<script>fetch(", "<b>1</b>")),
    "stories": ("/story", ("[click](", "the gravest first"), ()),
    "feeds": ("/feeds", ("Sources · 3",), ("<img src=", "![](")),
    "search": ("/search?q=fined", ("3 items",), ("<script>fetch(", "![](", "=cmd|")),
    "like": ("/search?like={item}", ("More like this", "=cmd|"), ()),
    "backtest": ("/backtest?run=march", ("4 of 5",), ("=cmd|",)),
    "mine": ("/mine", ("For you",), ("<script>fetch(", "![](", "=cmd|")),
}


@pytest.fixture(scope="module")
def places(board: str, seeded: Store) -> Iterator[dict[str, str]]:
    """Ids that addresses name; who looks follows the bank and the one with hostile news."""
    told = alerts.latest(seeded)
    bank = next(each for each in told if each.event == "bank_run")
    fined = next(each for each in told if "fine" in each.event)
    with seeded.write() as connection:
        followed = [BANK, "grevold-energy"]
        interests.follow(connection, WHO, Kind.COMPANY, followed, bank.decided_at)
    with seeded.read() as connection:
        items = articles.current(connection, [each.article_id for each in fined.evidence])
    formula = next(each for each in items if each.article.title.startswith("=cmd"))
    yield {"bank": bank.id, "fined": fined.id, "item": formula.article.id}


def visit(
    browser: webdriver.Chrome, url: str, words: tuple[str, ...], cells: tuple[str, ...]
) -> None:
    browser.get(url)
    wait(browser, *words)
    if cells:
        painted(browser, *cells)
    assert not browser.find_elements(By.CSS_SELECTOR, "[data-testid=stException]")


def fits(browser: webdriver.Chrome, width: int) -> None:
    """Nothing is wider than the screen."""
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("name", CALM)
def test_every_page_is_dark_and_wide_or_narrow(
    browser: webdriver.Chrome, board: str, places: dict[str, str], shoot: Shoot, name: str
) -> None:
    path, words, cells = CALM[name]
    prefer(browser, "dark")
    size(browser, 1440, 1300)
    visit(browser, board + path.format(**places), words, cells)
    time.sleep(SETTLED_S)
    shoot(f"{name}-dark")
    size(browser, 390, 1800)
    time.sleep(SETTLED_S)
    fits(browser, 390)
    shoot(f"{name}-dark-390")
    prefer(browser, "light")


def test_hostile_news_is_text_on_every_page(
    browser: webdriver.Chrome, board: str, places: dict[str, str], trap: Trap, shoot: Shoot
) -> None:
    prefer(browser, "light")
    console(browser)
    for name, (path, words, cells) in HOSTILE.items():
        size(browser, 1440, 1300)
        visit(browser, board + path.format(**places), words, cells)
        time.sleep(SETTLED_S)
        shoot(f"{name}-light")
        found = browser.execute_script(
            "return [...document.querySelectorAll('[src],[href],[data],[srcset],[action]')]"
            ".map(e => e.src || e.href || e.data || e.srcset || e.action)"
        )
        foreign = [at for at in found if str(at).startswith((trap.url, "javascript:"))]
        assert foreign == [], name
        made = browser.execute_script(
            "return document.querySelectorAll('.stApp b, .stApp img[src^=http]').length - "
            "document.querySelectorAll('.facts b').length"
        )
        assert made == 0, f"{name}: {text(browser)}"
    assert trap.visits == []
    assert not [line for line in console(browser) if "Content Security" in line]


def test_nothing_moves_when_a_page_is_drawn_again(
    browser: webdriver.Chrome, board: str, places: dict[str, str]
) -> None:
    size(browser, 1440, 1300)
    path, words, cells = CALM["company"]
    visit(browser, board + path, words, cells)
    time.sleep(1.0)
    script = """
        return [...document.querySelectorAll('[class*="st-key-panel-"]')].map(panel => {
            const {x, y, width, height} = panel.getBoundingClientRect();
            return [x, y, width, height].map(Math.round).join(' ');
        });
    """
    before = browser.execute_script(script)
    seen = set()
    for _ in range(30):  # through one refresh
        seen.add(tuple(browser.execute_script(script)))
        time.sleep(0.2)
    assert len(before) >= 7 and seen == {tuple(before)}


def test_pages_lead_to_one_another(
    browser: webdriver.Chrome, board: str, places: dict[str, str]
) -> None:
    size(browser, 1440, 1540)
    browser.get(board)
    wait(browser, "Castlereach Bancorp: bank run", "Newest items", "Company page")
    follow(browser, "panel-trend", "Company page")
    wait(browser, "Stories, 7 d", "Peers and relations")
    assert f"company={BANK}" in browser.current_url
    painted(browser, "borrower")
    choose_row(browser, "panel-related", 2)  # the supplier
    wait(browser, "Noxarel Semiconductor", "did not read 3 of them")
    assert "company=noxarel-semiconductor" in browser.current_url
    browser.get(f"{board}/alerts?alert={places['bank']}")
    wait(browser, "The story behind it", "Evidence")
    follow(browser, "panel-detail", "The story behind it")
    wait(browser, "How sure it became", "Castlereach Bancorp")
    follow(browser, "panel-story", "More like this")
    wait(browser, "More like this", "its copies are left out")
    painted(browser, "Alike", "Castlereach Bancorp")


def follow(browser: webdriver.Chrome, panel: str, label: str) -> None:
    """Click a link of a panel; the page may be drawn again meanwhile."""
    script = """
        const links = document.querySelectorAll(`.st-key-${arguments[0]} a`);
        const link = [...links].find(each => each.innerText.includes(arguments[1]));
        link?.click();
        return link !== undefined;
    """
    WebDriverWait(browser, WAIT_S).until(lambda b: b.execute_script(script, panel, label))


def test_search_by_meaning_answers_with_items(browser: webdriver.Chrome, board: str) -> None:
    size(browser, 1440, 1000)
    browser.get(f"{board}/search")
    wait(browser, "An answer is always items")
    box = browser.find_element(By.CSS_SELECTOR, ".st-key-search-q input")
    box.send_keys("hackers took client data", Keys.ENTER)
    wait(browser, "0 items, of all that are stored")
    assert "q=hackers" in browser.current_url
    browser.find_elements(By.CSS_SELECTOR, ".st-key-search-by button")[1].click()
    wait(browser, "compared: the newest, and those with a word")
    cells = painted(browser, "Transkeld Airways says customer records stolen in attack")
    first = cells.index("Transkeld Airways says customer records")
    assert "Castlereach" not in cells[:first]
    choose_row(browser, "panel-found", 1)
    wait(browser, "More like this", "its copies are left out")
    assert "like=" in browser.current_url
    browser.find_element(By.CSS_SELECTOR, ".st-key-search-back button").click()
    wait(browser, "compared: the newest, and those with a word")
    WebDriverWait(browser, WAIT_S).until(
        lambda b: "q=hackers" in b.current_url and "like=" not in b.current_url
    )


def test_a_person_follows_a_topic(
    browser: webdriver.Chrome, board: str, seeded: Store, places: dict[str, str]
) -> None:
    size(browser, 1440, 1000)
    path, words, cells = CALM["mine"]
    visit(browser, board + path, words, cells)
    box = browser.find_element(By.CSS_SELECTOR, ".st-key-follow-topic input")
    box.send_keys("Macro", Keys.ENTER)

    def kept() -> list[str]:
        with seeded.read() as connection:
            return interests.of(connection, WHO)[Kind.TOPIC]

    WebDriverWait(browser, WAIT_S).until(lambda _: kept() == ["Macro"])
    assert audit.trail(seeded, WHO)[-1].after == {"topic": ["Macro"]}
    browser.get(board + path)
    wait(browser, "Macro", *words)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/company?company=%3Cb%3Ex", "No such company"),
        ("/topic?topic=%3Cb%3Ex", "No such topic"),
        ("/story?story=%3Cb%3Ex", "There is no such story"),
        ("/story?alert=x", "There is no such alert"),
        ("/search?like=x", "There is no such item"),
        ("/backtest?run=..%2F..", "No such run"),
    ],
)
def test_a_wrong_link_is_said_in_words(
    browser: webdriver.Chrome, board: str, path: str, said: str
) -> None:
    browser.get(board + path)
    wait(browser, said)
