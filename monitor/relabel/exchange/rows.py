"""Labels as rows: JSON lines, and CSV that no spreadsheet takes for formulas."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from models.labels import Head, HeadKind
from monitor.errors import ConfigError
from monitor.relabel.exchange.tasks import Said, Task, field, json_of, moment, role_of
from monitor.relabel.heads import Question

COLUMNS = (
    *("article_id", "revision", "head", "company_id", "value", "who", "at", "role"),
    *("model_version", "predicted", "probability", "guess_shown", "sampler", "text", "company"),
)
# What a spreadsheet begins a formula with; and the quote, so that `plain` knows what was quoted.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")


def harmless(cell: str) -> str:
    """Return a cell that a spreadsheet shows as text; `plain` undoes it.

    Examples
    --------
    >>> harmless("=1+1"), harmless("'tis"), harmless("Profit -5%")
    ("'=1+1", "''tis", 'Profit -5%')
    """
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def plain(cell: str) -> str:
    """Return what a cell was before `harmless`.

    Examples
    --------
    >>> [plain(harmless(text)) for text in ("=1+1", "'tis", "''", "", "a")]
    ['=1+1', "'tis", "''", '', 'a']
    """
    return cell[1:] if cell.startswith("'") else cell


class Jsonl:
    """JSON lines: one label a line, with everything that is known of it."""

    def write(self, tasks: Sequence[Task], heads: Mapping[str, Head]) -> str:
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in _rows(tasks))

    def read(self, text: str, heads: Mapping[str, Head]) -> Iterator[Said]:
        for number, line in enumerate(text.split("\n"), start=1):
            if line.strip():
                place = f"line {number}"
                try:
                    row = json_of(line)
                except ConfigError as error:
                    raise ConfigError(f"{place}: {error}") from None
                if not isinstance(row, dict):
                    raise ConfigError(f"{place}: expected an object")
                yield _said(place, row, heads)


class Csv:
    """CSV with the columns of the JSON lines; cells that could be formulas begin with a quote."""

    def write(self, tasks: Sequence[Task], heads: Mapping[str, Head]) -> str:
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in _rows(tasks):
            writer.writerow([harmless(_cell(row[name])) for name in COLUMNS])
        return text.getvalue()

    def read(self, text: str, heads: Mapping[str, Head]) -> Iterator[Said]:
        reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
        try:
            for row in reader:
                place = f"line {reader.line_num}"
                if None in row or None in row.values():
                    raise ConfigError(f"{place}: not as many fields as the header has")
                yield _said(place, {name: plain(cell) for name, cell in row.items()}, heads)
        except csv.Error as error:
            raise ConfigError(f"line {reader.line_num}: {error}") from None


def _rows(tasks: Iterable[Task]) -> Iterator[dict[str, Any]]:
    for task in tasks:
        for label in task.labels:
            yield {
                "article_id": label.article_id,
                "revision": label.revision,
                "head": label.head,
                "company_id": label.company_id,
                "value": label.value,
                "who": label.who,
                "at": label.at.isoformat(),
                "role": label.role.value,
                "model_version": label.model_version,
                "predicted": label.predicted,
                "probability": label.probability,
                "guess_shown": label.guess_shown,
                "sampler": label.sampler,
                "text": task.text,
                "company": task.company,
            }


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _said(place: str, row: Mapping[str, Any], heads: Mapping[str, Head]) -> Said:
    if not isinstance(row.get("value"), str):
        raise ConfigError(f"{place}: no 'value'; columns are {', '.join(COLUMNS)}")
    probability = row.get("probability")
    try:
        number = None if probability in (None, "") else float(str(probability))
    except ValueError:
        raise ConfigError(f"{place}: probability {probability!r} is no number") from None
    name, predicted = field(place, row, "head"), row.get("predicted")
    if predicted == "" and not (name in heads and heads[name].kind is HeadKind.MULTI):
        predicted = None  # a cell cannot be told from none; no label is empty but "none of them"
    return Said(
        place=place,
        article_id=field(place, row, "article_id"),
        revision=field(place, row, "revision"),
        question=Question(name, row.get("company_id") or None),
        value=row["value"],
        who=field(place, row, "who"),
        role=role_of(place, row.get("role")),
        at=moment(place, row.get("at")),
        model_version=row.get("model_version") or None,
        predicted=predicted,
        probability=number,
        guess_shown=row.get("guess_shown") in (True, "true"),
        sampler=row.get("sampler") or "import",
    )
