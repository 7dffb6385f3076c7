"""What a provider says of itself, and for how long it is believed."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import httpx2 as httpx
import pytest

from monitor.access.oidc import Client, Flow, Provider, ProviderDown, SsoError
from monitor.access.roles import Role
from monitor.access.sso import Rules, role_of
from monitor.errors import ConfigError
from monitor.settings import load_settings
from tests.support.provider import IdentityProvider, identity_provider

NOW = datetime.now(UTC)
BACK = "http://127.0.0.1/login/oidc"


def signed_in(idp: IdentityProvider, provider: Provider) -> dict[str, object]:
    flow = Flow.new("/")
    url = provider.authorize_url(flow, BACK)
    back = httpx.get(url, follow_redirects=False).headers["location"]
    code = dict(httpx.URL(back).params)["code"]
    return provider.claims(flow, code, BACK, datetime.now(UTC))


def test_a_new_key_is_asked_for_once_a_minute_at_most() -> None:
    seconds = [0.0]
    with identity_provider() as idp:
        provider = Provider(Client(idp.url, idp.id, idp.secret), monotonic=lambda: seconds[0])
        assert signed_in(idp, provider)["sub"] == "u-1"
        idp.new_key()
        with pytest.raises(SsoError, match="does not list"):
            signed_in(idp, provider)  # within the minute
        assert idp.asked.count("/keys") == 1
        seconds[0] = 61
        assert signed_in(idp, provider)["sub"] == "u-1"
        assert idp.asked.count("/keys") == 2
        assert idp.asked.count("/.well-known/openid-configuration") == 1
        seconds[0] = 3_700
        signed_in(idp, provider)
        assert idp.asked.count("/.well-known/openid-configuration") == 2


def answering(said: object, status: int = 200) -> Provider:
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    transport = httpx.MockTransport(lambda request: httpx.Response(status, content=body))
    return Provider(Client("https://id.example", "desk"), httpx.Client(transport=transport))


@pytest.mark.parametrize(
    ("said", "status", "why"),
    [
        ({"issuer": "https://evil.example"}, 200, "calls itself 'https://evil.example'"),
        ({"issuer": "https://id.example"}, 200, "names no authorization_endpoint"),
        (
            {"issuer": "https://id.example", "authorization_endpoint": "http://id.example/a"},
            200,
            "under https",
        ),
        (b"<html>", 200, "without JSON"),
        ({}, 503, "answers 503"),
        (b"x" * 1_100_000, 200, "does not end"),
    ],
)
def test_what_a_provider_may_not_say(said: object, status: int, why: str) -> None:
    with pytest.raises(ProviderDown, match=why):
        answering(said, status).authorize_url(Flow.new("/"), BACK)


def test_a_cookie_that_somebody_else_wrote_is_no_flow() -> None:
    for value in ("", "x", "W10", "eyJhIjoxfQ", "WzEsMiwzLDRd", "\udcff"):
        assert Flow.loaded(value) is None


def test_only_verified_addresses_of_our_domains() -> None:
    from monitor.access.sso import _check_domain

    rules = Rules(default=Role.VIEWER, domains=("bank.example",))
    _check_domain({"email": "ann@Bank.example", "email_verified": True}, rules)
    for claims in (
        {"email": "ann@bank.example"},
        {"email": "ann@bank.example", "email_verified": "true"},
        {"email": "ann@bank.example.evil", "email_verified": True},
        {"email": "ann@bank.example@evil", "email_verified": True},
        {},
    ):
        with pytest.raises(SsoError, match=r"only verified mail addresses of bank\.example"):
            _check_domain(claims, rules)
    assert role_of({}, rules) is Role.VIEWER


@pytest.mark.parametrize(
    ("web", "said"),
    [
        ({"oidc": {"issuer": "http://id.example", "client_id": "x", "default_role": "viewer"}}, "https"),
        ({"oidc": {"issuer": "https://id.example", "client_id": "x"}}, "nobody could sign in"),
        ({"passwords": False}, "nobody could sign in"),
        (
            {"oidc": {"issuer": "https://id.example", "client_id": "x", "roles": {"a": "boss"}}},
            "roles",
        ),
    ],
)  # fmt: skip
def test_settings_that_would_let_nobody_in_or_leak_are_refused(
    web: dict[str, object], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        load_settings(None, {"web": web})
