"""A real Prometheus for tests, with the rules that we ship."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2 as httpx
import yaml

from tests.support.program import find, free_port, running

ROOT = Path(__file__).parents[2]
RULES = tuple(ROOT / "deploy/prometheus" / name for name in ("indicators.yml", "alerts.yml"))


class Prometheus:
    """One that runs; ``url`` is its address."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Return the labels and the value of every series that an expression gives now."""
        answer = httpx.post(f"{self.url}/api/v1/query", data={"query": expression}).json()
        assert answer["status"] == "success", f"{expression}: {answer.get('error')}"
        found = answer["data"]
        assert found["resultType"] == "vector", expression
        return [(each["metric"], float(each["value"][1])) for each in found["result"]]


@contextmanager
def prometheus(folder: Path, targets: list[str], alertmanager: str | None) -> Iterator[Prometheus]:
    """Run one that asks some targets every second, with the rules that we ship.

    Parameters
    ----------
    folder
        Of its data.
    targets
        HOST:PORT of processes of Foreshock.
    alertmanager
        HOST:PORT of who is told of alerts.
    """
    program = find("prometheus", "prometheus")
    config: dict[str, Any] = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(path) for path in RULES],
        "scrape_configs": [{"job_name": "foreshock", "static_configs": [{"targets": targets}]}],
    }
    if alertmanager is not None:
        told = [{"static_configs": [{"targets": [alertmanager]}]}]
        config["alerting"] = {"alertmanagers": told}
    path, log = folder / "prometheus.yml", folder / "prometheus.log"
    path.write_text(yaml.safe_dump(config), "utf-8")
    address = f"127.0.0.1:{free_port()}"
    command = [
        *(program, f"--config.file={path}", f"--web.listen-address={address}"),
        *(f"--storage.tsdb.path={folder / 'prometheus'}", "--log.level=warn"),
    ]
    with running(command, f"http://{address}/-/ready", log):
        yield Prometheus(f"http://{address}")
