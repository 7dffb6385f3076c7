"""The kinds of channel, by name, and the one door to Apprise.

To add a kind: write a class with ``name`` and ``send`` (see `monitor.notify.port`), add one line to
`CHANNELS`, and a sample to ``SAMPLES`` in ``tests/contract/test_channels.py``, which fails without
it.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from monitor.domain import Notification
from monitor.errors import ConfigError
from monitor.notify.alertmanager import AlertmanagerChannel
from monitor.notify.console import ConsoleChannel
from monitor.notify.plaintext import block, defang, one_line
from monitor.notify.port import Channel, ChannelConfig, ChannelRefused, ChannelRetriable
from monitor.notify.webhook import WebhookChannel

if TYPE_CHECKING:
    import apprise

__all__ = [
    "CHANNELS",
    "AlertmanagerChannel",
    "AppriseChannel",
    "Channel",
    "ChannelConfig",
    "ChannelRefused",
    "ChannelRetriable",
    "ConsoleChannel",
    "WebhookChannel",
    "build_channel",
]


class AppriseChannel:
    """Send by anything Apprise speaks: mail, chat, phones (https://github.com/caronc/apprise).

    Apprise says only that a message did not go out, never why, so every failure is retriable.
    Subject and body are defanged, because most of these services render Markdown or HTML. With
    several addresses, one that fails makes the whole notification fail, and the others get it
    again.

    Raises
    ------
    ConfigError
        An address is missing, or of a kind that Apprise does not know.
    """

    def __init__(self, config: ChannelConfig) -> None:
        import apprise  # here, since most services send without it

        self.name = config.name
        self._text = apprise.NotifyFormat.TEXT
        logging.getLogger(
            "apprise"
        ).disabled = True  # its lines hold addresses, and addresses hold secrets
        urls = config.url.split()
        if not urls:
            raise ConfigError(
                f"channel {config.name!r}: `url` is empty; write one or more Apprise addresses"
            )
        self._targets = apprise.Apprise()
        for place, url in enumerate(urls, 1):
            if not _add(self._targets, url):
                hint = (
                    "; Microsoft Teams is workflows:// there"
                    if url.lower().startswith("msteams")
                    else ""
                )
                raise ConfigError(
                    f"channel {config.name!r}: Apprise does not know address {place} of "
                    f"`url`{hint}; "
                    "see https://github.com/caronc/apprise/wiki for the forms"
                )

    def __repr__(self) -> str:
        return f"AppriseChannel({self.name!r})"

    def send(self, notification: Notification) -> None:
        subject, body = defang(one_line(notification.subject)), defang(block(notification.body))
        try:
            sent = self._targets.notify(
                title=subject,
                body=body,
                body_format=self._text,
                interpret_escapes=False,
            )
        except Exception as error:  # a plugin's own; its text may hold the address
            raise ChannelRetriable(
                f"channel {self.name!r}: Apprise failed: {type(error).__name__}"
            ) from None
        if not sent:
            raise ChannelRetriable(f"channel {self.name!r}: Apprise could not deliver")


def _add(targets: apprise.Apprise, url: str) -> bool:
    """Add an address; the first one loads all plugins, some of which import deprecated modules."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return bool(targets.add(url))


CHANNELS: Mapping[str, Callable[[ChannelConfig], Channel]] = {
    "console": ConsoleChannel,
    "webhook": WebhookChannel,
    "apprise": AppriseChannel,
    "alertmanager": AlertmanagerChannel,
}


def build_channel(config: ChannelConfig) -> Channel:
    """Make the channel that a configuration asks for.

    Raises
    ------
    ConfigError
        The kind is unknown, or the kind cannot use the address or secret.
    """
    try:
        factory = CHANNELS[config.kind]
    except KeyError:
        raise ConfigError(
            f"channel {config.name!r}: unknown kind {config.kind!r}; write one of "
            f"{', '.join(CHANNELS)}"
        ) from None
    return factory(config)
