"""What others write to: an existing Kafka topic, and what programs push. Nothing is lost or counted twice."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from monitor.collect.articles import to_article
from monitor.collect.dates import DateRules
from monitor.collect.pushed import MAX_TEXT_CHARS, Inlet, PushedItem
from monitor.collect.raw import RawItem
from monitor.collect.source import Source, SourceConfig, SourceError
from monitor.collect.sources import open_source
from monitor.collect.streams import PushSource
from monitor.domain import Article, DeadItem, DeadReason
from monitor.stream import LocalStreamSettings, open_broker
from monitor.stream.port import MAX_VALUE_BYTES, Broker, Message
from tests.support.kafka import KafkaServer
from tests.support.streams import WAIT_S, append_until_taken, settings_of

NOW = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with closing(open_broker(LocalStreamSettings(tmp_path / "streams.db"))) as broker:
        yield broker


@pytest.fixture
def inlet(tmp_path: Path) -> Iterator[Inlet]:
    with closing(
        Inlet(lambda: open_broker(LocalStreamSettings(tmp_path / "streams.db")), 2)
    ) as inlet:
        yield inlet


def desk(broker: Broker, name: str = "desk") -> PushSource:
    source = open_source(SourceConfig(name, "push", "", language="en"))
    assert isinstance(source, PushSource)
    source.attach(broker, 2)
    return source


def keys(source: Source) -> list[str | None]:
    return sorted(item.guid for item in source.poll(NOW) if isinstance(item, RawItem))  # type: ignore[type-var]


def item(key: str, **more: Any) -> PushedItem:
    return PushedItem(key=key, title=more.pop("title", f"Acme {key}"), **more)


def test_each_source_gets_what_is_pushed_to_it(broker: Broker, inlet: Inlet) -> None:
    inlet.append("desk", [item("1"), item("2")], NOW)
    inlet.append("other", [item("3")], NOW)
    with closing(desk(broker)) as source, closing(desk(broker, "other")) as other:
        assert keys(source) == ["1", "2"]
        assert keys(source) == []
        assert keys(other) == ["3"]


def test_offsets_are_kept_only_once_what_was_read_is_appended(broker: Broker, inlet: Inlet) -> None:
    inlet.append("desk", [item("1"), item("2")], NOW)
    with closing(desk(broker)) as source:
        assert keys(source) == ["1", "2"]  # the process ends before it appends them
    with closing(desk(broker)) as source:
        assert keys(source) == ["1", "2"]
        assert keys(source) == []  # a next visit: they were appended
    with closing(desk(broker)) as source:
        assert keys(source) == []


def test_a_visit_that_is_given_up_loses_nothing(broker: Broker, inlet: Inlet) -> None:
    inlet.append("desk", [item(str(n)) for n in range(5)], NOW)
    with closing(desk(broker)) as source:
        next(source.poll(NOW))
        assert keys(source) == ["0", "1", "2", "3", "4"]


def test_the_same_key_is_the_same_item_and_another_text_an_update(
    broker: Broker, inlet: Inlet
) -> None:
    for title in ("Acme fails", "Acme fails", "Acme is saved"):
        inlet.append("desk", [item("k", title=title)], NOW)
    with closing(desk(broker)) as source:
        found = [to_article(each, NOW, DateRules()) for each in source.poll(NOW)]  # type: ignore[arg-type]
    articles = [each for each in found if isinstance(each, Article)]
    assert len({each.id for each in articles}) == 1
    assert len({each.revision for each in articles}) == 2
    assert articles[0].published_at == NOW


def test_a_whole_document_fits_into_a_record() -> None:
    longest = item("k", text="\u94f6" * MAX_TEXT_CHARS, summary="\u94f6" * 20_000)
    assert len(longest.model_dump_json().encode()) < MAX_VALUE_BYTES


@pytest.fixture
def topic(kafka: KafkaServer) -> Iterator[tuple[str, Broker]]:
    """A topic of somebody else's, its name."""
    name = f"theirs-{uuid.uuid4().hex[:8]}"
    with closing(open_broker(settings_of(kafka.bootstrap, topic_prefix=""))) as broker:
        broker.create({name: 1})
        yield name, broker


def news(number: int) -> Message:
    body = {"payload": {"headline": f"Item {number}", "id": number, "time": "2026-01-05T09:30:00Z"}}
    return Message("k", json.dumps(body).encode())


def theirs(kafka: KafkaServer, name: str) -> Source:
    options = {"inside": "payload", "group": f"group-{name}"}
    location = f"kafka://{kafka.bootstrap}/{name}"
    return open_source(SourceConfig("theirs", "kafka", location, options=options))


def until(source: Source, count: int) -> list[RawItem | DeadItem]:
    """Visit until so many items have come: a group takes a moment to form."""
    import time

    found: list[RawItem | DeadItem] = []
    deadline = time.monotonic() + WAIT_S
    while len(found) < count:
        assert time.monotonic() < deadline, found
        found += source.poll(NOW)
    return found


def test_an_existing_topic_is_read_by_a_mapping(
    kafka: KafkaServer, topic: tuple[str, Broker]
) -> None:
    name, broker = topic
    with closing(broker.writer()) as writer:
        append_until_taken(writer, [news(1), Message("k", b"{"), Message("k", b"7"), news(2)], name)
    with closing(theirs(kafka, name)) as source:
        first, torn, number, second = until(source, 4)
    assert isinstance(first, RawItem) and isinstance(second, RawItem)
    assert (first.title, first.guid, first.origin) == ("Item 1", "1", f"{name}[0]@0")
    assert second.title == "Item 2"
    assert isinstance(torn, DeadItem) and torn.reason is DeadReason.SCHEMA
    assert isinstance(number, DeadItem) and "no JSON object at 'payload'" in number.detail
    with closing(theirs(kafka, name)) as source:  # nothing was committed: all of it again
        assert len(until(source, 4)) == 4
        assert list(source.poll(NOW)) == []
    with closing(broker.writer()) as writer:
        append_until_taken(writer, [news(3)], name)
    with closing(theirs(kafka, name)) as source:
        [third] = until(source, 1)
    assert isinstance(third, RawItem) and third.title == "Item 3"


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("kafka://127.0.0.1:1/t", "/t: no Kafka at"),
        ("kafka://127.0.0.1:9092", "write kafka://HOST:PORT/TOPIC"),
        ("http://a.example/t", "write kafka://HOST:PORT/TOPIC"),
        ("kafka://nohost/t", "host:port"),
    ],
)
def test_what_is_no_topic_is_one_clear_error(location: str, said: str) -> None:
    source = open_source(SourceConfig("theirs", "kafka", location))
    with pytest.raises(SourceError, match=said):
        list(source.poll(NOW))
    source.close()
