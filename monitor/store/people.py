"""People, their sessions and their tokens. Of secrets there are only hashes here."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Row, delete, func, select, update

from monitor.access.roles import Role
from monitor.domain import from_micros, to_micros
from monitor.store.audit import AuditEntry, audited
from monitor.store.schema import identities, people, sessions, signins, tokens
from monitor.store.upsert import insert

#: In place of a hash: somebody who signs in with an identity provider only.
NO_PASSWORD = ""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may sign in, unless ``disabled``."""

    name: str
    role: Role
    disabled: bool = False
    must_change: bool = False  # the password, before anything else


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom an identity provider knows somebody as."""

    issuer: str
    subject: str
    person: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Session:
    """A browser in which somebody is signed in; ``csrf`` goes with each of its forms."""

    person: Person
    csrf: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Token:
    """What a program signs in with; ``id`` names it, and is no secret."""

    id: str
    person: str
    label: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime


def hash_of(secret: str) -> str:
    """Return what is stored of a session's or a token's secret, which is random: hex SHA-256."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def add(
    connection: Connection, person: Person, password: str, by: str, now: datetime, note: str = ""
) -> bool:
    """Add somebody with the hash of a password; say whether the name was free."""
    row = {
        "name": person.name,
        "password": password,
        "role": person.role.value,
        "disabled": person.disabled,
        "must_change": person.must_change,
        "created_us": to_micros(now),
    }
    statement = insert(connection, people).on_conflict_do_nothing().returning(people.c.name)
    if connection.execute(statement, row).first() is None:
        return False
    _said(connection, now, by, "person added", person.name, {}, {"role": person.role.value}, note)
    return True


def load(connection: Connection) -> list[Person]:
    """Return everybody, by name."""
    return [_person(row) for row in connection.execute(select(people).order_by(people.c.name))]


def get(connection: Connection, name: str) -> Person | None:
    found = connection.execute(select(people).where(people.c.name == name)).first()
    return None if found is None else _person(found)


def password_of(connection: Connection, name: str) -> str | None:
    """Return the hash of somebody's password; ``None`` where nobody of that name may sign in."""
    query = select(people.c.password).where(people.c.name == name, people.c.disabled.is_(False))
    return connection.execute(query).scalar_one_or_none()


def is_anybody(connection: Connection) -> bool:
    return bool(connection.execute(select(func.count()).select_from(people)).scalar_one())


def set_role(connection: Connection, name: str, role: Role, by: str, now: datetime) -> bool:
    """Give somebody another role; say whether there is such a person."""
    return _change(connection, name, {"role": role.value}, "role changed", by, now)


def set_disabled(connection: Connection, name: str, disabled: bool, by: str, now: datetime) -> bool:
    """Keep somebody out, with sessions and tokens ended, or let them in again."""
    act = "disabled" if disabled else "enabled"
    done = _change(connection, name, {"disabled": disabled}, act, by, now)
    if done and disabled:
        connection.execute(delete(sessions).where(sessions.c.person == name))
        connection.execute(delete(tokens).where(tokens.c.person == name))
    return done


def set_password(
    connection: Connection, name: str, password: str, must_change: bool, by: str, now: datetime
) -> bool:
    """Set the hash of somebody's password and end their sessions; say whether there is such a person."""
    found = connection.execute(
        update(people)
        .where(people.c.name == name)
        .values(password=password, must_change=must_change)
    ).rowcount
    if found:
        connection.execute(delete(sessions).where(sessions.c.person == name))
        _said(connection, now, by, "password set", name, {}, {}, "")
    return bool(found)


def open_session(
    connection: Connection, secret: str, csrf: str, name: str, now: datetime, lasts: timedelta
) -> None:
    """Sign somebody in; sessions that are over are forgotten."""
    connection.execute(delete(sessions).where(sessions.c.expires_us <= to_micros(now)))
    row = {
        "hash": hash_of(secret),
        "person": name,
        "csrf": csrf,
        "started_us": to_micros(now),
        "expires_us": to_micros(now + lasts),
    }
    connection.execute(sessions.insert(), row)
    _said(connection, now, name, "signed in", name, {}, {}, "")


def session(connection: Connection, secret: str, now: datetime) -> Session | None:
    """Return the session of a secret, if it goes on and its person is not disabled."""
    query = (
        select(people, sessions.c.csrf, sessions.c.expires_us)
        .join(sessions, sessions.c.person == people.c.name)
        .where(
            sessions.c.hash == hash_of(secret),
            sessions.c.expires_us > to_micros(now),
            people.c.disabled.is_(False),
        )
    )
    row = connection.execute(query).first()
    return None if row is None else Session(_person(row), row.csrf, from_micros(row.expires_us))


def close_session(connection: Connection, secret: str) -> None:
    connection.execute(delete(sessions).where(sessions.c.hash == hash_of(secret)))


def has_password(connection: Connection, name: str) -> bool:
    """Say whether somebody can sign in with a password."""
    return bool(password_of(connection, name))


def by_identity(connection: Connection, issuer: str, subject: str) -> Person | None:
    """Return whom a provider's subject is here."""
    query = (
        select(people)
        .join(identities, identities.c.person == people.c.name)
        .where(identities.c.issuer == issuer, identities.c.subject == subject)
    )
    row = connection.execute(query).first()
    return None if row is None else _person(row)


