"""The web process: where it listens, and what it says of a database that is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboards import app, desk
from monitor.errors import ConfigError


def test_busy_port_is_named() -> None:
    with app.listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"port {port} of 127\.0\.0\.1: another program"):
            app.listen("127.0.0.1", port)


def test_foreign_address_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"192\.0\.2\.1"):
        app.listen("192.0.2.1", 0)


def test_looking_makes_no_database(tmp_path: Path) -> None:
    path = tmp_path / "none.db"
    with pytest.raises(ConfigError, match="no database at"), desk.opened(f"sqlite:///{path}"):
        pass
    assert not path.exists()


def test_pages_know_when_nobody_serves_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "_desk", None)
    with pytest.raises(ConfigError, match="foreshock run"):
        desk.current()
