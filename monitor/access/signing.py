"""Signing in: by name and password in a browser, by token in a program; and the first admin."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.access import passwords
from monitor.access.roles import SCOPES, Forbidden, Role
from monitor.errors import ConfigError
from monitor.store import Connection, Store, people
from monitor.store.people import Person, Token

#: Tries of a name and of an address that cost nothing; after these each waits longer than the one before.
FREE_NAME, FREE_ADDRESS = 5, 20
LONGEST_WAIT = timedelta(minutes=15)
TOKEN_PREFIX = "foreshock_"  # secret scanners find such strings in code
FIRST = "admin"
_NAME = re.compile(r"[\w.@ -]{1,60}")


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What the browser gets: the secret of its session."""

    person: Person
    secret: str


@dataclass(frozen=True, slots=True)
class Refused:
    """No: the same whatever was wrong. ``wait`` is how long no further try is looked at."""

    wait: timedelta


def sign_in(
    store: Store, name: str, password: str, address: str, now: datetime, lasts: timedelta
) -> SignedIn | Refused:
    """Check name and password; open a session, or say no."""
    name = " ".join(name.split())[:60]
    keys = ((f"name {name.casefold()}", FREE_NAME), _address(address))
    with store.write() as connection:
        wait = people.try_signin(connection, keys, now, LONGEST_WAIT)
    if wait:
        return Refused(wait)
    with store.read() as connection:
        stored = people.password_of(connection, name)
    if not passwords.is_right(password, stored):
        return Refused(timedelta())
    with store.write() as connection:
        person = people.get(connection, name)
        if person is None or person.disabled:  # since then
            return Refused(timedelta())
        people.forgive(connection, [key for key, _ in keys])
        return open_session(connection, person, now, lasts)


def open_session(
    connection: Connection, person: Person, now: datetime, lasts: timedelta
) -> SignedIn:
    """Sign somebody in, whoever vouched for them."""
    secret, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    people.open_session(connection, secret, csrf, person.name, now, lasts)
    return SignedIn(person, secret)


@contextmanager
def guarded(store: Store, address: str, now: datetime) -> Iterator[timedelta]:
    """Count a try from an address, and forgive it when the block ends well.

    Yields
    ------
    timedelta
        How long no try from there is looked at; then nothing may be tried.
    """
    key = _address(address)
    with store.write() as connection:
        wait = people.try_signin(connection, (key,), now, LONGEST_WAIT)
    yield wait
    with store.write() as connection:
        people.forgive(connection, [key[0]])


def _address(address: str) -> tuple[str, int]:
    return (f"address {address[:100]}", FREE_ADDRESS)


def change_password(store: Store, name: str, old: str, new: str, now: datetime) -> None:
    """Let somebody choose a new password; all their sessions end.

    Raises
    ------
    ConfigError
        The old one is wrong, or the new one will not do.
    """
    with store.read() as connection:
        stored = people.password_of(connection, name)
    if not passwords.is_right(old, stored):
        raise ConfigError("the present password is another one")
    if old == new:
        raise ConfigError("choose another password than the present one")
    hashed = passwords.hashed(new, name)
    with store.write() as connection:
        people.set_password(connection, name, hashed, must_change=False, by=name, now=now)


def is_name(text: str) -> bool:
    """Say whether somebody may be called that.

    Examples
    --------
    >>> is_name("ann.lee@desk"), is_name("Ann  Lee"), is_name("<b>")
    (True, False, False)
    """
    return bool(_NAME.fullmatch(text)) and text == " ".join(text.split())


def invite(connection: Connection, name: str, role: Role, by: str, now: datetime) -> str:
    """Add somebody; return the one-time password that they have to change when they first sign in.

    Raises
    ------
    ConfigError
        The name is taken, or is none.
    """
    if not is_name(name):
        raise ConfigError(f"{name!r} is no name: letters, digits, and . _ - @, at most 60")
    password = passwords.one_time(name)
    person = Person(name, role, must_change=True)
    if not people.add(connection, person, passwords.hashed(password, name), by, now):
        raise ConfigError(f"there is somebody called {name} already")
    return password


def first_admin(store: Store, now: datetime) -> str | None:
    """Where nobody may sign in yet, add an admin; return the one-time password, or ``None``."""
    with store.read() as connection:
        if people.is_anybody(connection):
            return None
    password = passwords.one_time(FIRST)
    hashed = passwords.hashed(password, FIRST)
    person = Person(FIRST, Role.ADMIN, must_change=True)
    with store.write() as connection:  # of two processes that start at once, one adds
        added = people.add(connection, person, hashed, "foreshock", now, "the first start")
    return password if added else None


def issue_token(
    connection: Connection,
    name: str,
    label: str,
    scopes: tuple[str, ...],
    lasts: timedelta,
    by: str,
    now: datetime,
) -> tuple[Token, str]:
    """Make a token for somebody; return it and its secret, which is not to be had again.

    Raises
    ------
    ConfigError
        There is no such person or scope.
    Forbidden
        The person's role does not allow a scope.
    """
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        raise ConfigError(f"no scope {', '.join(unknown)!r}; scopes are {', '.join(SCOPES)}")
    person = people.get(connection, name)
    if person is None or person.disabled:
        raise ConfigError(f"nobody called {name} may sign in")
    for scope in scopes:
        if not person.role.may(SCOPES[scope]):
            raise Forbidden(f"{name} is {person.role.value}: scope {scope} takes {SCOPES[scope]}")
    token = Token(secrets.token_hex(4), name, label, scopes, now, now + lasts)
    secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
    people.add_token(connection, token, secret, by)
    return token, secret
