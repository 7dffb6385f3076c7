"""How well events are read: the events told of each text against gold labels, type by type.

The events of the pack seldom are the types of somebody else's labelled set; a map (YAML, see
``maps/``) says which event of ours speaks of which of their types, many to one. What a model head
adds is a union of the predicted sets, made before the measuring.

Limits, honestly: an event counts as told whatever its stage, because the public sets label a denied
or feared bankruptcy as a bankruptcy too; and the intervals resample texts as if each stood alone,
so that for sentences of one document they are too narrow.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from monitor.errors import ConfigError
from monitor.stories.risk import RiskPack

RESAMPLES = 1_000
MAPS = Path(__file__).with_name("maps")
_KEYS = {"types", "events"}


@dataclass(frozen=True)
class EventMap:
    """Which gold type each event of the pack speaks of, and the types that are averaged."""

    types: tuple[str, ...]
    events: Mapping[str, str]

    def types_of(self, events: Iterable[str]) -> frozenset[str]:
        """Return the gold types that some events speak of; events without a type are left out."""
        return frozenset(self.events[event] for event in events if event in self.events)


@dataclass(frozen=True)
class TypeScore:
    """One type: precision, recall and F1 with its 95% interval; ``None`` where undefined."""

    type: str
    precision: float | None
    recall: float | None
    f1: float | None
    f1_low: float | None
    f1_high: float | None
    support: int
    predicted: int


@dataclass(frozen=True)
class EventReport:
    """The scores of each type, and the mean of their F1 with its 95% bootstrap interval."""

    texts: int
    macro_f1: float | None
    macro_low: float | None
    macro_high: float | None
    types: tuple[TypeScore, ...]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def as_text(self) -> str:
        """Return a table for a terminal.

        Examples
        --------
        >>> told = [frozenset({"fine"}), frozenset()]
        >>> print(measure_events(told, told, ["fine"]).as_text())
        type       P      R     F1   95% interval   gold  told
        fine   1.000  1.000  1.000  1.000 - 1.000      1     1
        macro                1.000  1.000 - 1.000  2 texts
        """
        wide = max(5, *(len(score.type) for score in self.types))
        lines = [f"{'type':<{wide}}  {'P':>5}  {'R':>5}  {'F1':>5}   95% interval   gold  told"]
        for score in self.types:
            lines.append(
                f"{score.type:<{wide}}  {_cell(score.precision)}  {_cell(score.recall)}  "
                f"{_cell(score.f1)}  {_cell(score.f1_low)} - {_cell(score.f1_high)}  "
                f"{score.support:>5} {score.predicted:>5}"
            )
        lines.append(
            f"{'macro':<{wide}}  {'':>5}  {'':>5}  {_cell(self.macro_f1)}  "
            f"{_cell(self.macro_low)} - {_cell(self.macro_high)}  {self.texts} texts"
        )
        return "\n".join(lines)


def measure_events(
    predicted: Sequence[frozenset[str]],
    gold: Sequence[frozenset[str]],
    types: Sequence[str],
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> EventReport:
    """Compare predicted with gold types, text by text.

    Parameters
    ----------
    predicted, gold
        For each text the set of types; types outside ``types`` are not looked at.
    types
        The types to report and to average, each alike (macro).
    seed
        Of the bootstrap: the same seed, the same intervals.

    Raises
    ------
    ValueError
        The two differ in length, or there is no text or no type.
    """
    if len(predicted) != len(gold) or not gold or not types:
        raise ValueError(
            f"{len(predicted)} predictions for {len(gold)} texts and {len(types)} types: give one "
            "set per text, of at least one text and type"
        )
    told, true = _table(predicted, types), _table(gold, types)
    both = told & true
    counts = np.stack([both, told, true], axis=2).astype(np.float32)  # (texts, types, 3)
    point = counts.sum(axis=0, dtype=np.float64)
    flat = counts.reshape(len(gold), -1)
    random = np.random.default_rng(seed)
    drawn = np.empty((resamples, len(types)))
    for row in range(resamples):
        picks = np.bincount(random.integers(len(gold), size=len(gold)), minlength=len(gold))
        drawn[row] = _f1((picks.astype(np.float32) @ flat).reshape(len(types), 3))
    f1 = _f1(point)
    macro = _intervals(_means(drawn)[:, None])[0]
    spans = _intervals(drawn)
    return EventReport(
        texts=len(gold),
        macro_f1=_number(_means(f1[None])[0]),
        macro_low=macro[0],
        macro_high=macro[1],
        types=tuple(
            TypeScore(
                type=name,
                precision=hits / said if said else None,
                recall=hits / held if held else None,
                f1=_number(f1[at]),
                f1_low=spans[at][0],
                f1_high=spans[at][1],
                support=int(held),
                predicted=int(said),
            )
            for at, (name, (hits, said, held)) in enumerate(zip(types, point.tolist(), strict=True))
        ),
    )


def predict_events(
    pack: RiskPack, texts: Iterable[str], event_map: EventMap
) -> list[frozenset[str]]:
    """Return the gold types that the rules read from each text, whatever the stage."""
    return [event_map.types_of(risk.event for risk in pack.match(text)) for text in texts]


def read_gold(cells: Iterable[str]) -> list[frozenset[str]]:
    """Return the set of types of each cell of bar-joined labels.

    Examples
    --------
    >>> [sorted(each) for each in read_gold(["Legal|Deal", ""])]
    [['Deal', 'Legal'], []]
    """
    return [frozenset(filter(None, cell.split("|"))) for cell in cells]


def load_map(path: Path, pack: RiskPack) -> EventMap:
    """Read a map from YAML: ``types`` to average, and ``events``, each with its type.

    Raises
    ------
    ConfigError
        The file cannot be read, names an event the pack does not have, or leaves a type empty.
    """
    try:
        raw = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(
            f"{path}: cannot read the map: {error}; give a YAML file with `types` and `events`"
        ) from None
    if not isinstance(raw, dict) or set(raw) != _KEYS:
        raise ConfigError(f"{path}: a map has the keys `types` (a list) and `events` (a mapping)")
    types, events = raw["types"], raw["events"]
    if not isinstance(types, list) or not types or not isinstance(events, dict):
        raise ConfigError(f"{path}: `types` must be a list and `events` a mapping of event to type")
    known = {rule.event for rule in pack.rules.values()}
    if unknown := sorted(set(events) - known):
        raise ConfigError(
            f"{path}: the pack has no event `{unknown[0]}`; it has {', '.join(sorted(known))}"
        )
    if empty := [each for each in types if each not in events.values()]:
        raise ConfigError(f"{path}: no event speaks of type `{empty[0]}`; name one or drop it")
    return EventMap(tuple(map(str, types)), {str(key): str(events[key]) for key in events})


def _table(sets: Sequence[frozenset[str]], types: Sequence[str]) -> NDArray[np.bool_]:
    return np.array([[name in each for name in types] for each in sets], dtype=np.bool_)


def _f1(counts: NDArray[Any]) -> NDArray[np.float64]:
    """F1 of (types, 3) counts of hits, told and true; NaN where none is told or true."""
    below = (counts[:, 1] + counts[:, 2]).astype(np.float64)
    f1: NDArray[np.float64] = np.full(len(counts), np.nan)
    np.divide(2 * counts[:, 0], below, out=f1, where=below > 0)
    return f1


def _means(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of each row's numbers; NaN for a row without any."""
    known = ~np.isnan(rows)
    held = known.sum(axis=1)
    sums = np.where(known, rows, 0.0).sum(axis=1)
    means: NDArray[np.float64] = np.full(len(rows), np.nan)
    np.divide(sums, held, out=means, where=held > 0)
    return means


def _intervals(drawn: NDArray[np.float64]) -> list[tuple[float | None, float | None]]:
    spans: list[tuple[float | None, float | None]] = []
    for column in drawn.T:
        known = column[~np.isnan(column)]
        low, high = np.percentile(known, [2.5, 97.5]) if known.size else (np.nan, np.nan)
        spans.append((_number(low), _number(high)))
    return spans


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _cell(value: float | None) -> str:
    return "    -" if value is None else f"{value:5.3f}"
