"""Who somebody is here whom an identity provider vouches for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from monitor.access import signing
from monitor.access.oidc import SsoError, claimed
from monitor.access.roles import Role
from monitor.access.signing import SignedIn
from monitor.store import Connection, Store, people
from monitor.store.people import Person


@dataclass(frozen=True, slots=True)
class Rules:
    """How a token's claims become somebody here.

    Parameters
    ----------
    name
        Claim with the name that acts and the audit bear.
    role
        Claim with groups or roles; dots lead into nested ones.
    roles
        The role that each of its values gives; the highest counts.
    default
        Role of who has none of them; ``None`` keeps them out.
    domains
        Only verified mail addresses of these domains; empty for all.
    """

    name: str = "preferred_username"
    role: str = "groups"
    roles: Mapping[str, Role] = field(default_factory=dict)
    default: Role | None = None
    domains: tuple[str, ...] = ()


def sign_in(
    store: Store,
    issuer: str,
    claims: Mapping[str, Any],
    rules: Rules,
    now: datetime,
    lasts: timedelta,
) -> SignedIn:
    """Open a session for whom the claims are about; somebody new is added, a changed role is taken over.

    People are known by issuer and subject, which never change hands, and not by their names.

    Raises
    ------
    SsoError
        They may not sign in; the message says why.
    """
    _check_domain(claims, rules)
    role = role_of(claims, rules)
    with store.write() as connection:
        person = _person(connection, issuer, str(claims["sub"]), claims, role, rules, now)
        if person.disabled:
            raise SsoError(f"your account here, {person.name}, is disabled; ask an administrator")
        return signing.open_session(connection, person, now, lasts)


def role_of(claims: Mapping[str, Any], rules: Rules) -> Role:
    """Return the highest role that the claims give.

    Raises
    ------
    SsoError
        They give none.

    Examples
    --------
    >>> rules = Rules(roles={"risk": Role.ANALYST, "ops": Role.ADMIN})
    >>> role_of({"groups": ["risk", "ops", "tennis"]}, rules).value
    'admin'
    """
    given = [rules.roles[each] for each in claimed(claims, rules.role) if each in rules.roles]
    if rules.default is not None:
        given.append(rules.default)
    if not given:
        raise SsoError(
            "your account is in no group that may use this service; ask an administrator"
        )
    return max(given, key=list(Role).index)


def _person(
    connection: Connection,
    issuer: str,
    subject: str,
    claims: Mapping[str, Any],
    role: Role,
    rules: Rules,
    now: datetime,
) -> Person:
    found = people.by_identity(connection, issuer, subject)
    if found is None:
        new = Person(_name(claims, rules), role)
        if people.add(connection, new, people.NO_PASSWORD, issuer, now, "first single sign-on"):
            people.link(connection, issuer, subject, new.name, issuer, now)
            return new
        found = people.by_identity(connection, issuer, subject)  # in a second browser, just now
        if found is None:
            raise SsoError(
                f"there is somebody called {new.name} here already; if that is you, an administrator can "
                f"say so: foreshock people link '{new.name}' --subject '{subject}'"
            )
    if found.role is not role and not found.disabled:
        people.set_role(connection, found.name, role, issuer, now)
        return replace(found, role=role)
    return found


def _name(claims: Mapping[str, Any], rules: Rules) -> str:
    for claim in (rules.name, "email", "sub"):
        value = claims.get(claim)
        if isinstance(value, str) and signing.is_name(value):
            return value
    raise SsoError(f"your account has no name that can be used here (claim {rules.name})")


def _check_domain(claims: Mapping[str, Any], rules: Rules) -> None:
    if not rules.domains:
        return
    address = claims.get("email")
    domain = address.rpartition("@")[2].casefold() if isinstance(address, str) else ""
    if claims.get("email_verified") is not True or domain not in rules.domains:
        raise SsoError(
            "only verified mail addresses of "
            f"{', '.join(rules.domains)} may use this service; ask an administrator"
        )
