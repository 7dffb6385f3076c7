"""The console channel: alerts on the terminal the service runs in."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from monitor.domain import Notification
from monitor.notify.plaintext import block, one_line
from monitor.notify.port import ChannelConfig, ChannelRetriable


class ConsoleChannel:
    """Print notifications. Text is shown as it is: no markup, no colours or control codes of its
    own.
    """

    def __init__(self, config: ChannelConfig, console: Console | None = None) -> None:
        self.name = config.name
        self._console = console or Console(highlight=False, soft_wrap=True)

    def send(self, notification: Notification) -> None:
        text = Text(one_line(notification.subject), style="bold")
        text.append(Text("\n" + block(notification.body) + "\n", style="not bold"))
        try:
            self._console.print(text, soft_wrap=True)
        except (OSError, ValueError) as error:  # a closed pipe or file
            raise ChannelRetriable(
                f"channel {self.name!r}: cannot print: {type(error).__name__}"
            ) from None
