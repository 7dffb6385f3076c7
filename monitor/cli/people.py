"""``people`` and ``audit``: who may sign in, and what everybody did."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.access.roles import Role
from monitor.cli.options import (
    ByOption,
    ConfigOption,
    DbOption,
    JsonOption,
    name_of,
    settings_of,
    told,
)
from monitor.errors import ConfigError

if TYPE_CHECKING:
    from monitor.store import Store

people_app = typer.Typer(help="Who may sign in, and as what.", no_args_is_help=True)
audit_app = typer.Typer(
    help="What people did, and whether that was tampered with.", no_args_is_help=True
)

_Name = Annotated[str, typer.Argument(metavar="NAME", help="What the person signs in as.")]


@people_app.command()
def add(
    name: _Name,
    role: Annotated[
        Role, typer.Option(help="viewer looks; analyst acts, too; admin also looks after people.")
    ] = Role.VIEWER,
    by: ByOption = None,
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Add somebody, and print the one-time password that they change when they first sign in."""
    from monitor.access.signing import invite
    from monitor.store.clock import time_of

    with _store(config, db) as store, store.write() as connection:
        password = invite(connection, name, role, name_of(by), time_of(store))
    typer.echo(f"{name}, {role.value}; one-time password: {password}")


@people_app.command("list")
def list_(config: ConfigOption = None, db: DbOption = None, as_json: JsonOption = False) -> None:
    """List who may sign in, as what, and with which tokens."""
    from monitor.store import people

    with _store(config, db) as store, store.read() as connection:
        found, tokens = people.load(connection), people.tokens_of(connection)
        identities = people.identities_of(connection)
    if as_json:
        rows = [
            {
                "name": person.name,
                "role": person.role.value,
                "disabled": person.disabled,
                "must_change": person.must_change,
                "tokens": [
                    {
                        "id": token.id,
                        "label": token.label,
                        "scopes": token.scopes,
                        "expires_at": token.expires_at.isoformat(),
                    }
                    for token in tokens
                    if token.person == person.name
                ],
                "identities": [
                    {"issuer": each.issuer, "subject": each.subject}
                    for each in identities
                    if each.person == person.name
                ],
            }
            for person in found
        ]
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    for person in found:
        notes = [" disabled"] if person.disabled else []
        notes += [" has not signed in yet"] if person.must_change else []
        typer.echo(f"{person.name:24} {person.role.value:8}{','.join(notes)}")
        for each in identities:
            if each.person == person.name:
                typer.echo(f"    single sign-on {each.subject} of {each.issuer}")
        for token in tokens:
            if token.person == person.name:
                typer.echo(
                    f"    token {token.id}  {', '.join(token.scopes)}, until "
                    f"{token.expires_at:%Y-%m-%d}  {token.label}"
                )
    if not found:
        typer.echo("nobody yet: the first start of the web process adds an admin")


