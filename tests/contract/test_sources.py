"""Every registered kind of source has a sample and behaves as the port says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from monitor.collect.articles import to_article
from monitor.collect.dates import DateRules
from monitor.collect.raw import RawItem
from monitor.collect.source import Failure, Source, SourceConfig, SourceError
from monitor.collect.sources import SOURCES, open_source
from monitor.domain import Article, DateStatus
from monitor.errors import ConfigError
from tests.support.imap import Folder, Mailbox, mailbox
from tests.support.site import Site, serve

SAMPLES = Path(__file__).parent / "samples" / "sources"
NOW = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
#: Written to by others: they have no sample to point at, and tests of their own.
STREAMS = ("kafka", "push")
KINDS = tuple(kind for kind in SOURCES if kind not in STREAMS)
ON_THE_WEB = ("sitemap", "list", "page", "api", "posts", "edgar")
OPTIONS: dict[str, dict[str, Any]] = {
    "list": {"item": ".notices li"},
    "api": {"items": "articles"},
    "posts": {"preset": "mastodon"},
    "edgar": {"contact": "Sample Bank risk@bank.example"},
    "files": {"dated": "document"},
}
#: Where kinds that are neither on the web nor files have their samples.
ELSEWHERE: dict[str, str] = {}


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """The samples of what is read from the web."""
    with serve() as site:
        for path in SAMPLES.iterdir():
            site.pages[f"/{path.name}"] = path.read_bytes()
        yield site


@pytest.fixture(scope="module")
def mails(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailbox]:
    """A mailbox whose folder has the sample."""
    with mailbox(tmp_path_factory.mktemp("imap")) as served:
        path = sample("mailbox")
        served.folders[path.name] = Folder({1: path.read_bytes()})
        yield served


@pytest.fixture(autouse=True)
def places(request: pytest.FixtureRequest) -> None:
    """Have the mailbox served for the kind that reads one."""
    if (
        getattr(request.node, "callspec", None)
        and request.node.callspec.params.get("kind") == "mailbox"
    ):
        served = request.getfixturevalue("mails")
        OPTIONS["mailbox"] = served.options()
        ELSEWHERE["mailbox"] = served.url


def sample(kind: str) -> Path:
    found = sorted(SAMPLES.glob(f"{kind}.*"))
    assert found, f"add a sample for the source kind {kind!r}: {SAMPLES}/{kind}.*"
    return found[0]


def opened(kind: str, site: Site, location: Path | None = None) -> Source:
    path = location or sample(kind)
    root = site.url if kind in ON_THE_WEB else ELSEWHERE.get(kind)
    place = f"{root}/{path.name}" if root else str(path)
    return open_source(
        SourceConfig(
            "sample", kind, place, language="en", interval_s=7.0, options=OPTIONS.get(kind)
        )
    )


@pytest.mark.parametrize("kind", KINDS)
def test_sample_becomes_dated_articles(kind: str, site: Site) -> None:
    source = opened(kind, site)
    items = list(source.poll(NOW))
    source.close()
    assert items
    for item in items:
        assert isinstance(item, RawItem)
        assert item.source == "sample"
        assert sample(kind).name in item.origin
        article = to_article(item, NOW, DateRules())
        assert isinstance(article, Article)
        assert article.date_status is DateStatus.OK
        assert article.published_at.utcoffset() is not None
    assert len({to_article(item, NOW, DateRules()).id for item in items}) == len(items)  # type: ignore[union-attr, arg-type]


@pytest.mark.parametrize("kind", KINDS)
def test_two_fresh_visits_agree(kind: str, site: Site) -> None:
    first, second = opened(kind, site), opened(kind, site)
    assert list(first.poll(NOW)) == list(second.poll(NOW))
    first.close()
    second.close()


@pytest.mark.parametrize("kind", KINDS)
def test_an_abandoned_visit_is_repeated(kind: str, site: Site) -> None:
    source = opened(kind, site)
    first = next(source.poll(NOW))
    assert next(source.poll(NOW)) == first
    source.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_place_is_one_clear_error(kind: str, site: Site, tmp_path: Path) -> None:
    source = opened(kind, site, tmp_path / "nowhere.xyz")  # opening touches nothing
    assert source.interval_s == 7.0
    assert isinstance(source.once, bool)
    with pytest.raises(SourceError, match=r"nowhere\.xyz") as caught:
        list(source.poll(NOW))
    assert caught.value.kind in (Failure.UNREACHABLE, Failure.HTTP)
    source.close()


@pytest.mark.parametrize(
    ("kind", "kinds"),
    [
        ("sitemap", {Failure.UNREADABLE}),
        ("list", {Failure.NOTHING_FOUND}),
        ("page", {Failure.NOTHING_FOUND, Failure.BLOCKED}),
        ("api", {Failure.UNREADABLE}),
        ("feed", {Failure.NOT_A_FEED}),
        ("replay", {Failure.UNREADABLE}),
    ],
)
def test_what_is_not_read_there_has_a_kind_of_failure(
    kind: str, kinds: set[Failure], site: Site, tmp_path: Path
) -> None:
    path = tmp_path / f"other-{kind}.html"
    path.write_text("<html><body><p>Nothing.</p></body></html>")
    site.pages[f"/{path.name}"] = path.read_bytes()
    source = opened(kind, site, path)
    with pytest.raises(SourceError) as caught:
        list(source.poll(NOW))
    assert caught.value.kind in kinds
    source.close()


def test_unknown_kind_lists_the_known() -> None:
    with pytest.raises(ConfigError, match="replay, feed"):
        open_source(SourceConfig("x", "telex", "y"))


def test_samples_without_a_kind_are_left_over() -> None:
    assert {path.stem for path in SAMPLES.iterdir()} == set(KINDS)
