"""How long a refresh of the board takes while many look: ``python -m tests.bench.soak --help``.

Fills a store with so many articles (or takes one that an earlier run filled, with ``--store``), serves it as
`foreshock run` would, and opens so many sessions, each a websocket that speaks as a browser does: it asks for
a page and then, every few seconds, for the part of it that refreshes. Prints the median, the 95th percentile
and the longest of what was waited for, from the request to the last message of the answer.

What a browser then needs to draw is not in it.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect

from monitor.store import Store, articles
from tests.browser import seed
from tests.browser.conftest import serving

PER_SCALE = 1_770  # articles of the seed's story at scale 1
MOST_P95_S = 1.0
WAIT_S = 120.0
FINISHED = (ForwardMsg.FINISHED_SUCCESSFULLY, ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY)


class Session:
    """Somebody who looks at one page, and waits for each refresh of it."""

    def __init__(self, url: str, page: str) -> None:
        self.page = page
        self.first_s: float | None = None
        self.refreshes_s: list[float] = []
        self.trouble = ""
        self._url = f"ws://{urlsplit(url).netloc}/_stcore/stream"

    def run(self, until_s: float, pause_s: float) -> None:
        """Look until a monotonic time; every ``pause_s`` a refresh."""
        try:
            with connect(self._url, max_size=None, open_timeout=WAIT_S) as socket:
                begun = time.monotonic()
                fragments = self._ask(socket, "")
                self.first_s = time.monotonic() - begun
                while time.monotonic() + pause_s < until_s:
                    time.sleep(pause_s)
                    for fragment in fragments:
                        begun = time.monotonic()
                        self._ask(socket, fragment)
                        self.refreshes_s.append(time.monotonic() - begun)
        except Exception as error:
            self.trouble = f"{type(error).__name__}: {error}"

    def _ask(self, socket: ClientConnection, fragment: str) -> list[str]:
        """Ask for the page, or a fragment of it; return the fragments that want to be asked for again."""
        message = BackMsg()
        message.rerun_script.query_string = ""
        message.rerun_script.page_name = self.page
        message.rerun_script.fragment_id = fragment
        socket.send(message.SerializeToString())
        again: list[str] = []
        while True:
            answer = ForwardMsg()
            answer.ParseFromString(bytes(socket.recv(timeout=WAIT_S)))  # type: ignore[arg-type]
            kind = answer.WhichOneof("type")
            if kind == "auto_rerun":
                again.append(answer.auto_rerun.fragment_id)
            elif kind == "delta" and answer.delta.new_element.WhichOneof("type") == "exception":
                raise RuntimeError(answer.delta.new_element.exception.message)
            elif kind == "script_finished":
                if answer.script_finished in FINISHED:
                    return again
                raise RuntimeError(f"the script ended as {answer.script_finished}")


def fill(path: Path, number: int) -> None:
    """Make a store of about so many articles, where there is none."""
    if path.exists():
        return
    begun = time.monotonic()
    path.parent.mkdir(parents=True, exist_ok=True)
    store = Store(f"sqlite:///{path}")
    with tempfile.TemporaryDirectory() as folder:
        seed.fill(store, Path(folder), seed.pieces(scale=max(number / PER_SCALE, 0.01)))
    print(f"{articles.count(store):,} articles in {time.monotonic() - begun:.0f} s")
    store.close()


def soak(path: Path, sessions: int, seconds: float, page: str, pause_s: float) -> float:
    """Run the sessions at once; print what they waited, and return the 95th percentile of a refresh."""
    used_s = _children_s()
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(f"sqlite:///{path}", Path(folder)) as url,
    ):
        several = [Session(url, page) for _ in range(sessions)]
        until_s = time.monotonic() + seconds
        threads = [
            threading.Thread(target=each.run, args=(until_s, pause_s), daemon=True)
            for each in several
        ]
        for thread in threads:
            thread.start()
            time.sleep(pause_s / sessions)  # people do not come all at once
        for thread in threads:
            thread.join()
    used_s = _children_s() - used_s
    for each in several:
        if each.trouble:
            print(f"a session ended: {each.trouble}", file=sys.stderr)
    waited = [each for one in several for each in one.refreshes_s]
    if any(each.trouble for each in several) or len(waited) < 2:
        raise SystemExit("no measurement: a session failed, or the time was too short")
    first = [each.first_s for each in several if each.first_s is not None]
    p95 = statistics.quantiles(waited, n=20, method="inclusive")[-1]
    print(f"first page: median {statistics.median(first):.2f} s, longest {max(first):.2f} s")
    print(
        f"{len(waited)} refreshes of {page or 'the board'} in {sessions} sessions: "
        f"median {statistics.median(waited):.3f} s, p95 {p95:.3f} s, longest {max(waited):.3f} s"
    )
    print(f"the server used {used_s:.1f} s of processor time, its start included")
    return p95


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.soak", description=__doc__)
    parser.add_argument("--articles", type=int, default=20_000)
    parser.add_argument("--sessions", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--pause", type=float, default=5, help="seconds between two refreshes")
    parser.add_argument("--page", default="", help="name of a page in its address; the board")
    parser.add_argument("--store", type=Path, help="file of the store; kept, and used again")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        path = (given.store or Path(folder) / "soak.db").resolve()
        fill(path, given.articles)
        p95 = soak(path, given.sessions, given.seconds, given.page, given.pause)
    return 0 if p95 < MOST_P95_S else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
