"""The examples of the cookbook are run: what is written there works."""

from __future__ import annotations

import importlib
import re
import shutil
import sys
import tomllib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from models.labels import SENTIMENTS, Head, HeadKind
from monitor.alert.rulebind import World, load_rules
from monitor.alert.story import StoryRule
from monitor.alert.surge import SurgeRule
from monitor.collect import sources
from monitor.collect.articles import to_article
from monitor.collect.dates import DateRules
from monitor.collect.source import SourceConfig, SourceError
from monitor.domain import Article, Company, DateStatus, Notification
from monitor.errors import ConfigError
from monitor.notify.port import ChannelConfig, ChannelRetriable
from monitor.relabel.exchange.tasks import Task
from monitor.relabel.samplers import Candidate
from monitor.stories import RiskPack
from monitor.stories.risk import BUILT_IN
from tests.support.make import T0, classified, label

PAGE = Path(__file__).parents[2] / "deploy" / "docs" / "cookbook.md"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def examples(heading: str) -> list[tuple[str, str]]:
    """Return language and text of the blocks below a heading."""
    (section,) = re.findall(
        rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    found = FENCE.findall(section)
    assert found, heading
    return found


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that Python imports from, as an installed package is."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    before = set(sys.modules)
    yield folder
    for path in folder.glob("*.py"):
        if path.stem not in before:
            sys.modules.pop(path.stem, None)


def module(heading: str, folder: Path) -> ModuleType:
    """Import the Python example, under the name that its first line gives it."""
    text = next(text for language, text in examples(heading) if language == "python")
    name = text.split('"""')[1]
    (folder / name).write_text(text, "utf-8")
    importlib.invalidate_caches()
    return importlib.import_module(name.removesuffix(".py"))


def test_every_extension_point_has_its_example() -> None:
    headings = re.findall(r"^## (.*)$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert headings == [
        *("A source", "A head", "A risk rule", "An alert rule", "A channel", "A sampler"),
        "A format of labels",
    ]


def test_a_source_of_an_installed_package_brings_articles(package: Path, tmp_path: Path) -> None:
    module("A source", package)
    entry, config = (tomllib.loads(text) for kind, text in examples("A source") if kind == "toml")
    info = package / "telex-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: telex\nVersion: 1\n", "utf-8")
    points = entry["project"]["entry-points"]["foreshock.sources"]
    lines = "".join(f"{name} = {value}\n" for name, value in points.items())
    (info / "entry_points.txt").write_text(f"[foreshock.sources]\n{lines}", "utf-8")
    sources.kinds.cache_clear()
    try:
        given = config["sources"][0]
        path = tmp_path / "telex.txt"
        told = SourceConfig(given["name"], given["kind"], str(path), language="en", options={})
        source = sources.open_source(told)
        with pytest.raises(SourceError, match="is the receiver running"):
            list(source.poll(T0))
        path.write_text(f"{T0.isoformat()}\tAcme Corp files for Chapter 11\n", "utf-8")
        items = list(source.poll(T0))
        article = to_article(items[0], T0 + timedelta(minutes=1), DateRules())  # type: ignore[arg-type]
        assert isinstance(article, Article)
        assert (article.title, article.published_at) == ("Acme Corp files for Chapter 11", T0)
        assert article.date_status is DateStatus.OK
        assert items == list(source.poll(T0))
        with pytest.raises(ValueError, match="encodng"):
            sources.options_of("telex", {"encodng": "latin-1"})
    finally:
        sources.kinds.cache_clear()


def test_a_head_is_a_recipe_that_loads() -> None:
    """That any labels are learnt is `tests/integration/test_training.py`."""
    from models.training.config import make_config

    (text,) = [text for kind, text in examples("A head") if kind == "toml"]
    config = make_config(tomllib.loads(text), PAGE.name)
    assert config.heads["urgency"].kind is HeadKind.SINGLE
    assert [each.head for each in config.data] == ["urgency"]
    assert config.start is not None


def test_a_risk_rule_stands_beside_the_shipped_ones(tmp_path: Path) -> None:
    folder = tmp_path / "pack"
    shutil.copytree(BUILT_IN, folder)
    ((_, text),) = examples("A risk rule")
    (folder / "desk.yaml").write_text(text, "utf-8")
    pack = RiskPack.load(folder)
    rule = pack.rules["cable_cut"]
    assert len(pack.rules) == len(RiskPack.load().rules) + 1
    for sample in rule.samples:
        assert "cable_cut" in {match.rule for match in pack.match(sample)}, sample
    for sample in rule.not_samples:
        assert "cable_cut" not in {match.rule for match in pack.match(sample)}, sample


def test_an_alert_rule_binds(tmp_path: Path) -> None:
    ((_, text),) = examples("An alert rule")
    (tmp_path / "rules.yaml").write_text(text, "utf-8")
    pack = RiskPack.load()
    companies = (Company("seatel", "Seatel", sector="telecoms"), Company("acme", "Acme"))
    world = World(companies, pack.families, StoryRule(), SurgeRule())
    (rule,) = load_rules(tmp_path / "rules.yaml", world).story
    assert (rule.name, rule.min_severity) == ("outages-of-carriers", 3)


def test_a_channel_leaves_each_message_once(package: Path, tmp_path: Path) -> None:
    make: Any = module("A channel", package).SpoolChannel
    folder = tmp_path / "spool"
    with pytest.raises(ConfigError, match=r"channel 'desk'.*`url`"):
        make(ChannelConfig("desk", "spool", str(folder)))
    folder.mkdir()
    channel = make(ChannelConfig("desk", "spool", str(folder)))
    note = Notification(7, "key-7", "desk", "al1", "Acme", "text", {"schema_version": 1})
    channel.send(note)
    channel.send(note)
    (written,) = folder.iterdir()
    assert written.read_text("utf-8") == '{"schema_version": 1}'
    shutil.rmtree(folder)
    with pytest.raises(ChannelRetriable, match="channel 'desk'"):
        channel.send(note)


def test_a_sampler_orders_and_says_why(package: Path) -> None:
    sampler: Any = module("A sampler", package).Crowded()
    words = [frozenset(f"w{n}" for n in range(count)) for count in (3, 12, 30)]
    pool = [
        Candidate((str(at), "r"), str(at), said, T0, 0.5, {"topic": "Macro"})
        for at, said in enumerate(words)
    ]
    assert sampler.order([], lambda _: 0.5) == []
    assert sampler.order(pool, lambda _: 0.5) == [2, 1]
    assert "Macro" not in sampler.why(pool[1])


def test_a_format_brings_labels_back(package: Path) -> None:
    form: Any = module("A format of labels", package).Tsv()
    heads = {"sentiment": Head("sentiment", HeadKind.SINGLE, SENTIMENTS)}
    said = (label(who="ann"), label(who="bob", value="neutral"))
    text = form.write([Task(classified(), None, None, ("sentiment",), said)], heads)
    back = list(form.read(text, heads))
    assert [(s.article_id, s.who, s.value, s.role, s.at) for s in back] == [
        (s.article_id, s.who, s.value, s.role, s.at) for s in said
    ]
    with pytest.raises(ConfigError, match="line 1: 2 fields"):
        list(form.read("a\tb\n", heads))
