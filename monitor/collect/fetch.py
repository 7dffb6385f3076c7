"""One polite, bounded GET: checked addresses, turns, robots.txt, deadlines, byte caps, few redirects.

A `Fetcher` is one source's way to the web; the `Web` behind it (connections, turns, robots.txt) is shared by
all of a process. No cookies are kept, and the environment's proxies are not used: a proxy resolves names
itself, out of sight of the check of addresses.
"""

from __future__ import annotations

import math
import re
import socket
import ssl
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from ipaddress import ip_address

import httpcore2
import httpx2

from monitor.collect.addresses import (
    CheckedBackend,
    Deadline,
    Forbidden,
    Resolve,
    is_public,
    resolve,
)
from monitor.collect.dates import parse_date
from monitor.collect.politeness import Busy, Turns
from monitor.collect.robots import MAX_BYTES as MAX_ROBOTS_BYTES
from monitor.collect.robots import Robots
from monitor.collect.source import Failure, SourceConfig, SourceError

MAX_BODY_BYTES = 5 * 1024 * 1024
MAX_REDIRECTS = 5
MAX_RETRY_AFTER_S = 86_400.0
TIMEOUT_S = 10.0
DEADLINE_S = 30.0
_JSON = {"Content-Type": "application/json"}
#: Headers of an answer, and what the next request sends back of them.
VALIDATORS = {"etag": "If-None-Match", "last-modified": "If-Modified-Since"}
MAX_VALIDATOR_CHARS = 500
CONNECTIONS = 100
KEPT_ALIVE_S = 60.0
_MAX_AGE = re.compile(r"max-age=(\d{1,9})")
_REDIRECTS = (301, 302, 303, 307, 308)
_BLOCKED = (401, 403, 407, 451)


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer: ``body`` is ``None`` when the server says that nothing changed."""

    url: str  # after redirects
    body: bytes | None
    headers: Mapping[str, str] = field(default_factory=dict)  # names in lower case

    @property
    def conditions(self) -> dict[str, str]:
        """Headers that ask for it again only if it has changed (RFC 9110, section 13.1)."""
        return {
            condition: self.headers[validator]
            for validator, condition in VALIDATORS.items()
            if 0 < len(self.headers.get(validator, "")) <= MAX_VALIDATOR_CHARS
        }


class Web:
    """Connections, turns and robots.txt, shared by all fetchers and threads of a process.

    Parameters
    ----------
    resolve
        Gives the addresses of a host.
    public
        Whether an address may be connected to for a host that is not trusted.
    turns
        How hosts are spared.
    """

    def __init__(
        self,
        resolve: Resolve = resolve,
        public: Callable[[str], bool] = is_public,
        turns: Turns | None = None,
    ) -> None:
        self.deadline = Deadline()
        self.turns = turns or Turns()
        self.robots = Robots(self._robots_txt)
        tls = _tls()
        # Two pools: a connection made for a trusted host must not serve who was merely led there.
        self._doors = tuple(
            CheckedBackend(self.deadline, resolve, allowed) for allowed in (public, lambda _: True)
        )
        self.public, self.trusted = (
            httpcore2.ConnectionPool(
                ssl_context=tls,
                max_connections=CONNECTIONS,
                keepalive_expiry=KEPT_ALIVE_S,
                http2=True,
                network_backend=door,
            )
            for door in self._doors
        )

    def close(self) -> None:
        """Close all connections."""
        self.public.close()
        self.trusted.close()

    def connect(self, host: str, port: int, timeout_s: float, trusted: bool) -> socket.socket:
        """Return a connection to a checked address, for who speaks HTTP himself: a browser.

        Raises
        ------
        Forbidden
            It has an address that is not public, and it is not trusted.
        httpcore2.NetworkError, httpcore2.TimeoutException
            It cannot be reached.
        """
        found = self._doors[trusted].connect_tcp(host, port, timeout_s).get_extra_info("socket")
        assert isinstance(found, socket.socket)
        return found

    def _robots_txt(self, url: str) -> bytes | None:
        reader = Fetcher(max_body_bytes=MAX_ROBOTS_BYTES, web=self, robots=False)
        try:
            return reader.get(url).body
        except SourceError as error:
            if error.status is not None and error.status // 100 == 4 and error.status != 429:
                return None  # RFC 9309, section 2.3.1.3: there is none
            raise


@cache
def shared_web() -> Web:
    """The web of this process, made when first needed: it takes 40 ms to load its certificates."""
    return Web()


@cache
def _tls() -> ssl.SSLContext:
    return httpx2.create_ssl_context()


class Fetcher:
    """Gets feeds and pages. May be used by several threads.

    Parameters
    ----------
    timeout_s
        Longest silence of the server, in seconds.
    deadline_s
        Longest time for one answer, redirects and all, in seconds, however steadily it drips. Waiting for
        a turn at the host does not count.
    max_body_bytes
        Longest body, as sent and as decompressed.
    web
        What is shared with others.
    trusted
        Origins (``http://host:port``) that may have private addresses and are not spared.
    robots
        Whether robots.txt is asked first.
    """

    def __init__(
        self,
        timeout_s: float = TIMEOUT_S,
        deadline_s: float = DEADLINE_S,
        max_body_bytes: int = MAX_BODY_BYTES,
        web: Web | None = None,
        trusted: frozenset[str] = frozenset(),
        robots: bool = True,
    ) -> None:
        self.deadline_s = deadline_s
        self.max_body_bytes = max_body_bytes
        self.web = web or shared_web()
        self.trusted = trusted
        self.robots = robots
        self._timeouts = {step: timeout_s for step in ("connect", "read", "write")}
        self._timeouts["pool"] = deadline_s

    @classmethod
    def of(cls, config: SourceConfig, web: Web | None = None) -> Fetcher:
        """Return the fetcher of a configured source.

        Its location is trusted where it is written as an address, or where ``private`` is set: whoever
        wrote the configuration meant it. Where redirects and links lead is never trusted for that.
        """
        trusted = frozenset[str]()
        try:
            url = _parsed(config.location)
            if config.private or is_address(url.host):
                trusted = frozenset((_origin(url),))
        except SourceError:
            pass  # told when it is fetched
        return cls(web=web, trusted=trusted, robots=config.robots)

    def get(
        self, url: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Fetched:
        """Return the body at ``url``; with a JSON ``body``, what the server answers to a POST of it.

        Redirects to another origin are followed without ``headers``, which may hold secrets, and those
        of a POST not at all.

        Raises
        ------
        SourceError
            Whatever went wrong; names the address.
        """
        try:
            return self._get(url, headers or {}, body)
        except Forbidden as error:
            raise SourceError(
                f"{url}: {error}; a source may have private = true", kind=Failure.FORBIDDEN
            ) from error
        except Busy as error:
            message = f"{url}: too many requests wait for {error}"
            raise SourceError(message, kind=Failure.TIMEOUT) from error
        except httpcore2.TimeoutException as error:
            message = f"{url}: no answer in time ({str(error) or type(error).__name__})"
            raise SourceError(message, kind=Failure.TIMEOUT) from error
        except httpcore2.NetworkError as error:
            message = f"{url}: {error or type(error).__name__}"
            raise SourceError(message, kind=Failure.UNREACHABLE) from error
        except (httpcore2.ProtocolError, httpcore2.UnsupportedProtocol, ValueError) as error:
            message = f"{url}: {error or type(error).__name__}"
            raise SourceError(message, kind=Failure.PROTOCOL) from error

    def close(self) -> None:
        """Nothing of its own is open: connections are the web's, for the next visit."""

    def _get(self, url: str, headers: Mapping[str, str], body: bytes | None) -> Fetched:
        place = _parsed(url)
        first = _origin(place)
        left_s = self.deadline_s
        for _ in range(MAX_REDIRECTS + 1):
            origin = _origin(place)
            trusted = origin in self.trusted
            if self.robots and not trusted:
                self._ask_leave(url, place, origin)
            pause_s = self.web.robots.pause_s(origin)
            with (
                nullcontext() if trusted else self.web.turns.at(place.host, pause_s),
                self.web.deadline.within(left_s),
            ):
                sent = headers if origin == first else {}
                answer = self._ask(url, place, sent, trusted, body)
                if isinstance(answer, Fetched):
                    return answer
                left_s = self.web.deadline.left_s(None) or 0.0
            if body is not None:
                raise SourceError(f"{url}: redirects a POST to {answer}", kind=Failure.PROTOCOL)
            place = answer
        message = f"{url}: more than {MAX_REDIRECTS} redirects, maybe for want of cookies"
        raise SourceError(message, kind=Failure.PROTOCOL)

    def ask_leave(self, url: str) -> None:
        """Ask the robots.txt of an address before it is read by other means.

        Raises
        ------
        SourceError
            It may not be read, or nobody can tell.
        """
        place = _parsed(url)
        origin = _origin(place)
        if self.robots and origin not in self.trusted:
            self._ask_leave(url, place, origin)

    @contextmanager
    def turn(self, url: str) -> Iterator[None]:
        """Wait for a turn at the host of an address and hold it.

        Raises
        ------
        SourceError
            Too many wait there.
        """
        place = _parsed(url)
        origin = _origin(place)
        pause_s = self.web.robots.pause_s(origin)
        spared = nullcontext() if origin in self.trusted else self.web.turns.at(place.host, pause_s)
        try:
            with spared:
                yield
        except Busy as error:
            message = f"{url}: too many requests wait for {error}"
            raise SourceError(message, kind=Failure.TIMEOUT) from error

    def _ask_leave(self, url: str, place: httpx2.URL, origin: str) -> None:
        try:
            allowed = self.web.robots.allow(str(place), origin)
        except SourceError as error:
            raise SourceError(
                f"{url}: before reading it, {error}", error.retry_after_s, error.kind
            ) from error
        if not allowed:
            message = f"{url}: the robots.txt of {place.host} asks programs not to read it"
            raise SourceError(message, kind=Failure.BLOCKED)

    def _ask(
        self,
        url: str,
        place: httpx2.URL,
        headers: Mapping[str, str],
        trusted: bool,
        body: bytes | None,
    ) -> Fetched | httpx2.URL:
        """Make one request; returns where a redirect leads."""
        pool = self.web.trusted if trusted else self.web.public
        request = httpcore2.URL(
            scheme=place.raw_scheme, host=place.raw_host, port=place.port, target=place.raw_path
        )
        sent = {
            "Host": place.netloc.decode("ascii"),
            "User-Agent": user_agent(),
            "Accept": "*/*",
            "Accept-Encoding": "gzip",
            **({} if body is None else {**_JSON, "Content-Length": str(len(body))}),
            **headers,
        }
        extensions = {"timeout": self._timeouts}
        with pool.stream(
            "GET" if body is None else "POST",
            request,
            headers=list(sent.items()),
            content=body,
            extensions=extensions,
        ) as response:
            got = {
                name.decode("latin-1").lower(): _header_text(value)
                for name, value in response.headers
            }
            if response.status == 304:
                return Fetched(str(place), None, got)
            if response.status in _REDIRECTS and got.get("location"):
                return _parsed(got["location"], url, place)
            if response.status != 200:
                raise refused(url, response.status, got)
            return Fetched(str(place), self._read(url, response, got), got)

    def _read(self, url: str, response: httpcore2.Response, got: Mapping[str, str]) -> bytes:
        encoding = got.get("content-encoding", "identity").strip().lower()
        if encoding not in ("", "identity", "gzip", "x-gzip"):
            message = f"{url}: sent as {encoding}, which was not asked for"
            raise SourceError(message, kind=Failure.PROTOCOL)
        stated = got.get("content-length", "")
        if stated.isdigit() and int(stated) > self.max_body_bytes:
            raise self._too_long(url)
        pieces: list[bytes] = []
        length = 0
        for piece in response.iter_stream():
            self.web.deadline.left_s(None)
            pieces.append(piece)
            length += len(piece)
            if length > self.max_body_bytes:
                raise self._too_long(url)
        return unpack(url, b"".join(pieces), self.max_body_bytes)

    def _too_long(self, url: str) -> SourceError:
        message = f"{url}: the body has more than {self.max_body_bytes} bytes"
        return SourceError(message, kind=Failure.TOO_LARGE)


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
        message = f"{name}: the compressed data are damaged ({error})"
        raise SourceError(message, kind=Failure.PROTOCOL) from error
    if len(plain) > max_bytes:
        message = f"{name}: more than {max_bytes} bytes when decompressed"
        raise SourceError(message, kind=Failure.TOO_LARGE)
    if not inflater.eof:
        message = f"{name}: the compressed data end in the middle"
        raise SourceError(message, kind=Failure.PROTOCOL)
    return plain


@cache  # reading a package's metadata takes as long as the rest of a request
def user_agent() -> str:
    """Who we are, as sent with every request."""
    try:
        return f"Foreshock/{version('foreshock')} (news monitor; one reader, conditional requests)"
    except PackageNotFoundError:
        return "Foreshock (news monitor; one reader, conditional requests)"


def refused(url: str, status: int, headers: Mapping[str, str]) -> SourceError:
    """Return what a status that is no answer means; ``headers`` have names in lower case."""
    wait_s = retry_after_s(headers.get("retry-after"), datetime.now(UTC))
    after = f", asked to wait {wait_s:g} s" if wait_s is not None else ""
    if status == 429 or (status == 503 and wait_s is not None):
        kind = Failure.THROTTLED
    else:
        kind = Failure.BLOCKED if status in _BLOCKED else Failure.HTTP
    return SourceError(f"{url}: HTTP {status}{after}", wait_s, kind, status)


def _header_text(value: bytes) -> str:
    """Return a header's text; many servers put UTF-8 where RFC 9110 has bytes without a meaning."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _parsed(target: str, url: str = "", base: httpx2.URL | None = None) -> httpx2.URL:
    """Return where ``target`` is, seen from ``base``; messages name ``url``."""
    try:
        place = httpx2.URL(target) if base is None else base.join(target)
        if place.scheme in ("http", "https") and place.host:
            return place.copy_with(fragment=None, userinfo=b"")
    except (httpx2.InvalidURL, ValueError) as error:
        raise SourceError(f"{url or target}: {error}", kind=Failure.FORBIDDEN) from error
    message = f"{url or target}: leads to an address that is not http or https"
    raise SourceError(message, kind=Failure.FORBIDDEN)


def _origin(url: httpx2.URL) -> str:
    return f"{url.scheme}://{url.netloc.decode('ascii')}"


def is_address(host: str) -> bool:
    """Whether a host is written as an IP address."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def fresh_s(headers: Mapping[str, str], now: datetime) -> float:
    """Return how long an answer stays good, as its server says (RFC 9111, section 4.2.1); 0: it does not say.

    Parameters
    ----------
    headers
        Of the answer, names in lower case.

    Examples
    --------
    >>> fresh_s({"cache-control": "public, max-age=600", "age": "60"}, datetime.now(UTC))
    540.0
    """
    stated = headers.get("cache-control", "").lower()
    if "no-cache" in stated or "no-store" in stated:
        return 0.0
    age = headers.get("age", "")
    found = _MAX_AGE.search(stated)
    if found is not None:
        return max(0.0, float(found[1]) - (float(age) if age.isdigit() and len(age) < 9 else 0.0))
    return retry_after_s(headers.get("expires"), now) or 0.0


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
        seconds = float(value) if value.isdecimal() else (parse_date(value) - now).total_seconds()
    except (ValueError, OverflowError, OSError):
        return None
    return min(max(0.0, seconds), MAX_RETRY_AFTER_S) if math.isfinite(seconds) else None
