"""Single sign-on through a real web process and a real provider on loopback, and what forgers send."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc.jwk import OctKey, RSAKey

from monitor.store import Store, audit, people
from tests.support.provider import Claims, IdentityProvider, identity_provider
from tests.support.web import Answer, Browser, populate, web


@pytest.fixture(scope="module")
def provider() -> Iterator[IdentityProvider]:
    with identity_provider() as found:
        yield found


@pytest.fixture(autouse=True)
def honest(provider: IdentityProvider) -> None:
    provider.user, provider.forge, provider.down = {"groups": ["risk"]}, None, False


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = Store(f"sqlite:///{tmp_path_factory.mktemp('sso') / 'foreshock.db'}")
    populate(store)
    yield store
    store.close()


@pytest.fixture(scope="module")
def url(store: Store, provider: IdentityProvider, tmp_path_factory: Any) -> Iterator[str]:
    settings = {
        "oidc__issuer": provider.url,
        "oidc__client_id": provider.id,
        "oidc__client_secret": provider.secret,
        "oidc__roles": '{"risk": "analyst", "ops": "admin"}',
    }
    with web(str(store.url), tmp_path_factory.mktemp("web"), **settings) as url:
        yield url


def to_provider(browser: Browser, onward: str = "/") -> str:
    """Press the button, be sent away, and return where the provider sends the browser back to."""
    answer = browser.ask(f"/login/oidc/start?next={onward}")
    assert answer.status == 303
    there = urlsplit(answer.headers["location"])
    asked = Browser(f"{there.scheme}://{there.netloc}").ask(f"{there.path}?{there.query}")
    back = urlsplit(asked.headers["location"])
    return f"{back.path}?{back.query}"


def signed_in(browser: Browser, onward: str = "/") -> Answer:
    return browser.ask(to_provider(browser, onward))


def person(store: Store, name: str) -> people.Person | None:
    with store.read() as connection:
        return people.get(connection, name)


def test_somebody_new_comes_in_as_their_group_says(url: str, store: Store) -> None:
    browser = Browser(url)
    assert 'id="sso"' in browser.ask("/login").text
    answer = signed_in(browser, "/alerts?alert=x")
    assert answer.status == 200 and 'content="0;url=/alerts?alert=x"' in answer.text
    me = browser.ask("/api/v1/me").text
    assert '"eve"' in me and '"analyst"' in me
    account = browser.ask("/account").text
    assert "Change password" not in account and "Sign out" in account
    acts = [(e.entry.subject, e.entry.act) for e in audit.newest(store, 10)]
    assert acts[:3] == [
        ("person eve", "signed in"), ("person eve", "identity linked"), ("person eve", "person added"),
    ]  # fmt: skip
    # By password nobody comes in under that name: there is none.
    assert Browser(url).sign_in("eve", "").status == 401


def test_the_session_is_for_our_own_pages_only(url: str) -> None:
    browser = Browser(url)
    answer = browser.ask("/login/oidc/start")
    assert "samesite=lax" in answer.headers["set-cookie"].casefold()
    back = signed_in(browser)
    assert back.cookies["foreshock_sso"] in ("", '""')
    assert browser.ask("/").status == 200


def test_people_are_known_by_subject_and_roles_follow_their_groups(
    url: str, store: Store, provider: IdentityProvider
) -> None:
    provider.user = {"sub": "u-7", "preferred_username": "kim", "groups": ["risk"]}
    assert signed_in(Browser(url)).status == 200
    provider.user = {"sub": "u-7", "preferred_username": "kim jones", "groups": ["ops", "risk"]}
    assert signed_in(Browser(url)).status == 200
    found = person(store, "kim")
    assert found is not None and found.role.value == "admin"
    assert person(store, "kim jones") is None
    with store.write() as connection:
        people.set_disabled(connection, "kim", True, "ada", found_now(store))
    refused = signed_in(Browser(url))
    assert refused.status == 401 and "Your account here, kim, is disabled" in refused.text


def found_now(store: Store) -> Any:
    from monitor.store.clock import time_of

    return time_of(store)


def test_nobody_takes_over_who_is_here_already(
    url: str, store: Store, provider: IdentityProvider
) -> None:
    provider.user = {"sub": "u-9", "preferred_username": "ada", "groups": ["risk"]}
    refused = signed_in(Browser(url))
    assert refused.status == 401 and "foreshock people link" in refused.text
    with store.write() as connection:
        assert people.link(connection, provider.url, "u-9", "ada", "root", found_now(store))
    browser = Browser(url)
    provider.user["groups"] = ["ops"]
    assert signed_in(browser).status == 200
    assert '"ada"' in browser.ask("/api/v1/me").text
    assert Browser(url).sign_in("ada").status == 303  # her password is good as well


def test_who_is_in_no_group_is_kept_out(url: str, provider: IdentityProvider) -> None:
    provider.user = {"sub": "u-3", "groups": ["tennis"]}
    refused = signed_in(Browser(url))
    assert refused.status == 401 and "in no group that may use this service" in refused.text


def other_key(provider: IdentityProvider) -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": str(provider.key.kid)})


def forged(
    change: Callable[[Claims], Claims],
) -> Callable[[IdentityProvider], Callable[[Claims], str]]:
    return lambda provider: lambda claims: provider.signed(change(claims))


def secret_of(key: Any) -> OctKey:
    return OctKey.import_key(key.as_pem(private=False))


FORGERIES = {
    "wrong nonce": forged(lambda c: {**c, "nonce": "another"}),
    "no nonce": forged(lambda c: {k: v for k, v in c.items() if k != "nonce"}),
    "wrong issuer": forged(lambda c: {**c, "iss": "https://evil.example"}),
    "wrong audience": forged(lambda c: {**c, "aud": "another"}),
    "many audiences": forged(lambda c: {**c, "aud": ["desk", "another"]}),
    "another party": forged(lambda c: {**c, "azp": "another"}),
    "expired": forged(lambda c: {**c, "exp": int(time.time()) - 120}),
    "not yet": forged(lambda c: {**c, "nbf": int(time.time()) + 600}),
    "no expiry": forged(lambda c: {k: v for k, v in c.items() if k != "exp"}),
    "another key": lambda p: lambda c: p.signed(c, other_key(p)),
    "unknown key": lambda p: lambda c: p.signed(c, other_key(p), kid="nobody's"),
    "no signature": lambda p: lambda c: p.signed(c, OctKey.import_key("x"), alg="none"),
    "the public key as a secret": lambda p: lambda c: p.signed(
        c, secret_of(p.key), alg="HS256"
    ),
    "no token": lambda p: lambda c: "x.y.z",
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_token_signs_nobody_in(
    url: str, provider: IdentityProvider, forgery: str, store: Store
) -> None:
    provider.user = {"sub": "mallory", "preferred_username": "mallory", "groups": ["ops"]}
    make: Callable[[IdentityProvider], Callable[[Claims], str]] = FORGERIES[forgery]
    provider.forge = make(provider)
    browser = Browser(url)
    answer = signed_in(browser)
    assert answer.status == 401 and 'role="alert"' in answer.text, answer.text
    assert "foreshock_session" not in browser.cookies
    assert person(store, "mallory") is None
    with store.write() as connection:
        people.forgive(connection, ["address 127.0.0.1"])


def test_a_code_is_good_once_and_for_the_browser_that_asked(url: str) -> None:
    browser = Browser(url)
    back = to_provider(browser)
    assert Browser(url).ask(back).status == 403  # another browser
    state = parse_qs(urlsplit(back).query)["state"][0]
    assert browser.ask(back.replace(state, "x" * len(state))).status == 403
    browser = Browser(url)
    back = to_provider(browser)
    kept = dict(browser.cookies)
    assert browser.ask(back).status == 200
    assert Browser(url, kept).ask(back).status == 401
    assert Browser(url).ask("/login/oidc?error=access_denied&state=x").status == 403


def test_keys_may_change_at_any_time(url: str, provider: IdentityProvider) -> None:
    assert signed_in(Browser(url)).status == 200
    before = provider.asked.count("/keys")
    assert signed_in(Browser(url)).status == 200
    assert provider.asked.count("/keys") == before  # kept


def test_without_the_provider_passwords_are_good(url: str, provider: IdentityProvider) -> None:
    browser = Browser(url)
    back = to_provider(browser)
    provider.close()
    answer = browser.ask(back)
    assert answer.status == 401 and "does not answer" in answer.text
    assert Browser(url).sign_in("ann").status == 303
