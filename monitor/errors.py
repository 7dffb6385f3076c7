"""The exceptions of Foreshock, sorted by what the caller does about them.

::

    ForeshockError
    ├── ConfigError        the person at the keyboard: say what to change, exit 2
    ├── RetriableError     an outage: back off, pause, try the same work again
    │   ├── StreamUnavailable
    │   └── StoreUnavailable
    ├── PoisonError        this one record will never work: to ``news.dead``, go on
    └── FatalError         going on would break a promise: stop, do not commit

``models`` has its own small tree (`models.errors`), because it knows nothing of this package.
"""

from __future__ import annotations


class ForeshockError(Exception):
    """Every error this package raises on purpose."""


class ConfigError(ForeshockError):
    """A setting, file or argument is wrong; the message says which and what to write instead."""


class RetriableError(ForeshockError):
    """Something outside is down for now. Nothing was lost; the same call may work later."""


class StreamUnavailable(RetriableError):
    """The broker, or the file of the embedded log, does not answer."""


class StoreUnavailable(RetriableError):
    """The database does not answer, is locked for too long, or its disk is full."""


class PoisonError(ForeshockError):
    """One record can never be processed.

    Parameters
    ----------
    reason
        One of a closed set (see `monitor.domain.DeadReason`); used as a metric label.
    detail
        What was seen, for a person.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class FatalError(ForeshockError):
    """Going on would lose or double data; the process stops without committing."""
