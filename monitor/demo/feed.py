"""A web server on this machine that is six news outlets at the time its clock says.

A document holds the newest `CAP` items published so far, as real feeds do: a collector that comes
too seldom misses some. No outlet publishes more than 30 items in any 24 hours, so once in a
simulated day loses nothing; once in an hour or two keeps alerts early.
"""

from __future__ import annotations

import errno
import threading
from datetime import datetime

from monitor.clock import Clock
from monitor.demo.items import END, START, WATCHLIST, DemoItem, load_items, visible
from monitor.demo.outlets import OUTLETS
from monitor.demo.page import article_page, index_page, load_backgrounds
from monitor.demo.render import feed_document
from monitor.demo.web import Answer, LoopbackServer
from monitor.errors import ConfigError

__all__ = ["CAP", "END", "START", "WATCHLIST", "DemoFeedServer", "DemoItem", "load_items"]

CAP = 60  # items in one feed document


class DemoFeedServer:
    """Serves ``/``, ``/feeds/NAME.xml`` and ``/articles/...`` from one thread per connection.

    Parameters
    ----------
    clock
        Nothing published after its time is shown.
    host, port
        Where to listen; port 0 takes a free one. Links and so article ids hold the port.

    Raises
    ------
    ConfigError
        The port is busy, or an item of the demo is wrong.
    """

    def __init__(self, clock: Clock, host: str = "127.0.0.1", port: int = 0) -> None:
        self._clock = clock
        self._items = load_items()
        self._backgrounds = load_backgrounds()
        self._thread: threading.Thread | None = None
        try:
            self._server = LoopbackServer((host, port), self.answer)
        except OSError as error:
            busy = error.errno == errno.EADDRINUSE
            why = "another program uses it" if busy else str(error)
            raise ConfigError(
                f"the demo feed cannot listen on {host}, port {port}: {why}; "
                "stop that program or give another port (0 takes any free one)"
            ) from error
        self.base_url = f"http://{host}:{self._server.server_address[1]}"

    def start(self) -> None:
        """Begin to answer, on a thread of its own."""
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="demo-feed", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop answering and free the port. May be called twice, and without `start`."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._thread = None
        self._server.server_close()

    def sources(self) -> list[tuple[str, str, str]]:
        """Return ``(name, url, language)`` of every feed."""
        feeds = f"{self.base_url}/feeds"
        return [(o.slug, f"{feeds}/{o.slug}.xml", o.language) for o in OUTLETS.values()]

    def answer(self, path: str) -> Answer | None:
        """Return what is at a path now, or None."""
        now = self._clock.now()
        if path == "/":
            return Answer(index_page(now), "text/html; charset=utf-8", None)
        if path.startswith("/feeds/") and path.endswith(".xml"):
            return self._feed(path.removeprefix("/feeds/").removesuffix(".xml"), now)
        versions = [item for item in self._items if item.path == path and item.published <= now]
        if not versions:
            return None
        item = versions[-1]
        page = article_page(item, OUTLETS[item.feed], self._backgrounds)
        return Answer(page, "text/html; charset=utf-8", item.published)

    def _feed(self, name: str, now: datetime) -> Answer | None:
        outlet = OUTLETS.get(name)
        if outlet is None:
            return None
        items = visible(self._items, name, now)[:CAP]
        kind = "application/atom+xml" if outlet.atom else "application/rss+xml"
        changed = items[0].published if items else START
        document = feed_document(outlet, items, self.base_url)
        return Answer(document, f"{kind}; charset=utf-8", changed)
