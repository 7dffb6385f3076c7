"""``notify`` and ``silence`` at the command line, over a real store; and the document's example."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from monitor.cli import app
from monitor.errors import ConfigError
from monitor.notify.routesfile import read_routes
from tests.unit.notify.desk import Desk, alert

DOCUMENT = Path(__file__).parents[3] / "deploy" / "docs" / "notifications.md"


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(app, list(arguments))
    if isinstance(result.exception, ConfigError):
        raise result.exception
    return result


@pytest.fixture
def db(tmp_path: Path) -> str:
    desk = Desk(tmp_path, "route: {channels: [desk]}")
    desk.happens(alert(), "fired")
    desk.happens(alert(event="strike", severity=2), "fired")
    return f"sqlite:///{tmp_path / 'desk.db'}"


@pytest.fixture
def config(tmp_path: Path) -> str:
    routes = tmp_path / "own.yaml"
    routes.write_text(
        "route: {channels: [screen], min_severity: 2, "
        "routes: [{name: grave, match: {severity: '>=4'}, min_severity: null}]}"
    )
    file = tmp_path / "foreshock.toml"
    file.write_text(
        f'[notify]\nroutes = "{routes}"\n[[notify.channels]]\nname = "screen"\nkind = "console"\n'
    )
    return str(file)


def test_the_log_says_what_became_of_each(db: str) -> None:
    told = run("notify", "log", "--db", db).stdout
    assert re.search(r"sent after 0\.0 s  desk  \w{8} fired  \[4/5 severe\] Acme: recall", told)
    assert "suppressed" in told and "(severity 2 is below 3)" in told
    rows = json.loads(run("notify", "log", "--db", db, "--state", "sent", "--json").stdout)
    assert [row["channel"] for row in rows] == ["desk"] and rows[0]["attempts"] == 1
    assert run("notify", "log", "--db", db, "--channel", "mail").stdout == "no notification\n"


def test_a_test_message_is_marked_as_one(config: str) -> None:
    result = run("notify", "test", "--config", config, "--severity", "5")
    assert result.exit_code == 0 and "screen: sent" in result.stdout
    with pytest.raises(ConfigError, match="no channel 'mail'; channels are screen"):
        run("notify", "test", "mail", "--config", config)


def test_a_channel_that_fails_says_so(tmp_path: Path) -> None:
    file = tmp_path / "foreshock.toml"
    file.write_text(
        '[[notify.channels]]\nname = "hook"\nkind = "webhook"\nurl = "http://127.0.0.1:9/"\nsecret = "k"\n'
    )
    result = run("notify", "test", "--config", str(file))
    assert result.exit_code == 1 and "hook: did not take it: channel 'hook'" in result.stdout


def test_routes_shows_the_tree_and_the_way_of_an_alert(config: str, db: str) -> None:
    tree = run("notify", "routes", "--config", config).stdout
    assert tree == "route: everything from severity 2 on -> screen\ngrave: severity>=4 -> screen\n"
    way = run("notify", "routes", "--config", config, "--db", db, "--alert", alert().id[:6]).stdout
    assert "family: product" in way and way.endswith("grave -> screen\n")
    with pytest.raises(ConfigError, match="nothing: 0 alerts begin with that"):
        run("notify", "routes", "--config", config, "--db", db, "--alert", "nothing")


def test_a_silence_is_added_listed_and_ended(db: str) -> None:
    add = ("silence", "add", "company=Acme|Brown", "severity>=4", "--for", "4h")
    told = run(*add, "--comment", "known", "--by", "ann", "--db", db).stdout
    assert told.startswith("silence 1 until ")
    listed = run("silence", "list", "--db", db).stdout
    assert "ann  company=['Acme', 'Brown'], severity=>=4  known" in listed
    assert run("silence", "expire", "1", "--db", db).stdout == "silence 1 is over\n"
    assert run("silence", "list", "--db", db).stdout == "no silence holds\n"
    assert "1  over" in run("silence", "list", "--all", "--db", db).stdout
    with pytest.raises(ConfigError, match="no silence 1 holds"):
        run("silence", "expire", "1", "--db", db)
    with pytest.raises(ConfigError, match="unknown label `firm`"):
        run("silence", "add", "firm=Acme", "--for", "4h", "--comment", "x", "--db", db)


def test_the_example_in_the_document_is_a_routes_file(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    file = tmp_path / "routes.yaml"
    file.write_text(example)
    channels = frozenset({"desk", "pager", "boss", "rates-desk", "mail"})
    assert read_routes(file, channels).channels == channels
