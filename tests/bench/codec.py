"""What a record costs to write and to read: ``python -m tests.bench.codec [--records N] [--json]``.

Ours (msgspec into dataclasses, checked) beside pydantic, which does the same, and orjson and the standard
library, which read dictionaries that nothing has checked. Microseconds a record, medians of five, in turn.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Callable

import orjson
from pydantic import TypeAdapter

from monitor.domain import ClassifiedArticle
from monitor.stream.codec import CLASSIFIED, Classified, Origin
from tests.bench.texts import in_turn, titles
from tests.support.make import classified

OURS = "Foreshock"


def main() -> None:
    parser = argparse.ArgumentParser(description="Cost of a record of news.classified.")
    parser.add_argument("--records", type=int, default=5_000)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    records = [Classified(item(*each), Origin(0, 7)) for each in enumerate(titles(given.records))]
    figures = measured(records)
    if given.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:30} {value:8.1f}")


def item(number: int, title: str) -> ClassifiedArticle:
    return classified(f"item {number}", title, companies=((), ("acme",))[number % 2])


def measured(records: list[Classified]) -> dict[str, float]:
    """Microseconds to write and to read a record, by each; and bytes of a record."""
    adapter = TypeAdapter(Classified)
    written = [CLASSIFIED.encode(record) for record in records]
    fields = [dataclasses.asdict(record) for record in records]
    calls: dict[str, Callable[[], object]] = {
        f"write, {OURS}": lambda: [CLASSIFIED.encode(record) for record in records],
        "write, pydantic": lambda: [adapter.dump_json(record) for record in records],
        "write, orjson": lambda: [orjson.dumps(record) for record in records],
        "write, json, of dictionaries": lambda: [json.dumps(each, default=str) for each in fields],
        f"read, {OURS}": lambda: [CLASSIFIED.decode(value) for value in written],
        "read, pydantic": lambda: [adapter.validate_json(body) for body in bodies],
        "read, orjson": lambda: [orjson.loads(value) for value in written],
        "read, json": lambda: [json.loads(value) for value in written],
    }
    bodies = [adapter.dump_json(record) for record in records]
    spent = in_turn(calls)
    return {
        "bytes": sum(map(len, written)) / len(written),
        **{f"us to {name}": seconds / len(records) * 1e6 for name, seconds in spent.items()},
    }


if __name__ == "__main__":
    main()
