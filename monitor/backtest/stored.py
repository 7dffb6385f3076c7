"""What `foreshock backtest` left in a folder, for those who look at it later."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from monitor.alert.show import as_json as alerts_json
from monitor.backtest import RESULT, VERDICT_FILE
from monitor.backtest.score import Score, Window, detections
from monitor.backtest.verdicts import Precision, load_verdicts, precision_of
from monitor.errors import ConfigError

PARTS = ("total", "windows", "events", "notifications", "alerts")


@dataclass(frozen=True, slots=True)
class Stored:
    """One run. ``result`` is what backtest.json holds; ``verdicts`` are (verdict, note) by alert id."""

    folder: Path
    written_at: datetime
    result: Mapping[str, Any]
    verdicts: Mapping[str, tuple[str, str]]

    @property
    def precision(self) -> Precision:
        """Of the alerts that were judged."""
        return precision_of([verdict for verdict, _ in self.verdicts.values()])


def as_result(
    windows: Sequence[Window], scores: Mapping[str, Score], total: Score
) -> dict[str, Any]:
    """Return what backtest.json says of windows with their scores; times are ISO 8601 UTC."""
    events = [
        {
            "window": window.name,
            "entity": each.event.entity,
            "kind": each.event.kind,
            "first_headline_at": each.event.first_headline_at.isoformat(),
            "detected": each.told is not None,
            "delay_s": each.delay_s,
            "alert_id": each.told and each.told.alert.id,
            "decisive": each.told and each.told.decisive and each.told.decisive.title,
        }
        for window in windows
        for each in detections(window)
    ]
    told = [each for window in windows for each in window.told]
    return {
        "total": total.as_dict(),
        "windows": {name: found.as_dict() for name, found in scores.items()},
        "events": events,
        "notifications": [
            {
                "alert_id": each.alert.id,
                "at": each.at.isoformat(),
                "reason": each.reason,
                "family": each.family,
                "decisive": each.decisive and each.decisive.title,
            }
            for each in told
        ],
        "alerts": json.loads(
            alerts_json(list({each.alert.id: each.alert for each in told}.values()))
        ),
    }


def runs(folder: Path) -> list[Path]:
    """Return the folders with a result, in a folder and right below it, the newest first."""
    if not folder.is_dir():
        return []
    found = [
        each
        for each in (folder, *sorted(folder.iterdir()))
        if each.is_dir() and (each / RESULT).is_file()
    ]
    return sorted(found, key=lambda each: (each / RESULT).stat().st_mtime, reverse=True)


def load(folder: Path) -> Stored:
    """Read a run.

    Raises
    ------
    ConfigError
        The result or the verdicts cannot be read; names the file.
    """
    path = folder / RESULT
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
        written_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{path}: cannot be read ({error}); run `foreshock backtest` again"
        ) from None
    missing = [part for part in PARTS if not isinstance(result, dict) or part not in result]
    if missing:
        raise ConfigError(
            f"{path}: has no {', '.join(missing)}; another version wrote it: run `foreshock backtest` again"
        )
    return Stored(folder, written_at, result, load_verdicts(folder / VERDICT_FILE))
