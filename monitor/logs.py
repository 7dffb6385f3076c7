"""Logging: structured, on standard error, and no headline can forge a line."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

QUIET = (
    "httpx",
    "httpcore",
    "apscheduler",
    "kafka",
    "asyncio",
    "watchdog",
    "trafilatura",
    "alembic",
)
# Warns of every tenth of a second that another thread had the processor.
SILENT = "kafka.net.selector"
# What a record may say besides: which stage, the article or alert that it is about (see `monitor.traces`),
# the alert that came of it, and the channel of a message.
FIELDS = ("stage", "trace", "alert", "channel")


def set_up(level: str, form: str) -> None:
    """Send this process's logs to standard error as ``text`` or ``json``."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logging.getLogger(SILENT).setLevel(logging.ERROR)


class TextFormatter(logging.Formatter):
    """One line a record, its trace at the end; what could forge a line is escaped."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:
        line = one_line(super().formatMessage(record))
        trace = getattr(record, "trace", None)
        return line if trace is None else f"{line} [{one_line(trace)}]"


class JsonFormatter(logging.Formatter):
    """One JSON object a record: at, level, logger, message, and what there is of `FIELDS`."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        fields |= {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        if record.exc_info:
            fields["error"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False)


def one_line(text: str) -> str:
    r"""Escape what could start a new line or move a terminal's cursor.

    Examples
    --------
    >>> one_line("a\nb\x1b[2J")
    'a\\nb\\x1b[2J'
    """
    return "".join(
        char if char.isprintable() or char == " " else char.encode("unicode_escape").decode()
        for char in text
    )
