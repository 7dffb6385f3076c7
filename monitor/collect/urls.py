"""One spelling for one address: what makes two links the same article."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from urllib.parse import SplitResult, quote, urlsplit

MAX_URL_CHARS = 2_048

_TRACKING = re.compile(
    r"(?:utm_\w+|mc_[ce]id|fbclid|gclid|dclid|msclkid|yclid|igshid|twclid|_hsenc|_hsmi|mkt_tok|ncid|cmpid"
    r"|s_cid|ocid|feedtype|feedname|taid|rpc|traffic_?source|guccounter|guce_referr\w*|spm|ref_?src|__source"
    r"|mod=(?:rss|djem)\w*|ref=rss\w*|source=rss\w*|from=rss\w*)",
    re.IGNORECASE,
)  # fmt: skip
_UNSAFE = re.compile(r"[^!#-;=?-\[\]_a-z~]")
_SAFE = "!$&'()*+,-./:;=?@_~%[]"
_DEFAULT_PORT = {"http": 80, "https": 443}
_NAMED_DATE = re.compile(
    r"(?:/|id[A-Z]{2}[A-Za-z0-9+:]*?)((?:19|20)\d\d)([/\-]?)([01]\d)\2([0-3]\d)(?=[/\-_.]|$)"
)


def canonical_url(url: str | None) -> str | None:
    """Return one spelling of an http(s) address, or ``None`` when it is not one.

    Host in lower case; user, default port, fragment and tracking parameters dropped; what XML, HTML
    or a log line could trip over percent-encoded. Everything that may identify the item stays.

    Examples
    --------
    >>> canonical_url("HTTP://News.Example:80/a?id=7&utm_source=rss#top")
    'http://news.example/a?id=7'
    >>> canonical_url("javascript:alert(1)") is None
    True
    """
    if not url or len(url) > MAX_URL_CHARS:
        return None
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORT or not host:
        return None
    return _join(parts, host, port)


def _join(parts: SplitResult, host: str, port: int | None) -> str | None:
    host = host.rstrip(".")
    if _UNSAFE.search(host):
        try:
            host = host.encode("idna").decode("ascii")
        except UnicodeError:
            return None
        if _UNSAFE.search(host):
            return None
    place = f"[{host}]" if ":" in host else host
    if port is not None and port != _DEFAULT_PORT[parts.scheme]:
        place = f"{place}:{port}"
    query = parts.query
    if query:
        query = "&".join(p for p in query.split("&") if p and not _is_tracking(p))
    tail = f"{parts.path or '/'}?{query}" if query else parts.path or "/"
    if _UNSAFE.search(tail):
        tail = quote(tail, safe=_SAFE, errors="backslashreplace")
    return f"{parts.scheme}://{place}{tail}"


def _is_tracking(parameter: str) -> bool:
    name = parameter.partition("=")[0]
    return bool(_TRACKING.fullmatch(name) or _TRACKING.fullmatch(parameter))


def domain_of(url: str) -> str:
    """Return the host of a canonical address, without ``www.``, for counting publishers.

    Examples
    --------
    >>> domain_of("https://www.example.com:8080/x")
    'example.com'
    """
    host = url.split("/", 3)[2]
    if not host.startswith("["):
        host = host.partition(":")[0]
    return host.removeprefix("www.")


def named_date(text: str) -> datetime | None:
    """Return the date that an address or guid carries, if it carries one: midnight UTC.

    Examples
    --------
    >>> named_date("http://x.example/2014/05/01/a").isoformat()
    '2014-05-01T00:00:00+00:00'
    >>> named_date("idUSL2N0NN05N20140501").isoformat()
    '2014-05-01T00:00:00+00:00'
    """
    match = _NAMED_DATE.search(text)
    if match is None:
        return None
    try:
        return datetime(int(match[1]), int(match[3]), int(match[4]), tzinfo=UTC)
    except ValueError:
        return None
