"""People, sessions, tokens and the brake on guessing, over both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest
from argon2 import PasswordHasher

from monitor.access import passwords
from monitor.access.roles import Forbidden, Role
from monitor.access.signing import (
    FREE_NAME,
    LONGEST_WAIT,
    Refused,
    SignedIn,
    change_password,
    first_admin,
    invite,
    issue_token,
    sign_in,
)
from monitor.errors import ConfigError
from monitor.store import Store, audit, people
from tests.support.make import T0

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def _light(monkeypatch: pytest.MonkeyPatch) -> None:
    """Argon2 as light as it goes: these tests hash often, and are not about its cost."""
    light = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_HASHER", light)
    monkeypatch.setattr(passwords, "_NOBODY", [])


@pytest.fixture
def password(store: Store) -> str:
    with store.write() as connection:
        return invite(connection, "ann", Role.ANALYST, "root", T0)


def enter(
    store: Store, password: str, name: str = "ann", at: int = 0, address: str = "::1"
) -> object:
    return sign_in(store, name, password, address, T0 + at * SECOND, HOUR)


def test_the_first_admin_is_made_once(store: Store) -> None:
    password = first_admin(store, T0)
    assert password is not None and first_admin(store, T0) is None
    found = sign_in(store, "admin", password, "::1", T0, HOUR)
    assert isinstance(found, SignedIn) and found.person.must_change
    assert found.person.role is Role.ADMIN


def test_a_session_ends_by_time_by_disabling_and_with_a_new_password(
    store: Store, password: str
) -> None:
    def opened(at: int) -> str:
        found = enter(store, password, at=at)
        assert isinstance(found, SignedIn)
        return found.secret

    def goes_on(secret: str, at: int) -> bool:
        with store.read() as connection:
            return people.session(connection, secret, T0 + at * SECOND) is not None

    first = opened(0)
    assert goes_on(first, 3599) and not goes_on(first, 3600) and not goes_on("other", 1)
    second = opened(10)
    with store.write() as connection:
        people.set_disabled(connection, "ann", True, "root", T0)
    assert not goes_on(second, 11) and isinstance(enter(store, password, at=12), Refused)
    with store.write() as connection:
        people.set_disabled(connection, "ann", False, "root", T0)
    third = opened(4000)
    change_password(store, "ann", password, "a quite new passphrase", T0)
    assert not goes_on(third, 4001) and isinstance(enter(store, password, at=4002), Refused)
    found = enter(store, "a quite new passphrase", at=4003)
    assert isinstance(found, SignedIn) and not found.person.must_change


def test_no_secret_is_stored(store: Store, password: str) -> None:
    found = enter(store, password)
    assert isinstance(found, SignedIn)
    with store.write() as connection:
        _, token = issue_token(connection, "ann", "ci", ("read",), HOUR, "root", T0)
        stored = "".join(
            str(connection.exec_driver_sql(f"SELECT * FROM {table}").all())
            for table in ("people", "sessions", "tokens", "audit", "signins")
        )
    assert "argon2id" in stored
    assert not [secret for secret in (password, found.secret, token) if secret in stored]


def test_a_new_password_has_to_do(store: Store, password: str) -> None:
    for new, reason in (
        ("short", "12 to 256"),
        ("x" * 257, "12 to 256"),
        ("i am ANN and long", "name"),
        (password, "another password"),
    ):
        with pytest.raises(ConfigError, match=reason):
            change_password(store, "ann", password, new, T0)
    with pytest.raises(ConfigError, match="present password"):
        change_password(store, "ann", "wrong", "a quite new passphrase", T0)


def test_guessing_waits_longer_each_time_and_a_restart_does_not_forget(
    store: Store, store_url: str, password: str
) -> None:
    for _ in range(FREE_NAME):
        assert enter(store, "guess") == Refused(timedelta())
    waits = []
    at = 0
    for _ in range(4):
        refused = enter(store, password, at=at, address=f"10.0.0.{at}")  # the right one, too early
        assert isinstance(refused, Refused)
        waits.append(refused.wait)
        at += round(refused.wait.total_seconds())
        enter(store, "guess", at=at)
    assert waits == [SECOND, 2 * SECOND, 4 * SECOND, 8 * SECOND]
    again = Store(store_url)
    assert isinstance(enter(again, password, at=at), Refused)
    again.close()
    assert isinstance(enter(store, password, at=at + 900), SignedIn)
    assert isinstance(enter(store, password, at=at + 901), SignedIn)  # and is forgotten


def test_guessing_from_one_address_at_many_names_waits_too(store: Store, password: str) -> None:
    found = [enter(store, "guess", name=f"n{number}", at=number // 10) for number in range(60)]
    assert found[-1] != Refused(timedelta())
    assert isinstance(enter(store, password, address="::2"), SignedIn)
    assert all(refused.wait <= LONGEST_WAIT for refused in found if isinstance(refused, Refused))


def test_nobody_takes_as_long_as_somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    verify = passwords._HASHER.verify

    class Watched:
        hash = staticmethod(passwords._HASHER.hash)

        @staticmethod
        def verify(stored: str, password: str) -> bool:
            looked.append(stored)
            return verify(stored, password)

    stored = passwords.hashed("a quite new passphrase", "ann")
    monkeypatch.setattr(passwords, "_HASHER", Watched)
    assert not passwords.is_right("guess", None) and not passwords.is_right("guess", stored)
    assert [text.split("$")[3] for text in looked] == [stored.split("$")[3]] * 2


def test_tokens_are_bounded_by_the_role_and_end(store: Store, password: str) -> None:
    with store.write() as connection:
        with pytest.raises(Forbidden):
            issue_token(connection, "ann", "", ("admin",), HOUR, "root", T0)
        with pytest.raises(ConfigError, match="no scope"):
            issue_token(connection, "ann", "", ("write",), HOUR, "root", T0)
        token, secret = issue_token(connection, "ann", "", ("read", "act"), HOUR, "root", T0)
        found = people.token(connection, secret, T0)
        assert found is not None and found[1] == token and found[0].name == "ann"
        assert people.token(connection, secret, T0 + HOUR) is None
        assert people.token(connection, secret[:-1], T0) is None
        assert people.revoke(connection, token.id, "root", T0)
        assert people.token(connection, secret, T0) is None
        assert not people.revoke(connection, token.id, "root", T0)


def test_everything_about_people_is_in_the_audit(store: Store, password: str) -> None:
    with store.write() as connection:
        people.set_role(connection, "ann", Role.VIEWER, "root", T0)
        assert not people.set_role(connection, "bob", Role.VIEWER, "root", T0)
    enter(store, password)
    told = [(entry.who, entry.act) for entry in audit.trail(store, "person ann")]
    assert told == [("root", "person added"), ("root", "role changed"), ("ann", "signed in")]
    assert audit.trail(store, "person ann")[1].before == {"role": "analyst"}


@pytest.mark.parametrize("name", ["", " ann", "a\nb", "<b>", "x" * 61, "a  b"])
def test_a_name_is_plain(store: Store, name: str) -> None:
    with store.write() as connection, pytest.raises(ConfigError, match="no name"):
        invite(connection, name, Role.VIEWER, "root", T0)


def test_a_one_time_password_never_holds_the_name_it_is_for() -> None:
    for _ in range(50):
        drawn = passwords.one_time("a")
        assert "a" not in drawn.casefold() and passwords.hashed(drawn, "a")
