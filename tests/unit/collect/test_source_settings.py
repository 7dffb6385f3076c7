"""Sources as settings: what is wrong is named with its line, and installed packages add kinds."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.check import check_settings
from monitor.collect import sources
from monitor.collect.apis import ApiOptions
from monitor.collect.sources import kinds, open_source, options_model
from monitor.errors import ConfigError
from monitor.settings import Settings, load_settings

TWO = """[[sources]]
name = "one"
kind = "list"
location = "https://a.example/"
[sources.options]
item = "li"

[[sources]]
name = "two"
kind = "api"
location = "https://b.example/"
[sources.options]
preset = "newsapi"
key = "tell nobody"
{}
"""


def loaded(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "f.toml"
    path.write_text(text)
    return load_settings(path)


def test_options_are_those_of_the_kind_and_hold_no_open_secret(tmp_path: Path) -> None:
    settings = loaded(tmp_path, TWO.format(""))
    options = settings.sources[1].config().options
    assert isinstance(options, ApiOptions) and options.items == "articles"
    assert "tell nobody" not in repr(settings) + str(settings.model_dump())
    again = load_settings(tmp_path / "f.toml", {"web": {"port": 0}})
    assert again.sources[1].options == options


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("itmes = 'x'", r"f\.toml:15: sources\.1\.options\.itmes: no such setting"),
        ("max_pages = 0", r"f\.toml:15: sources\.1\.options\.max_pages: .*greater than"),
    ],
)
def test_a_wrong_option_is_named_with_its_line(tmp_path: Path, more: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        loaded(tmp_path, TWO.format(more))


def test_an_unknown_kind_lists_the_known(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"f\.toml:3: sources\.0\.kind: .*'telex'; write one of: .*feed"
    ):
        loaded(tmp_path, '[[sources]]\nname = "x"\nkind = "telex"\n')


def test_only_a_push_needs_no_location(tmp_path: Path) -> None:
    check_settings(loaded(tmp_path, '[[sources]]\nname = "x"\nkind = "push"\n'))
    with pytest.raises(ConfigError, match="location is missing"):
        check_settings(loaded(tmp_path, '[[sources]]\nname = "x"\n'))


MODULE = """
from monitor.collect.feeds import FeedSource
from monitor.collect.options import Options
class TelexOptions(Options):
    line: int
class TelexSource(FeedSource):
    "A telex."
    Options = TelexOptions
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An installed package that adds a kind, and would like to be `feed` too."""
    about = tmp_path / "telex-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: telex\nVersion: 1.0\n")
    points = (
        "[foreshock.sources]\ntelex = telex_source:TelexSource\nfeed = telex_source:TelexSource\n"
    )
    (about / "entry_points.txt").write_text(points)
    (tmp_path / "telex_source.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    kinds.cache_clear()
    yield
    kinds.cache_clear()
    sys.modules.pop("telex_source", None)


@pytest.mark.usefixtures("package")
def test_an_installed_package_adds_a_kind(tmp_path: Path) -> None:
    text = (
        '[[sources]]\nname = "x"\nkind = "telex"\nlocation = "feeds"\noptions = {{ line = {} }}\n'
    )
    source = open_source(loaded(tmp_path, text.format(7)).sources[0].config())
    assert type(source).__name__ == "TelexSource"
    with pytest.raises(ConfigError, match=r"sources\.0\.options\.line"):
        loaded(tmp_path, text.format('"x"'))
    assert kinds()["feed"] is sources.SOURCES["feed"]
    assert not options_model("feed").model_fields
