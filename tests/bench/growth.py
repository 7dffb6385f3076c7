"""How much the embedded store grows an article: ``python -m tests.bench.growth [FILE] [--rows N]``.

Recorded news is replayed through the whole pipeline into SQLite, a quarter of the rows and all of them; the
difference of the two sizes, over the difference of the articles, is what one more article takes: its rows,
its indices (that of words too), its share of buckets and alerts. The file begins with an empty schema.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench.cost import SHARED, first_rows


def main() -> None:
    parser = argparse.ArgumentParser(description="Growth of the embedded store.")
    parser.add_argument("file", nargs="?", default=str(SHARED / "replay/reuters_2014-05.csv.gz"))
    parser.add_argument("--watchlist", default=str(SHARED / "replay/watchlist.csv"))
    parser.add_argument("--rows", type=int, default=20_000)
    given = parser.parse_args()
    few = size(given.file, given.watchlist, given.rows // 4)
    many = size(given.file, given.watchlist, given.rows)
    each = (many[1] - few[1]) / (many[0] - few[0])
    print(json.dumps({"few": few, "many": many, "bytes_per_article": round(each)}))


def size(file: str, watchlist: str, rows: int) -> tuple[int, int]:
    """Return the articles and the bytes of a store after so many rows, its log written back."""
    with tempfile.TemporaryDirectory(prefix="foreshock-growth-") as folder:
        news, store = Path(folder) / "news.csv", Path(folder) / "store.db"
        first_rows(file, news, rows)
        command = [sys.executable, "-m", "monitor.cli", "replay", str(news), "--speed", "max"]
        command += ["--watchlist", watchlist, "--db", f"sqlite:///{store}", "--json"]
        subprocess.run(command, check=True, env=os.environ, stdout=subprocess.DEVNULL)
        with sqlite3.connect(store) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            (articles,) = connection.execute("SELECT count(*) FROM articles").fetchone()
        connection.close()
        return articles, store.stat().st_size


if __name__ == "__main__":
    main()
