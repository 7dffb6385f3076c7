"""``foreshock people`` and ``foreshock audit``, as a person types them."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path

from sqlalchemy import update
from typer.testing import CliRunner, Result

from monitor.access.signing import SignedIn, sign_in
from monitor.cli import app
from monitor.clock import SystemClock
from monitor.store import Store, people
from monitor.store.schema import audit as table

HOUR = timedelta(hours=1)


def run(db: str, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--db", db])


def test_somebody_is_added_changed_kept_out_and_all_of_it_is_told(tmp_path: Path) -> None:
    db = f"sqlite:///{tmp_path / 'f.db'}"
    added = run(db, "people", "add", "ann", "--role", "analyst", "--by", "root")
    assert added.exit_code == 0
    password = re.findall(r"password: (\w+)", added.output)[0]
    store = Store(db)
    now = SystemClock().now()
    assert isinstance(sign_in(store, "ann", password, "::1", now, HOUR), SignedIn)
    assert run(db, "people", "add", "ann").exit_code == 2
    assert run(db, "people", "role", "bob", "admin").exit_code == 2

    made = run(db, "people", "token", "ann", "--scopes", "read,act", "--label", "bot")
    secret = re.findall(r"foreshock_\S+", made.output)[0]
    refused = run(db, "people", "token", "ann", "--scopes", "admin")
    assert refused.exit_code == 2 and "takes admin" in refused.output
    listed = json.loads(run(db, "people", "list", "--json").output)
    (person,) = listed
    (token,) = person["tokens"]
    assert (person["name"], person["role"], token["label"]) == ("ann", "analyst", "bot")
    assert secret not in str(listed)
    with store.read() as connection:
        assert people.token(connection, secret, SystemClock().now()) is not None
    assert run(db, "people", "token", "ann", "--revoke", token["id"]).exit_code == 0
    with store.read() as connection:
        assert people.token(connection, secret, SystemClock().now()) is None

    assert run(db, "people", "role", "ann", "viewer").exit_code == 0
    assert run(db, "people", "disable", "ann").exit_code == 0
    assert "disabled" in run(db, "people", "list").output
    assert run(db, "people", "disable", "ann", "--undo").exit_code == 0
    assert "one-time password" in run(db, "people", "password", "ann").output
    told = [each["act"] for each in json.loads(run(db, "audit", "list", "--json").output)]
    assert told[::-1] == [
        *("person added", "signed in", "token made", "token revoked", "role changed"),
        *("disabled", "enabled", "password set"),
    ]
    store.close()


def test_a_changed_audit_is_named(tmp_path: Path) -> None:
    db = f"sqlite:///{tmp_path / 'f.db'}"
    for name in ("ann", "bob"):
        run(db, "people", "add", name)
    whole = run(db, "audit", "verify")
    head = re.findall(r"head (\w{64})", whole.output)[0]
    assert whole.exit_code == 0
    assert run(db, "audit", "verify", "--expect", head).exit_code == 0
    assert run(db, "audit", "verify", "--expect", "f" * 64).exit_code == 1
    store = Store(db)
    with store.write() as connection:
        connection.execute(update(table).where(table.c.id == 1).values(who="nobody"))
    store.close()
    broken = run(db, "audit", "verify")
    assert broken.exit_code == 1 and "entry 1 was changed" in broken.output
