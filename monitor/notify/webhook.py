"""The webhook channel: one signed JSON POST per notification.

The receiver checks ``X-Foreshock-Signature: t=UNIX,v1=HEX``, where HEX is HMAC-SHA256 (RFC 2104)
with the shared secret over the bytes ``UNIX "." body`` (see `verify`), and drops an
``Idempotency-Key`` it has seen.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re

import httpx2 as httpx
import orjson

from monitor.clock import Clock, SystemClock
from monitor.domain import Notification
from monitor.errors import ConfigError
from monitor.notify.alertmanager import webhook_body
from monitor.notify.port import RETRIABLE, ChannelConfig, ChannelRefused, ChannelRetriable

LONGEST_WAIT_S = 3600.0


class WebhookChannel:
    """POST ``notification.payload`` as JSON. Redirects are not followed: a moved receiver is
    refused.

    Raises
    ------
    ConfigError
        The address or the secret is missing or unusable.
    """

    def __init__(self, config: ChannelConfig, clock: Clock | None = None) -> None:
        self.name = config.name
        where = f"channel {config.name!r}"
        try:
            url = httpx.URL(config.url)
        except (httpx.InvalidURL, TypeError, ValueError):
            raise ConfigError(
                f"{where}: `url` is not an address; write https://HOST/PATH"
            ) from None
        if url.scheme not in ("http", "https") or not url.host:
            raise ConfigError(
                f"{where}: `url` must begin with https:// (or http://) and name a host"
            )
        if not config.secret:
            raise ConfigError(
                f"{where}: a webhook needs `secret`, the key that signs what it sends"
            )
        logging.getLogger("httpx2").setLevel(logging.WARNING)  # its INFO line holds the address
        self._url = url
        self._secret = config.secret.encode()
        self._format = config.format
        self._clock = clock or SystemClock()
        self._client = httpx.Client(timeout=config.timeout_s, follow_redirects=False)

    def __repr__(self) -> str:
        return f"WebhookChannel({self.name!r})"

    def send(self, notification: Notification) -> None:
        payload = dict(notification.payload)
        if self._format == "alertmanager":
            payload = webhook_body(payload, self.name)
        body = orjson.dumps(payload, option=orjson.OPT_SORT_KEYS)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "foreshock",
            "Idempotency-Key": notification.idempotency_key,
            "X-Foreshock-Signature": sign(self._secret, int(self._clock.now().timestamp()), body),
        }
        try:
            with self._client.stream("POST", self._url, content=body, headers=headers) as response:
                status, wait = response.status_code, response.headers.get("Retry-After", "")
        except httpx.HTTPError as error:
            raise ChannelRetriable(
                f"channel {self.name!r}: no answer: {type(error).__name__}"
            ) from None
        if 200 <= status < 300:
            return
        if status in RETRIABLE or status >= 500:
            raise ChannelRetriable(f"channel {self.name!r}: HTTP {status}", _seconds(wait))
        moved = "; it has moved, write the new address" if 300 <= status < 400 else ""
        raise ChannelRefused(
            f"channel {self.name!r}: HTTP {status}{moved or '; check its `url` and `secret`'}"
        )

    def close(self) -> None:
        """Close idle connections."""
        self._client.close()


def sign(secret: bytes, unix_s: int, body: bytes) -> str:
    """Return the value of the signature header.

    Examples
    --------
    >>> verify(sign(b"k", 100, b"{}"), b"{}", b"k", now_s=130)
    True
    """
    digest = hmac.new(secret, b"%d." % unix_s + body, hashlib.sha256).hexdigest()
    return f"t={unix_s},v1={digest}"


def verify(
    header: str, body: bytes, secret: bytes, now_s: float, tolerance_s: float = 300.0
) -> bool:
    """Check a signature as a receiver should: the right key, no old message played again."""
    match = re.fullmatch(r"t=(\d{1,12}),v1=([0-9a-f]{64})", header)
    if match is None or abs(now_s - int(match[1])) > tolerance_s:
        return False
    return hmac.compare_digest(sign(secret, int(match[1]), body), header)


def _seconds(retry_after: str) -> float | None:
    """Seconds of a Retry-After header (RFC 9110, 10.2.3); the form with a date is not used."""
    return (
        min(float(retry_after), LONGEST_WAIT_S) if re.fullmatch(r"\d{1,9}", retry_after) else None
    )
