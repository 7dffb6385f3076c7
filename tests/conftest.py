"""Fixtures that every suite shares. Tests use the real thing: a real PostgreSQL, a real Kafka, real files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from monitor.store import Store
from tests.support.alertmanager import alertmanager
from tests.support.kafka import fragile, kafka
from tests.support.postgres import postgres, postgres_server
from tests.support.receiver import receiver

__all__ = ["alertmanager", "fragile", "kafka", "postgres", "postgres_server", "receiver"]

# Examples touch real files and two cores are shared: the clock of one example says nothing. CI looks at the
# same examples each time, so that a run says something of the change; developers' runs look further.
settings.register_profile(
    "foreshock",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
    derandomize="CI" in os.environ,
)
settings.load_profile("foreshock")

DATABASES = ("sqlite", "postgres")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real news and labelled sets: ``$FORESHOCK_DATA``, or ``../shared/data``."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("FORESHOCK_DATA", default))
    if not folder.is_dir():
        pytest.skip(
            f"no data in {folder}: set FORESHOCK_DATA to the folder with labelled/ and replay/"
        )
    return folder


@pytest.fixture(params=DATABASES)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, of each kind in turn."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres"))
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """An empty store, on each kind of database in turn."""
    store = Store(store_url)
    yield store
    store.close()


@pytest.fixture
def sqlite_store(tmp_path: Path) -> Iterator[Store]:
    """An empty embedded store, for tests that are about something else."""
    store = Store(f"sqlite:///{tmp_path / 'store.db'}")
    yield store
    store.close()
