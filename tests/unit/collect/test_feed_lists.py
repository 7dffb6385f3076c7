"""Lists of feeds: OPML in and out, the starter list, and the settings they become."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from monitor.cli import app
from monitor.collect.feed_lists import (
    ListedFeed,
    as_toml,
    new_feeds,
    read_opml,
    starter,
    write_opml,
)
from monitor.collect.source import SourceConfig
from monitor.collect.sources import open_source
from monitor.errors import ConfigError
from monitor.settings import load_settings

OPML = b"""<?xml version="1.0"?><opml version="1.0"><body><outline text="Folder">
<outline text="A &amp; B" xmlUrl="https://a.example/rss" type="rss"/>
<outline title="A &amp; B" text="x" xmlUrl="https://b.example/rss" language="zh"/>
<outline text="again" xmlUrl="https://a.example/rss"/><outline text="bad" xmlUrl="javascript:x"/>
</outline></body></opml>"""


def run(*arguments: str | Path, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["feeds", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result.output


def test_opml_is_read_however_deep_and_each_address_once() -> None:
    found = read_opml(OPML, "x.opml")
    assert [(feed.name, feed.location, feed.language) for feed in found] == [
        ("A & B", "https://a.example/rss", None),
        ("A & B", "https://b.example/rss", "zh"),
    ]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"<rss/>", "not an OPML document"),
        (b"", "not an OPML document"),
        (b"<opml><body/></opml>", "no outline has the address"),
    ],
)
def test_what_is_no_list_is_told(data: bytes, said: str) -> None:
    with pytest.raises(ConfigError, match=f"x.opml: {said}"):
        read_opml(data, "x.opml")


def test_lists_of_the_wild_are_read(shared_data: Path) -> None:
    for file in sorted((shared_data / "fixtures" / "opml").glob("*.opml")):
        found = read_opml(file.read_bytes(), str(file))
        new, _ = new_feeds(found, [])
        tables = tomllib.loads(as_toml(new))["sources"]
        assert len({table["name"] for table in tables}) == len(found) > 3


def test_names_are_unique_and_what_is_known_is_left_out() -> None:
    feeds = [ListedFeed("A", f"https://{host}.example/") for host in "abc"]
    known = SourceConfig("a", "feed", "https://b.example/")
    new, old = new_feeds(feeds, [known])
    assert [feed.name for feed in new] == ["a-2", "a-3"] and old == [feeds[1]]


def test_import_and_export_go_round(tmp_path: Path) -> None:
    listed, settings, out = (tmp_path / name for name in ("in.opml", "f.toml", "out.opml"))
    listed.write_bytes(OPML)
    settings.write_text(
        '[web]\nport = 0\n[[sources]]\nname = "a-b"\nlocation = "https://c.example/"'
    )
    assert "2 new sources, 0 known" in run("import", listed, "--to", settings)
    assert "0 new sources, 2 known" in run("import", listed, "--to", settings)
    assert [source.name for source in load_settings(settings).sources] == ["a-b", "a-b-2", "a-b-3"]
    assert load_settings(settings).web.port == 0
    run("export", "--config", settings, "--out", out)
    assert len(read_opml(out.read_bytes(), "out")) == 3
    assert "a-b-3\tfeed\tzh\t300\t1\thttps://b.example/rss" in run("list", "--config", settings)
    printed = run("import", listed, "--config", settings)
    assert "[[sources]]" not in printed


def test_a_settings_file_that_is_wrong_stays_as_it_is(tmp_path: Path) -> None:
    listed, settings = tmp_path / "in.opml", tmp_path / "f.toml"
    listed.write_bytes(OPML)
    settings.write_text("[web]\nprot = 0\n")
    assert "no such setting" in run("import", listed, "--to", settings, code=2)
    assert settings.read_text() == "[web]\nprot = 0\n"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_only_feeds_of_the_web_are_exported() -> None:
    others = [SourceConfig("x", "api", "https://a.example"), SourceConfig("y", "feed", "folder")]
    assert "outline" not in write_opml(others)


def test_every_starter_feed_says_what_it_is_and_on_which_terms() -> None:
    for feed in starter():
        assert feed.about and feed.licence and feed.publisher
        assert feed.language in ("en", "zh")
        assert feed.credibility is not None and 0.5 <= feed.credibility <= 1
        open_source(SourceConfig(feed.name, "feed", feed.location)).close()
    assert len({feed.location for feed in starter()}) == len(starter()) >= 30
    assert sum(feed.language == "zh" for feed in starter()) >= 8


def test_no_starter_feed_is_read_before_somebody_says_so(tmp_path: Path) -> None:
    settings = tmp_path / "foreshock.toml"
    assert "none is read before" in run("starter")
    assert load_settings().sources == ()
    run("starter", "fed-press", "36kr", "--to", settings)
    fed, kr = load_settings(settings).sources
    assert (fed.name, fed.credibility, kr.language) == ("fed-press", 1.0, "zh")
    assert "not in the list" in run("starter", "telex", code=2)
