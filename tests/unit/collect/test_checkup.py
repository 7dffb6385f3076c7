"""What `foreshock feeds check` tells of a source."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from monitor.cli import app

NOW = datetime.now(UTC)


def item(title: str, hours: float | None, link: str = "", text: str = "Some words.") -> str:
    date = "" if hours is None else format_datetime(NOW - timedelta(hours=hours))
    dated = f"<pubDate>{date}</pubDate>" if date else ""
    linked = f"<link>{link}</link>" if link else ""
    return f"<item><title>{title}</title>{linked}<description>{text}</description>{dated}</item>"


def feed(folder: Path, *items: str) -> Path:
    path = folder / "feed.xml"
    path.write_text(f"<rss version='2.0'><channel>{''.join(items)}</channel></rss>")
    return path


def check(*arguments: str | Path, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["feeds", "check", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result.output


def test_a_good_feed_is_shown_with_its_cadence(tmp_path: Path) -> None:
    good = [item(f"Bank {n} reports a loss", n, f"https://a.example/{n}") for n in range(1, 6)]
    said = check(feed(tmp_path, *good))
    assert "5 items" in said and "one every 1 h" in said and "Bank 1 reports a loss" in said
    assert "nothing is wrong with it" in said
    found = json.loads(check(feed(tmp_path, *good), "--json"))
    assert found["good"] and found["cadence_s"] == 3_600 and found["troubles"] == []


def test_what_is_wrong_is_said_in_words(tmp_path: Path) -> None:
    bad = [
        item("Bank fails", None, "https://a.example/1"),
        item("Bank fails", None, "https://a.example/1"),
        item("Old news of the bank", 24 * 40, "https://a.example/2", text=""),
        item("Tomorrow's news", -48, "https://a.example/3", text=""),
        item("", 1, "https://a.example/4", text=""),
    ]
    said = check(feed(tmp_path, *bad))
    for trouble in (
        "1 of 4 items cannot be used (empty_title)",
        "1 of 3 items have no date",
        "1 of 3 items are dated after now",
        "1 of 3 items were published too long ago",
        "the newest item is 40 days old",
        "2 of 3 items have no text beside its title",
        "1 items come twice",
    ):
        assert trouble in said, said


@pytest.mark.parametrize(
    ("content", "said"),
    [("<html><body>Page not found</body></html>", "it is a web page"), ("", "")],
)
def test_nothing_to_read_is_an_error_with_its_reason(
    tmp_path: Path, content: str, said: str
) -> None:
    path = tmp_path / "feed.xml"
    path.write_text(content)
    told = check(path, code=1)
    assert told.startswith("- ") and said in told
    assert "no such" in check(tmp_path / "nothing.xml", code=1).casefold()


def test_a_source_of_the_settings_by_its_name(tmp_path: Path) -> None:
    path = feed(tmp_path, item("Bank fails", 1, "https://a.example/1"))
    config = tmp_path / "foreshock.toml"
    config.write_text(f"[[sources]]\nname = 'wire'\nkind = 'feed'\nlocation = '{path}'\n")
    assert "1 items" in check("wire", "--config", config)
