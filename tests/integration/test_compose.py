"""``deploy/compose.yaml``: read by Compose's own reader, hardened throughout, and wired to what there is."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.cli.news import STAGE_NAMES
from monitor.settings import load_settings
from tests.support.go_tools import go_tool
from tests.support.program import find

DEPLOY = Path(__file__).parents[2] / "deploy"
FILE = DEPLOY / "compose.yaml"
KNOWN = {"kafka", "postgres", "migrate", "prometheus", "alertmanager", "grafana"}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(FILE.read_text("utf-8"))["services"]
    return found


@pytest.fixture
def ours(services: dict[str, Any]) -> dict[str, Any]:
    return {name: service for name, service in services.items() if name not in KNOWN}


@pytest.mark.timeout(600)
def test_compose_reads_it(tmp_path: Path) -> None:
    """Against the schema of the compose specification, and for consistency, as `docker compose config`."""
    reader = go_tool("compose")
    # Its one-file build names the folder of the project after the working folder.
    done = subprocess.run(
        [reader, str(FILE)], capture_output=True, text=True, cwd=DEPLOY, env=dict(os.environ)
    )
    assert done.returncode == 0, done.stderr
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(FILE.read_text("utf-8").replace("stop_grace_period: 60s", "stop_grace: 60s"))
    refused = subprocess.run([reader, str(wrong)], capture_output=True, text=True, cwd=DEPLOY)
    assert refused.returncode != 0
    assert "stop_grace" in refused.stderr + refused.stdout


def test_every_container_is_hardened_and_bounded(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert {"cpus", "memory"} <= set(service["deploy"]["resources"]["limits"]), name
        assert service.get("user") != "root", name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name


def test_no_secret_is_in_the_environment(services: dict[str, Any]) -> None:
    for name, service in services.items():
        for key, value in service.get("environment", {}).items():
            if "PASSWORD" in key:
                assert key.endswith("FILE"), f"{name}: {key}"
                assert value.startswith("/run/secrets/"), f"{name}: {key}"


def test_everything_starts_when_what_it_needs_is_well(services: dict[str, Any]) -> None:
    """Who is waited for has a healthcheck (ours have the image's), and nobody waits in a circle."""
    for name, service in services.items():
        for needed, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_completed_successfully":
                assert services[needed]["restart"] == "no", f"{name} waits for {needed}"
                continue
            assert how["condition"] == "service_healthy"
            there = services[needed].get("healthcheck") or "build" in services[needed]
            assert there, f"{name} waits for {needed}"
    order: list[str] = []
    while len(order) < len(services):
        free = [
            name
            for name, service in services.items()
            if name not in order and set(service.get("depends_on", {})) <= set(order)
        ]
        assert free, f"these wait for each other: {set(services) - set(order)}"
        order += free
    assert order.index("postgres") < order.index("migrate") < order.index("collect")


def test_every_stage_runs_and_two_classify(ours: dict[str, Any]) -> None:
    stages = [stage for each in ours.values() for stage in each["command"][-1].split(",")]
    assert set(stages) == {*STAGE_NAMES, "web"}
    assert stages.count("classify") == 2


def test_settings_are_those_of_foreshock(
    ours: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for service in ours.values():
        with monkeypatch.context() as patch:
            for key, value in service["environment"].items():
                patch.setenv(key, value)
            settings = load_settings(DEPLOY / "compose/foreshock.toml")
        assert settings.stream.kind == "kafka"
        assert settings.stream.kafka.bootstrap_servers == "kafka:9092"
        assert settings.sources


def test_what_is_mounted_is_there(services: dict[str, Any]) -> None:
    for name, service in services.items():
        for volume in service.get("volumes", ()):
            if volume["type"] == "bind":
                source = volume["source"].replace("${FORESHOCK_CONFIG:-./compose}", "./compose")
                assert (DEPLOY / source).exists(), f"{name}: {source}"


def test_prometheus_asks_every_process_of_ours(ours: dict[str, Any]) -> None:
    config = yaml.safe_load((DEPLOY / "compose/prometheus.yml").read_text("utf-8"))
    (job,) = config["scrape_configs"]
    (group,) = job["static_configs"]
    ports = {name: "8501" if name == "web" else "9464" for name in ours}
    assert sorted(group["targets"]) == sorted(f"{name}:{port}" for name, port in ports.items())
    (told,) = config["alerting"]["alertmanagers"]
    assert told["static_configs"] == [{"targets": ["alertmanager:9093"]}]


def test_prometheus_and_alertmanager_take_their_files(tmp_path: Path) -> None:
    text = (DEPLOY / "compose/prometheus.yml").read_text("utf-8")
    here = tmp_path / "prometheus.yml"
    here.write_text(text.replace("/etc/prometheus/rules", str(DEPLOY / "prometheus")))
    promtool = find("prometheus", "promtool")
    amtool = find("prometheus-alertmanager", "amtool")
    # Debian's Alertmanager (0.25) reads no address from a file; the container's (0.28) does.
    routes = tmp_path / "alertmanager.yml"
    told = (DEPLOY / "compose/alertmanager.yml").read_text("utf-8")
    assert "url_file: /run/secrets/operations_webhook" in told
    routes.write_text(told.replace("url_file: /run/secrets/", "url: http://127.0.0.1/"))
    for command in (
        [promtool, "check", "config", str(here)],
        [amtool, "check-config", str(routes)],
    ):
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_grafana_gets_our_dashboards(services: dict[str, Any]) -> None:
    provider = yaml.safe_load(
        (DEPLOY / "compose/grafana/dashboards/foreshock.yml").read_text("utf-8")
    )
    shown = provider["providers"][0]["options"]["path"]
    mounted = {v["target"]: v["source"] for v in services["grafana"]["volumes"]}
    boards = list((DEPLOY / mounted[shown]).glob("*.json"))
    assert len(boards) >= 4
    assert all(json.loads(board.read_text("utf-8"))["uid"] for board in boards)
