"""``python -m deploy.grafana``: write the dashboards.

A test fails when the files are not what it would write.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from deploy.grafana.boards import ALERTS, FEEDS, MODELS, PIPELINE
from deploy.grafana.panels import Rows, dashboard

FOLDER = Path(__file__).resolve().parents[2] / "dashboards" / "grafana"
BOARDS: Mapping[str, tuple[str, str, Rows]] = {
    "pipeline": (
        "Pipeline",
        "Is news processed, how much, how fast, and what goes wrong?",
        PIPELINE,
    ),
    "models": ("Models", "Which model reads the news, how sure is it, does it drift?", MODELS),
    "alerts": ("Alerts and delivery", "What is open, and do people hear of it in time?", ALERTS),
    "feeds": ("Feeds", "Is everything read that should be?", FEEDS),
}


def written() -> dict[Path, str]:
    """Return the JSON of every dashboard, by its file."""
    encoder = JSONEncoder(sort_keys=True, indent=2)
    return {
        FOLDER / f"{uid}.json": encoder.encode(dashboard(uid, *board).build()) + "\n"
        for uid, board in BOARDS.items()
    }


def main() -> None:
    """Write the files."""
    FOLDER.mkdir(exist_ok=True)
    for path, text in written().items():
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path}")


if __name__ == "__main__":
    main()
