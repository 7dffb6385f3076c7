"""``foreshock alert``: what people do about alerts at the command line, over a real store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from monitor.cli import app
from monitor.errors import ConfigError
from monitor.store import Store, audit
from tests.unit.notify.desk import Desk, alert

ONE, TWO = alert(), alert("brown", "fraud")


@pytest.fixture
def db(tmp_path: Path) -> str:
    desk = Desk(tmp_path)
    desk.happens(ONE, "fired")
    desk.happens(TWO, "fired")
    return f"sqlite:///{tmp_path / 'desk.db'}"


def run(db: str, *arguments: str) -> Result:
    result = CliRunner().invoke(app, ["alert", *arguments, "--db", db])
    if isinstance(result.exception, ConfigError):
        raise result.exception
    return result


def test_acts_on_many_name_those_that_refuse(db: str) -> None:
    first = run(db, "acknowledge", ONE.id[:10], "--by", "ann", "--comment", "on it")
    assert (first.exit_code, first.stdout) == (0, f"{ONE.id[:8]}: acknowledged\n")
    both = run(db, "acknowledge", ONE.id, TWO.id, "--by", "bob")
    assert both.exit_code == 1 and both.stdout == f"{TWO.id[:8]}: acknowledged\n"
    assert "ann acknowledged it at" in both.stderr
    for arguments in (
        ("assign", ONE.id, "--to", "bob"),
        ("snooze", ONE.id, "--for", "4h"),
        ("snooze", ONE.id, "--for", "0"),
        ("resolve", ONE.id, "--comment", "known since March"),
        ("reopen", ONE.id),
        ("comment", ONE.id, "--text", "call at two"),
    ):
        assert run(db, *arguments, "--by", "ann").exit_code == 0
    told = [entry.act for entry in audit.trail(Store(db), ONE.id)]
    assert told == [
        *("acknowledged", "assigned", "snoozed", "unsnoozed", "resolved", "reopened", "commented")
    ]
    shown = run(db, "show", ONE.id[:6]).stdout
    assert "acknowledged by ann: on it" in shown and "commented by ann: call at two" in shown
    assert "desk: sent" in shown
    (whole,) = json.loads(run(db, "show", ONE.id, "--json").stdout)
    assert len(whole["history"]) == 8


def test_verdicts_make_a_precision(db: str) -> None:
    assert run(db, "precision").stdout.startswith("no verdict yet")
    run(db, "verdict", ONE.id, "--is", "true", "--by", "ann")
    run(db, "verdict", TWO.id, "--is", "false", "--note", "routine", "--by", "ann")
    told = run(db, "precision").stdout
    assert told.startswith("2 verdicts: precision 0.500 [0.095, 0.905]")
    found = json.loads(run(db, "precision", "--since", "2026-01-06", "--json").stdout)
    assert found["judged"] == 0
    assert "no verdict 'maybe'" in run(db, "verdict", ONE.id, "--is", "maybe").stderr


def test_an_unknown_beginning_says_so(db: str) -> None:
    with pytest.raises(ConfigError, match="zz: no alert begins with that"):
        run(db, "show", "zz")
    with pytest.raises(ConfigError, match="--for 'soon' is no duration"):
        run(db, "snooze", ONE.id, "--for", "soon")
