"""A process of stages alone, as a container runs it: settings by environment, watched on its own port."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2 as httpx
import pytest

from monitor.errors import ConfigError
from monitor.probe import LATE_S, Ages, Probe
from tests.support.program import free_port

WAIT_S = 60.0


def test_stages_without_web_are_watched_on_a_port_of_their_own(tmp_path: Path) -> None:
    port = free_port()
    set_by_environment = {
        "FORESHOCK__STORE__URL": f"sqlite:///{tmp_path}/store.db",
        "FORESHOCK__METRICS__PORT": str(port),
    }
    command = [sys.executable, "-m", "monitor.cli", "run", "--stages", "aggregate,alert"]
    process = subprocess.Popen(command, env={**os.environ, **set_by_environment}, cwd=tmp_path)
    try:
        url = f"http://127.0.0.1:{port}"
        until = time.monotonic() + WAIT_S
        while not ready(url):
            assert process.poll() is None
            assert time.monotonic() < until, "not ready in time"
            time.sleep(0.1)
        assert httpx.get(f"{url}/healthz").json() == {"status": "ok"}
        told = httpx.get(f"{url}/metrics")
        assert told.headers["content-type"].startswith("text/plain")
        for stage in ("aggregate", "alert"):
            assert f'foreshock_pipeline_records_total{{stage="{stage}"}}' in told.text
        assert httpx.get(f"{url}/secrets").status_code == 404
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()


def test_migrating_is_a_step_of_its_own(store_url: str) -> None:
    command = [sys.executable, "-m", "monitor.cli", "db", "migrate", "--db", store_url]
    first, second = (
        subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(2)
    )
    assert "was brought up from nothing" in first.stdout
    assert "is up to date" in second.stdout


@pytest.fixture
def ages() -> dict[str, float | None]:
    return {"aggregate": 0.1, "alert": 0.1}


@pytest.fixture
def probe(ages: Ages) -> Iterator[Probe]:
    made = Probe("127.0.0.1", 0, lambda: ages, ("aggregate", "alert"), lambda: b"")
    yield made
    made.close()


def test_a_stage_that_waits_is_alive_and_not_ready(
    probe: Probe, ages: dict[str, float | None]
) -> None:
    url = f"http://127.0.0.1:{probe.port}"
    ages["alert"] = LATE_S + 1
    assert httpx.get(f"{url}/healthz").status_code == 200
    answer = httpx.get(f"{url}/readyz")
    assert answer.status_code == 503
    assert "alert had its last turn" in answer.json()["reasons"][0]


def test_a_stage_that_ended_is_not_alive(probe: Probe, ages: dict[str, float | None]) -> None:
    del ages["alert"]
    answer = httpx.get(f"http://127.0.0.1:{probe.port}/healthz")
    assert (answer.status_code, answer.json()["reasons"]) == (503, ["alert has ended"])


def test_a_port_that_is_taken_names_the_setting(probe: Probe) -> None:
    with pytest.raises(ConfigError, match=r"metrics\.port"):
        Probe("127.0.0.1", probe.port, dict, (), lambda: b"")


def ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").status_code == 200
    except httpx.HTTPError:
        return False
