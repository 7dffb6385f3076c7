"""Every registered kind of source has a sample and behaves as the port says."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitor.collect.articles import to_article
from monitor.collect.dates import DateRules
from monitor.collect.raw import RawItem
from monitor.collect.source import Source, SourceConfig, SourceError
from monitor.collect.sources import SOURCES, open_source
from monitor.domain import Article, DateStatus
from monitor.errors import ConfigError

SAMPLES = Path(__file__).parent / "samples" / "sources"
NOW = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)


def sample(kind: str) -> Path:
    found = sorted(SAMPLES.glob(f"{kind}.*"))
    assert found, f"add a sample for the source kind {kind!r}: {SAMPLES}/{kind}.*"
    return found[0]


def opened(kind: str, location: Path | str) -> Source:
    return open_source(SourceConfig("sample", kind, str(location), language="en", interval_s=7.0))


@pytest.mark.parametrize("kind", SOURCES)
def test_sample_becomes_dated_articles(kind: str) -> None:
    source = opened(kind, sample(kind))
    items = list(source.poll(NOW))
    source.close()
    assert items
    for item in items:
        assert isinstance(item, RawItem)
        assert item.source == "sample"
        assert item.origin.startswith(str(sample(kind)))
        article = to_article(item, NOW, DateRules())
        assert isinstance(article, Article)
        assert article.date_status is DateStatus.OK
        assert article.published_at.utcoffset() is not None
    assert len({to_article(item, NOW, DateRules()).id for item in items}) == len(items)  # type: ignore[union-attr, arg-type]


@pytest.mark.parametrize("kind", SOURCES)
def test_two_fresh_visits_agree(kind: str) -> None:
    assert list(opened(kind, sample(kind)).poll(NOW)) == list(opened(kind, sample(kind)).poll(NOW))


@pytest.mark.parametrize("kind", SOURCES)
def test_an_abandoned_visit_is_repeated(kind: str) -> None:
    source = opened(kind, sample(kind))
    first = next(source.poll(NOW))
    assert next(source.poll(NOW)) == first


@pytest.mark.parametrize("kind", SOURCES)
def test_a_missing_place_is_one_clear_error(kind: str, tmp_path: Path) -> None:
    source = opened(kind, tmp_path / "nowhere.xyz")  # opening touches nothing
    assert source.interval_s == 7.0
    assert isinstance(source.once, bool)
    with pytest.raises(SourceError, match=r"nowhere\.xyz"):
        list(source.poll(NOW))


def test_unknown_kind_lists_the_known() -> None:
    with pytest.raises(ConfigError, match="replay, feed"):
        open_source(SourceConfig("x", "telex", "y"))


def test_samples_without_a_kind_are_left_over() -> None:
    assert {path.stem for path in SAMPLES.iterdir()} == set(SOURCES)
