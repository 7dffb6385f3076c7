"""How much the embedded store grows an article: ``python -m tests.bench.growth [FILE] [--rows N] [--json]``.

Recorded news is replayed through the whole pipeline into SQLite, a quarter of the rows and all of them; the
difference of the two sizes, over the difference of the articles, is what one more article takes: its rows,
its indices (that of words too), its share of buckets and alerts. The file begins with an empty schema.
Beside it stand the bytes of its records on all streams, keys and values: what brokers keep of it, and the
most memory that the process with all stages and the model took.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tests.bench.cost import SHARED, first_rows


def main() -> None:
    parser = argparse.ArgumentParser(description="Growth of the embedded store.")
    parser.add_argument("file", nargs="?", default=str(SHARED / "replay/reuters_2014-05.csv.gz"))
    parser.add_argument("--watchlist", default=str(SHARED / "replay/watchlist.csv"))
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    few = size(given.file, given.watchlist, given.rows // 4)
    many = size(given.file, given.watchlist, given.rows)
    articles = many.articles - few.articles
    figures: dict[str, object] = {
        "articles": [few.articles, many.articles],
        "store_bytes": [few.store_bytes, many.store_bytes],
        "store_bytes_per_article": round((many.store_bytes - few.store_bytes) / articles),
        "record_bytes_per_article": round((many.record_bytes - few.record_bytes) / articles),
    }
    peak_kb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    figures["process_peak_mb"] = round(peak_kb / 1024)
    if given.json:
        print(json.dumps(figures))
    else:
        print("\n".join(f"{name}: {value}" for name, value in figures.items()))


@dataclass(frozen=True)
class Size:
    """What a replay left."""

    articles: int
    store_bytes: int
    record_bytes: int


def size(file: str, watchlist: str, rows: int) -> Size:
    """Replay so many rows and weigh what there is then, the write-ahead log written back."""
    with tempfile.TemporaryDirectory(prefix="foreshock-growth-") as folder:
        news, store, log = (Path(folder) / name for name in ("news.csv", "s.db", "log.db"))
        first_rows(Path(file), news, rows)
        command = [sys.executable, "-m", "monitor.cli", "replay", str(news), "--speed", "max"]
        command += ["--watchlist", watchlist, "--db", f"sqlite:///{store}", "--json"]
        env = os.environ | {"FORESHOCK__STREAM__PATH": str(log)}
        subprocess.run(command, check=True, env=env, stdout=subprocess.DEVNULL)
        articles = _one(store, "SELECT count(*) FROM articles")
        records = _one(log, "SELECT sum(length(key) + length(value)) FROM records")
        return Size(articles, store.stat().st_size, records)


def _one(path: Path, query: str) -> int:
    """Return the one number that a query gives, once the file is whole."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (number,) = connection.execute(query).fetchone()
    return int(number)


if __name__ == "__main__":
    main()
