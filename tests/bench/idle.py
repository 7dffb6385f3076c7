"""What `foreshock run` takes on one machine: until it is ready, idle, and while news passes.

    python -m tests.bench.idle [--seconds N] [--titles N] [--json]

All its processes count: supervisor, pipeline with the shipped model, web. Memory is the proportional set size
(pages that they share count once), processor time is user plus system. Ready is when both ``/readyz`` (of the
web and of the pipeline) say so. Idle, it visits ten feeds every minute that have nothing new, over the
embedded log and SQLite. Then so many recorded titles are handed to it at once, and the most it takes counts.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from monitor.service import open_outside
from monitor.settings import load_settings
from tests.bench.live import Collector, article, embedded, foreshock, until_ready
from tests.bench.processes import cpu_s, family, maps, pss_mb
from tests.bench.texts import SHARED, titles
from tests.support.program import free_port

FEEDS = 10
SETTLE_S = 10.0  # after it is ready: the first visits, and what is done once at the start
LOOK_S = 0.5
TARGETS = {"ready_s": 5, "idle_mb": 700, "idle_cpu_percent": 3, "loaded_mb": 1_200}
FEED = """<?xml version="1.0"?><rss version="2.0"><channel><title>Wire</title><item>
<title>Shares end the day little changed</title><guid>1</guid></item></channel></rss>"""


def main() -> None:
    parser = argparse.ArgumentParser(description="Memory, processor time and start of a service.")
    parser.add_argument("--seconds", type=float, default=60.0, help="Idle.")
    parser.add_argument("--titles", type=int, default=5_000, help="To pass.")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    figures = measured(given.seconds, given.titles) | {"targets": TARGETS}
    if given.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:28} {value}")


def measured(seconds: float, passed: int) -> dict[str, Any]:
    """Start, wait, pass news; see the module's text."""
    with (
        tempfile.TemporaryDirectory(prefix="foreshock-idle-") as name,
        embedded() as backends,
        _feeds(Path(name)) as feed,
    ):
        folder, pipeline, web = Path(name), free_port(), free_port()
        config = folder / "foreshock.toml"
        sources = "".join(
            f'[[sources]]\nname = "wire-{number}"\nlocation = "{feed}"\ninterval_s = 60\n'
            for number in range(FEEDS)
        )
        config.write_text(
            f'{backends.place()}[watchlist]\npath = "{SHARED / "replay/watchlist.csv"}"\n'
            f"[web]\nlogin = false\nport = {web}\n[metrics]\nport = {pipeline}\n{sources}",
            "utf-8",
        )
        began_s = time.monotonic()
        with foreshock(["run", "--config", str(config)], folder / "run.log") as process:
            ready_s = max(until_ready(process, port) for port in (pipeline, web)) - began_s
            time.sleep(SETTLE_S)
            before = cpu_s(family(process.pid))
            time.sleep(seconds)
            cpu_percent = 100 * (cpu_s(family(process.pid)) - before) / seconds
            idle_mb = pss_mb(family(process.pid))
            outside = open_outside(load_settings(config, {}))
            collector = Collector(outside)
            news = itertools.cycle(titles(100_000))
            before, began_s = cpu_s(family(process.pid)), time.monotonic()
            collector.hand_over([article(number, next(news)) for number in range(passed)])
            loaded_mb = 0.0
            while collector.waiting():
                loaded_mb = max(loaded_mb, pss_mb(family(process.pid)))
                time.sleep(LOOK_S)
            collector.until_stored(passed)
            passed_s = time.monotonic() - began_s
            figures = {
                "ready_s": round(ready_s, 2),
                "processes": len(family(process.pid)),
                "idle_mb": round(idle_mb),
                "idle_cpu_percent": round(cpu_percent, 2),
                "loaded_mb": round(max(loaded_mb, pss_mb(family(process.pid)))),
                "loaded_items_per_s": round(passed / passed_s, 1),
                "torch": maps(family(process.pid), "libtorch"),
            }
            for pid in family(process.pid):
                words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
                print(f"{pss_mb([pid]):6.0f} MB  {' '.join(words[1:4])}", file=sys.stderr)
            collector.close()
            outside.broker.close()
            outside.store.close()
        return figures


@contextmanager
def _feeds(folder: Path) -> Iterator[str]:
    """Serve a feed of one item, from a folder of its own; yield its address."""
    (folder / "site").mkdir()
    (folder / "site" / "feed.xml").write_text(FEED, "utf-8")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=folder / "site"))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/feed.xml"
    finally:
        server.shutdown()
        server.server_close()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


if __name__ == "__main__":
    main()
