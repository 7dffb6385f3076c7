"""What a channel is: a way to people that takes one notification and says how it went."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from monitor.domain import Notification
from monitor.errors import ForeshockError

RETRIABLE = frozenset({408, 425, 429})  # HTTP statuses that may be others later, as every 5xx


class ChannelRetriable(ForeshockError):
    """The channel is down or busy; the same notification may go out later.

    Parameters
    ----------
    message
        Names the channel, never its address or secret.
    retry_after_s
        How long the other side asked to wait, when it said so.
    """

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ChannelRefused(ForeshockError):
    """As configured, the channel will never take this; a person must change something."""


class Channel(Protocol):
    """One configured way to people."""

    @property
    def name(self) -> str:
        """The name given in the configuration; the only thing of it that logs may show."""
        ...

    def send(self, notification: Notification) -> None:
        """Deliver, or raise.

        Raises
        ------
        ChannelRetriable
            It may work later: connection, timeout, HTTP 408, 425, 429 and 5xx.
        ChannelRefused
            It never will: any other answer.
        """
        ...


@dataclass(frozen=True, slots=True)
class ChannelConfig:
    """How to reach people on one channel. Its ``repr`` hides ``url`` and ``secret``.

    Parameters
    ----------
    name
        What routes and the outbox call it.
    kind
        A key of `monitor.notify.channels.CHANNELS`.
    url
        Where to: an http(s) address (webhook), or one or more Apprise addresses separated by
        blanks.
    secret
        The shared key that signs a webhook.
    timeout_s
        For connecting and for each answer.
    format
        Of a webhook's body: ``foreshock``, or ``alertmanager`` (version 4 of its webhook).
    """

    name: str
    kind: str
    url: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    timeout_s: float = 10.0
    format: str = "foreshock"
