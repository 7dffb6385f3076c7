"""``evaluate --map``: how risk events are read, by the rules, by the model's risk head, or by both."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from models.errors import ModelError

if TYPE_CHECKING:
    from models.classifier import Classifier
    from monitor.stories.measure import EventReport

EventsBy = Literal["both", "rules", "model"]


def evaluate_events(
    file: Path,
    text: str,
    label: str,
    split: str | None,
    event_map: Path,
    by: EventsBy,
    load: Callable[[], Classifier],
) -> EventReport:
    """Measure events against gold types; with ``both``, an event counts that either read.

    Raises
    ------
    ModelError
        No rows, or the model is asked for and its bundle has no risk head.
    """
    from models.tables import checked_rows
    from models.text import model_input, normalise
    from monitor.collect.languages import language_of
    from monitor.stories.measure import load_map, measure_events, predict_events, read_gold
    from monitor.stories.risk import RiskPack

    pack = RiskPack.load()
    events = load_map(event_map, pack)
    columns = [text, label, *(["split"] if split else [])]
    rows = [row for _, row in checked_rows(file, columns) if not split or row["split"] == split]
    if not rows:
        raise ModelError(f"{file}: no rows" + (f" of split {split!r}" if split else ""))
    read = [frozenset[str]()] * len(rows)
    if by != "model":
        read = predict_events(pack, (normalise(row[text]) for row in rows), events)
    if by != "rules":
        classifier = load()
        if classifier.reads_events:
            texts = [model_input(row[text]) for row in rows]
            found = classifier.predict(texts, [language_of(None, each) for each in texts])
            read = [
                told | events.types_of(prediction.events)
                for told, prediction in zip(read, found, strict=True)
            ]
        elif by == "model":
            raise ModelError(
                f"{classifier.bundle.name} has no head that reads risk events; use --events-by rules"
            )
    return measure_events(read, read_gold(row[label] for row in rows), events.types)
