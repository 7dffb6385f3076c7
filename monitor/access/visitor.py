"""Whoever asks for something: who that is, what they may, and the one way in which they act on an alert."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from monitor.access.roles import SCOPES, Forbidden, Role
from monitor.store import Connection, Store, people
from monitor.store.people import Person

Deed = Callable[[Connection, str, str, datetime], None]
"""Does something about an alert: takes transaction, alert id, who does it, and the time."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who signed in.

    ``scopes`` bounds what the role allows; ``key`` names person or token, to count requests; ``csrf`` goes
    with what a browser sends, and is ``None`` for a token.
    """

    person: Person
    scopes: frozenset[str]
    key: str
    csrf: str | None = None

    def may(self, scope: str) -> bool:
        """Say whether both the role and the scopes allow it."""
        return scope in self.scopes and self.person.role.may(SCOPES[scope])

    def need(self, scope: str) -> None:
        """Raise `Forbidden` unless it may."""
        if not self.may(scope):
            what = "token" if self.csrf is None and scope not in self.scopes else "role"
            raise Forbidden(
                f"that takes {SCOPES[scope].value if what == 'role' else f'scope {scope}'}; "
                f"{self.person.name} is {self.person.role.value}"
            )


def local(name: str) -> Visitor:
    """Return who comes where no login is asked for: an analyst."""
    return Visitor(Person(name, Role.ANALYST), frozenset({"read", "act"}), "local", "")


def by_session(store: Store, secret: str, now: datetime) -> Visitor | None:
    """Return who is signed in with a browser's secret; ``None`` when the session is over."""
    with store.read() as connection:
        found = people.session(connection, secret, now)
    if found is None:
        return None
    return Visitor(found.person, frozenset(SCOPES), f"person {found.person.name}", found.csrf)


def by_token(store: Store, secret: str, now: datetime) -> Visitor | None:
    """Return for whom a program acts; ``None`` when the token is not good."""
    with store.read() as connection:
        found = people.token(connection, secret, now)
    if found is None:
        return None
    person, token = found
    return Visitor(person, frozenset(token.scopes), f"token {token.id}")


def act(store: Store, visitor: Visitor, alert_id: str, deed: Deed, now: datetime) -> None:
    """Do something about an alert in a visitor's name.

    Raises
    ------
    Forbidden
        Role or token do not allow acting.
    ActRefused
        The alert does not allow it as it is now.
    """
    visitor.need("act")
    with store.write() as connection:
        deed(connection, alert_id, visitor.person.name, now)
