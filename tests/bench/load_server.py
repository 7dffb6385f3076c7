"""A thousand feeds on loopback, each on an address of its own, with items that come at a steady rate.

    python -m tests.bench.load_server PERIOD_S

Source ``n`` answers at 127.0.X.Y/feed/N (Linux has all of 127/8). A feed holds the newest `HELD` items, with
HTML in their summaries; one that has not changed is answered 304. The port is printed once it is open.
"""

from __future__ import annotations

import asyncio
import random
import re
import sys
import time
from email.utils import formatdate

HELD = 25
EPOCH_S = 1_700_000_000
_LINE = re.compile(rb"GET /feed/(\d+) ")
_ETAG = re.compile(rb'if-none-match: *"(\d+)"', re.IGNORECASE)
WORDS = (
    *(
        "profit",
        "outlook",
        "shares",
        "bank",
        "default",
        "bond",
        "merger",
        "regulator",
        "fraud",
        "lawsuit",
    ),
    *(
        "recall",
        "plant",
        "strike",
        "output",
        "demand",
        "quarter",
        "revenue",
        "margin",
        "guidance",
        "auditor",
    ),
    *(
        "covenant",
        "lender",
        "rating",
        "downgrade",
        "tariff",
        "supply",
        "shortage",
        "chief",
        "resigns",
    ),
    *(
        "probe",
        "fine",
        "settlement",
        "bankruptcy",
        "creditors",
        "restructuring",
        "takeover",
        "bid",
        "offer",
    ),
)


def address(source: int) -> str:
    """Return the host of a source."""
    return f"127.0.{source // 250 + 1}.{source % 250 + 1}"


def newest(source: int, period_s: float, at_s: float) -> int:
    """Return the number of the newest item of a source: they come one a period, each source in its phase."""
    phase_s = random.Random(source).uniform(0, period_s)
    return int((at_s - EPOCH_S - phase_s) // period_s)


def feed(source: int, last: int, period_s: float) -> bytes:
    """Return the document whose newest item is number ``last``."""
    phase_s = random.Random(source).uniform(0, period_s)
    items = [
        _item(source, number, EPOCH_S + phase_s + number * period_s)
        for number in range(last, last - HELD, -1)
    ]
    return (
        '<?xml version="1.0" encoding="UTF-8"?><rss version="2.0"><channel><title>Feed</title>'
        f"<language>en-us</language>{''.join(items)}</channel></rss>"
    ).encode()


def _item(source: int, number: int, at_s: float) -> str:
    rng = random.Random(source * 1_000_003 + number)
    words = rng.choices(WORDS, k=60)
    return (
        f"<item><title>Company {rng.randrange(5_000)} {' '.join(words[:9])}</title>"
        f"<link>https://paper{source}.example/news/{number}?utm_source=rss&amp;id={number}</link>"
        f"<guid>{source}-{number}</guid><pubDate>{formatdate(at_s, usegmt=True)}</pubDate>"
        f"<description><![CDATA[<p>{' '.join(words[:30])} &amp; more.</p>"
        f'<p><a href="/more">{" ".join(words[30:])}</a></p>]]></description></item>'
    )


class Answers(asyncio.Protocol):
    """HTTP/1.1 as far as a collector needs it."""

    def __init__(self, period_s: float) -> None:
        self.period_s = period_s
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            request, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
            self.transport.write(self._answer(request))

    def _answer(self, request: bytes) -> bytes:
        line = _LINE.match(request)
        if line is None:
            return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
        source = int(line[1])
        last = newest(source, self.period_s, time.time())
        known = _ETAG.search(request)
        if known is not None and int(known[1]) == last:
            return b'HTTP/1.1 304 Not Modified\r\nETag: "%d"\r\n\r\n' % last
        body = feed(source, last, self.period_s)
        head = b'HTTP/1.1 200 OK\r\nContent-Type: application/rss+xml\r\nETag: "%d"\r\n' % last
        return head + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


async def serve(period_s: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Answers(period_s), "0.0.0.0", 0, backlog=1_000)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1])))