@people_app.command("role")
def set_role(
    name: _Name,
    role: Annotated[Role, typer.Argument(metavar="ROLE", help="viewer, analyst or admin.")],
    by: ByOption = None,
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Give somebody another role; it counts from the next click on."""
    from monitor.store import people
    from monitor.store.clock import time_of

    with _store(config, db) as store, store.write() as connection:
        _found(people.set_role(connection, name, role, name_of(by), time_of(store)), name)
    typer.echo(f"{name}: {role.value}")


@people_app.command()
def password(
    name: _Name, by: ByOption = None, config: ConfigOption = None, db: DbOption = None
) -> None:
    """Give somebody a new one-time password, and end their sessions."""
    from monitor.access import passwords
    from monitor.store import people
    from monitor.store.clock import time_of

    secret = passwords.one_time(name)
    hashed = passwords.hashed(secret, name)
    with _store(config, db) as store, store.write() as connection:
        now = time_of(store)
        done = people.set_password(connection, name, hashed, True, name_of(by), now)
        _found(done, name)
    typer.echo(f"{name}; one-time password: {secret}")


@people_app.command()
def disable(
    name: _Name,
    undo: Annotated[bool, typer.Option("--undo", help="Let them in again.")] = False,
    by: ByOption = None,
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Keep somebody out, at once; their sessions and tokens end, what they did stays."""
    from monitor.store import people
    from monitor.store.clock import time_of

    with _store(config, db) as store, store.write() as connection:
        now = time_of(store)
        _found(people.set_disabled(connection, name, not undo, name_of(by), now), name)
    typer.echo(f"{name}: {'may sign in' if undo else 'disabled'}")


@people_app.command()
def link(
    name: _Name,
    subject: Annotated[
        str, typer.Option(help="What the identity provider calls them: the `sub` of their tokens.")
    ],
    by: ByOption = None,
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Let somebody who is here already sign in by single sign-on, as well as by password."""
    from monitor.store import people
    from monitor.store.clock import time_of

    with told():
        oidc = settings_of(config, db).web.oidc
        if oidc is None:
            raise ConfigError(
                "there is no [web.oidc] in the settings; name their file with --config"
            )
    with _store(config, db) as store, store.write() as connection:
        now = time_of(store)
        _found(people.link(connection, oidc.issuer, subject, name, name_of(by), now), name)
    typer.echo(f"{name}: {subject} of {oidc.issuer}")


@people_app.command()
def token(
    name: _Name,
    scopes: Annotated[
        str, typer.Option(help="What it may: read, act, admin, separated by commas.")
    ] = "read",
    days: Annotated[float, typer.Option(min=0.001, max=3650, help="How long it is good.")] = 90,
    label: Annotated[str, typer.Option(help="What it is for.")] = "",
    revoke: Annotated[str | None, typer.Option(help="Instead: end the token with this id.")] = None,
    by: ByOption = None,
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Make a token with which a program acts for somebody, and print it, once; or end one."""
    from monitor.access.signing import issue_token
    from monitor.store import people
    from monitor.store.clock import time_of

    who = name_of(by)
    with _store(config, db) as store, store.write() as connection:
        now = time_of(store)
        if revoke is not None:
            if not people.revoke(connection, revoke, who, now):
                raise ConfigError(f"--revoke {revoke}: there is no such token")
            typer.echo(f"{revoke}: good no more")
            return
        named = tuple(part.strip() for part in scopes.split(",") if part.strip())
        lasts = timedelta(days=days)
        made, secret = issue_token(connection, name, label, named, lasts, who, now)
    typer.echo(f"{made.id}, until {made.expires_at:%Y-%m-%d %H:%M} UTC", err=True)
    typer.echo(secret)


@audit_app.command("list")
def audit_list(
    who: Annotated[str | None, typer.Option(help="Only what this person did.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 50,
    config: ConfigOption = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what people did, the newest first."""
    from monitor.store import audit

    with _store(config, db) as store:
        found = audit.newest(store, limit, who=who)
    if as_json:
        rows = [
            {
                "id": each.id,
                "at": each.entry.at.isoformat(),
                "who": each.entry.who,
                "act": each.entry.act,
                "subject": each.entry.subject,
                "before": each.entry.before,
                "after": each.entry.after,
                "comment": each.entry.comment,
                "hash": each.hash,
            }
            for each in found
        ]
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    for each in found:
        entry = each.entry
        typer.echo(
            f"{each.id:6}  {entry.at:%Y-%m-%d %H:%M:%S}  {entry.who} {entry.act}  {entry.subject}"
            f"  {entry.comment}".rstrip()
        )


@audit_app.command()
def verify(
    expect: Annotated[
        str | None,
        typer.Option(help="The head that was printed last time: it has to be in the chain still."),
    ] = None,
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Follow the chain of the audit; name every entry that was changed, deleted or put in.

    Prints the head. Kept outside of the database and given with --expect, it shows even a chain that somebody
    made anew from some entry on.
    """
    from monitor.store import audit

    with _store(config, db) as store:
        found = audit.verify(store)
        troubles = list(found.troubles)
        if expect is not None and not audit.holds(store, expect):
            troubles.append(f"no entry has the hash {expect}: the chain was made anew since then")
    for trouble in troubles:
        typer.echo(trouble, err=True)
    if troubles:
        raise typer.Exit(1)
    typer.echo(f"{found.entries} entries, none tampered with; head {found.head}")


@contextmanager
def _store(config: Path | None, db: str | None) -> Iterator[Store]:
    from monitor.access.roles import Forbidden
    from monitor.store import Store

    with told():
        store = Store(settings_of(config, db).store.url)
        try:
            yield store
        except Forbidden as error:
            raise ConfigError(str(error)) from None
        finally:
            store.close()


def _found(done: bool, name: str) -> None:
    if not done:
        raise ConfigError(f"there is nobody called {name}; `foreshock people list` shows who is")
