"""One polite, bounded GET: timeouts, byte caps, few redirects, http(s) only."""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

import httpx2

from monitor.collect.dates import parse_date
from monitor.collect.source import SourceError

MAX_BODY_BYTES = 5 * 1024 * 1024
MAX_REDIRECTS = 5
MAX_RETRY_AFTER_S = 86_400.0
TIMEOUT_S = 10.0
DEADLINE_S = 30.0


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer: ``body`` is ``None`` when the server says that nothing changed."""

    url: str  # after redirects
    body: bytes | None
    headers: Mapping[str, str] = field(default_factory=dict)


class Fetcher:
    """An HTTP client for feeds and pages. Belongs to one thread.

    Parameters
    ----------
    timeout_s
        Longest silence of the server, in seconds.
    deadline_s
        Longest time for one answer, in seconds, however steadily it drips.
    max_body_bytes
        Longest body, as sent and as decompressed.
    """

    def __init__(
        self,
        timeout_s: float = TIMEOUT_S,
        deadline_s: float = DEADLINE_S,
        max_body_bytes: int = MAX_BODY_BYTES,
    ) -> None:
        self.deadline_s = deadline_s
        self.max_body_bytes = max_body_bytes
        self._client = httpx2.Client(
            headers={"User-Agent": user_agent(), "Accept-Encoding": "gzip"},
            timeout=timeout_s,
            follow_redirects=True,
            max_redirects=MAX_REDIRECTS,
        )

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> Fetched:
        """Return the body at ``url``.

        Raises
        ------
        SourceError
            Whatever went wrong; names the address.
        """
        deadline = time.monotonic() + self.deadline_s
        try:
            with self._client.stream("GET", url, headers=headers) as response:
                if response.status_code == 304:
                    return Fetched(str(response.url), None)
                if response.status_code != 200:
                    raise _refused(url, response)
                body = self._read(url, response, deadline)
                return Fetched(str(response.url), body, dict(response.headers))
        except httpx2.UnsupportedProtocol as error:
            raise SourceError(f"{url}: leads to an address that is not http or https") from error
        except httpx2.TimeoutException as error:
            raise SourceError(f"{url}: no answer in time ({type(error).__name__})") from error
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
            raise SourceError(f"{url}: {error or type(error).__name__}") from error

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _read(self, url: str, response: httpx2.Response, deadline: float) -> bytes:
        pieces: list[bytes] = []
        length = 0
        for piece in response.iter_raw():
            pieces.append(piece)
            length += len(piece)
            if length > self.max_body_bytes:
                raise SourceError(f"{url}: the body has more than {self.max_body_bytes} bytes")
            if time.monotonic() > deadline:
                raise SourceError(f"{url}: not read to its end within {self.deadline_s:g} s")
        body = b"".join(pieces)
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("", "identity", "gzip", "x-gzip"):
            raise SourceError(f"{url}: sent as {encoding}, which was not asked for")
        return unpack(url, body, self.max_body_bytes)


def unpack(name: str, body: bytes, max_bytes: int = MAX_BODY_BYTES) -> bytes:
    """Return ``body``, decompressed when it is gzip (a feed may lie compressed on its server too).

    Raises
    ------
    SourceError
        Damaged, or more than ``max_bytes``.
    """
    if not body.startswith(b"\x1f\x8b"):
        return body
    inflater = zlib.decompressobj(wbits=31)
    try:
        plain = inflater.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise SourceError(f"{name}: the compressed data are damaged ({error})") from error
    if len(plain) > max_bytes:
        raise SourceError(f"{name}: more than {max_bytes} bytes when decompressed")
    if not inflater.eof:
        raise SourceError(f"{name}: the compressed data end in the middle")
    return plain


def user_agent() -> str:
    """Who we are, as sent with every request."""
    try:
        return f"Foreshock/{version('foreshock')} (news monitor; one reader, conditional requests)"
    except PackageNotFoundError:
        return "Foreshock (news monitor; one reader, conditional requests)"


def _refused(url: str, response: httpx2.Response) -> SourceError:
    wait_s = retry_after_s(response.headers.get("retry-after"), datetime.now(UTC))
    after = f", asked to wait {wait_s:g} s" if wait_s is not None else ""
    return SourceError(f"{url}: HTTP {response.status_code}{after}", wait_s)


def retry_after_s(value: str | None, now: datetime) -> float | None:
    """Read a Retry-After header (RFC 9110, section 10.2.3): seconds from ``now``, at most a day.

    Examples
    --------
    >>> retry_after_s("120", datetime.now(UTC)), retry_after_s("soon", datetime.now(UTC))
    (120.0, None)
    """
    if not value:
        return None
    try:
        seconds = float(value) if value.isdigit() else (parse_date(value) - now).total_seconds()
    except (ValueError, OverflowError, OSError):
        return None
    return min(max(0.0, seconds), MAX_RETRY_AFTER_S) if math.isfinite(seconds) else None
