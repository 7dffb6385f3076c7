"""What the tests of rules share: a small watchlist, and a broker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.alert.rulebind import World
from monitor.stream import LocalStreamSettings, open_broker
from monitor.stream.port import Broker
from tests.support.desk import WORLD


@pytest.fixture
def world() -> World:
    return WORLD


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = open_broker(LocalStreamSettings(path=tmp_path / "streams.db"))
    broker.create({"news.articles": 1, "news.classified": 1, "alerts": 1})
    yield broker
    broker.close()