def link(
    connection: Connection, issuer: str, subject: str, name: str, by: str, now: datetime
) -> bool:
    """Let a provider's subject sign in as somebody; say whether there is such a person.

    Whom the subject was before, it is no more.
    """
    if get(connection, name) is None:
        return False
    connection.execute(
        delete(identities).where(identities.c.issuer == issuer, identities.c.subject == subject)
    )
    row = {"issuer": issuer, "subject": subject, "person": name, "since_us": to_micros(now)}
    connection.execute(identities.insert(), row)
    _said(
        connection, now, by, "identity linked", name, {}, {"issuer": issuer, "subject": subject}, ""
    )
    return True


def identities_of(connection: Connection) -> list[Identity]:
    """Return everybody whom a provider vouches for, by name."""
    query = select(identities).order_by(identities.c.person, identities.c.issuer)
    return [
        Identity(row.issuer, row.subject, row.person, from_micros(row.since_us))
        for row in connection.execute(query)
    ]


def add_token(connection: Connection, token: Token, secret: str, by: str) -> None:
    """Keep a token under the hash of its secret."""
    row = {
        "id": token.id,
        "hash": hash_of(secret),
        "person": token.person,
        "label": token.label,
        "scopes": list(token.scopes),
        "created_us": to_micros(token.created_at),
        "expires_us": to_micros(token.expires_at),
    }
    connection.execute(tokens.insert(), row)
    after = {"token": token.id, "scopes": list(token.scopes)}
    _said(connection, token.created_at, by, "token made", token.person, {}, after, token.label)


def token(connection: Connection, secret: str, now: datetime) -> tuple[Person, Token] | None:
    """Return whose a token is, if it is good and its person is not disabled."""
    query = (
        select(people, *(tokens.c[name].label(f"token_{name}") for name in _TOKEN))
        .join(tokens, tokens.c.person == people.c.name)
        .where(
            tokens.c.hash == hash_of(secret),
            tokens.c.expires_us > to_micros(now),
            people.c.disabled.is_(False),
        )
    )
    row = connection.execute(query).first()
    return None if row is None else (_person(row), _token(row, "token_"))


def tokens_of(connection: Connection, name: str | None = None) -> list[Token]:
    """Return tokens, the newest first."""
    query = select(tokens).order_by(tokens.c.created_us.desc())
    if name is not None:
        query = query.where(tokens.c.person == name)
    return [_token(row) for row in connection.execute(query)]


def revoke(connection: Connection, id_: str, by: str, now: datetime) -> bool:
    """Let a token be good no more; say whether there is one."""
    statement = delete(tokens).where(tokens.c.id == id_).returning(tokens.c.person)
    person = connection.execute(statement).scalar_one_or_none()
    if person is not None:
        _said(connection, now, by, "token revoked", person, {"token": id_}, {}, "")
    return person is not None


def try_signin(
    connection: Connection, keys: Sequence[tuple[str, int]], now: datetime, longest: timedelta
) -> timedelta:
    """Count a try to sign in against all keys, before it is made; return how long to wait instead of it.

    Counted first, so that many tries at once are no way round. `forgive` takes it back.

    Parameters
    ----------
    keys
        Name and address, each with the tries that it has for nothing; each one after that doubles the
        wait for the next, from a second to ``longest``. A day without a try forgets them.
    """
    now_us = to_micros(now)
    forgotten_us = to_micros(now - timedelta(days=1))
    connection.execute(delete(signins).where(signins.c.last_us < forgotten_us))
    rows = [{"key": key, "failures": 0, "last_us": now_us, "until_us": 0} for key, _ in keys]
    connection.execute(insert(connection, signins).on_conflict_do_nothing(), rows)
    query = select(signins).where(signins.c.key.in_([key for key, _ in keys]))
    # Sorted: of two who lock the same rows, one waits, and neither for ever.
    found = connection.execute(query.order_by(signins.c.key).with_for_update()).all()
    until_us = max(row.until_us for row in found)
    if until_us > now_us:
        return timedelta(microseconds=until_us - now_us)
    for row in found:
        failures = row.failures + 1
        over = failures - dict(keys)[row.key]
        wait = timedelta() if over < 0 else min(longest, timedelta(seconds=2 ** min(over, 20)))
        values = {"failures": failures, "last_us": now_us, "until_us": to_micros(now + wait)}
        connection.execute(update(signins).where(signins.c.key == row.key).values(values))
    return timedelta()


def forgive(connection: Connection, keys: Sequence[str]) -> None:
    """Forget failed tries, after one that was right."""
    connection.execute(delete(signins).where(signins.c.key.in_(keys)))


_TOKEN = ("id", "person", "label", "scopes", "created_us", "expires_us")


def _change(
    connection: Connection,
    name: str,
    values: dict[str, object],
    act: str,
    by: str,
    now: datetime,
) -> bool:
    query = select(people).where(people.c.name == name).with_for_update()
    row = connection.execute(query).mappings().first()
    if row is None:
        return False
    before = {column: row[column] for column in values}
    connection.execute(update(people).where(people.c.name == name).values(values))
    _said(connection, now, by, act, name, before, values, "")
    return True


def _said(
    connection: Connection,
    now: datetime,
    by: str,
    act: str,
    name: str,
    before: Mapping[str, object],
    after: Mapping[str, object],
    note: str,
) -> None:
    audited(connection, AuditEntry(now, by, act, f"person {name}", before, after, note))


def _person(row: Row[tuple[object, ...]]) -> Person:
    return Person(row.name, Role(row.role), row.disabled, row.must_change)


def _token(row: Row[tuple[object, ...]], prefix: str = "") -> Token:
    fields = {name: getattr(row, prefix + name) for name in _TOKEN}
    return Token(
        *(fields["id"], fields["person"], fields["label"], tuple(fields["scopes"])),
        *(from_micros(fields["created_us"]), from_micros(fields["expires_us"])),
    )
