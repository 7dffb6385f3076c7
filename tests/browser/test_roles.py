"""Each role signs in with a real browser, and is refused what is not its."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from monitor.access.roles import Role
from monitor.domain import AlertState
from monitor.store import Store, alerts, audit, people
from tests.browser import seed
from tests.browser.conftest import Trap, serving, size
from tests.browser.test_pages import text, wait
from tests.support.make import T0
from tests.support.provider import identity_provider
from tests.support.web import PASSWORD, populate


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, trap: Trap) -> Iterator[tuple[str, Store]]:
    """A server that asks for a login, over a store with one of each role."""
    folder = tmp_path_factory.mktemp("guarded")
    store = Store(f"sqlite:///{folder / 'foreshock.db'}")
    story = sorted([*seed.pieces(scale=0.1), *seed.hostile(trap.url)], key=lambda piece: piece.at)
    seed.fill(store, folder, story)
    populate(store)
    with serving(str(store.url), tmp_path_factory.mktemp("roles"), login=True) as url:
        yield url, store
    store.close()


def sign_in(browser: webdriver.Chrome, url: str, name: str, onward: str) -> None:
    browser.delete_all_cookies()
    browser.get(url + onward)
    wait(browser, "Sign in")
    assert "/login?next=" in browser.current_url
    browser.find_element(By.ID, "name").send_keys(name)
    browser.find_element(By.ID, "password").send_keys(PASSWORD)
    browser.find_element(By.ID, "signin").click()


def test_a_viewer_sees_everything_and_can_do_nothing(
    browser: webdriver.Chrome, guarded: tuple[str, Store]
) -> None:
    url, store = guarded
    one = next(each for each in alerts.latest(store) if each.state is AlertState.FIRING)
    size(browser, 1440, 1400)
    browser.get(url + "/login")
    sign_in(browser, url, "vic", f"/alerts?alert={one.id}")
    wait(browser, one.title, "Evidence", "vic (viewer)")
    assert not browser.find_elements(By.CSS_SELECTOR, ".st-key-acknowledge, .st-key-verdicts")
    assert "Select several" not in text(browser) and "Audit" not in text(browser)
    browser.get(url + "/audit")
    wait(browser, "Page not found")
    assert "person added" not in text(browser)


def test_an_analyst_acts_in_their_own_name_until_they_may_not(
    browser: webdriver.Chrome, guarded: tuple[str, Store]
) -> None:
    url, store = guarded
    one, two = [each for each in alerts.latest(store) if each.state is AlertState.FIRING][:2]
    browser.get(url + "/login")
    sign_in(browser, url, "ann", f"/alerts?alert={one.id}")
    wait(browser, one.title, "ann (analyst)", "Acknowledge")
    browser.find_element(By.CSS_SELECTOR, ".st-key-acknowledge button").click()
    wait(browser, "Acknowledged by ann")
    assert [(e.who, e.act) for e in audit.trail(store, one.id)] == [("ann", "acknowledged")]
    browser.get(f"{url}/alerts?alert={two.id}")
    wait(browser, two.title, "Acknowledge")
    button = browser.find_element(By.CSS_SELECTOR, ".st-key-acknowledge button")
    with store.write() as connection:  # the button is still there, and is pressed
        people.set_role(connection, "ann", Role.VIEWER, "test", T0)
    button.click()
    wait(browser, "Notifications")
    with store.read() as connection:
        found = alerts.get(connection, two.id)
    assert found is not None and found.state is AlertState.FIRING
    assert not audit.trail(store, two.id)
    with store.write() as connection:
        people.set_disabled(connection, "ann", True, "test", T0)
    wait(browser, "You are signed out")  # the page that is open shows no more


def test_an_admin_sees_the_audit_and_signs_out(
    browser: webdriver.Chrome, guarded: tuple[str, Store], trap: Trap
) -> None:
    url, _store = guarded
    browser.get(url + "/login")
    sign_in(browser, url, "ada", "/audit")
    wait(browser, "none tampered with", "ada (admin)")
    assert not browser.find_elements(By.CSS_SELECTOR, "[data-testid=stException]")
    browser.get(url + "/account")
    browser.find_element(By.ID, "signout").click()
    wait(browser, "Sign in")
    browser.get(url)
    wait(browser, "Sign in")
    assert "Castlereach" not in text(browser) and trap.visits == []


def test_single_sign_on_leads_back_to_the_page_that_was_asked_for(
    browser: webdriver.Chrome, guarded: tuple[str, Store], tmp_path: Path
) -> None:
    """From another site, to which the session's cookie is never sent."""
    _, store = guarded
    settings = tmp_path / "foreshock.toml"
    with identity_provider("localhost") as provider:
        provider.asks, provider.user = True, {"groups": ["risk"]}
        settings.write_text(
            f"[web.oidc]\nissuer = '{provider.url}'\nclient_id = '{provider.id}'\n"
            f"client_secret = '{provider.secret}'\nlabel = 'Bank ID'\nroles = {{ risk = 'analyst' }}\n"
        )
        with serving(str(store.url), tmp_path, login=True, settings=settings) as url:
            browser.get(url + "/login")
            browser.delete_all_cookies()
            browser.get(url + "/alerts")
            wait(browser, "Sign in with Bank ID")
            browser.find_element(By.ID, "sso").click()
            browser.find_element(By.ID, "back").click()
            wait(browser, "eve (analyst)")
            assert browser.current_url.startswith(url + "/alerts")
