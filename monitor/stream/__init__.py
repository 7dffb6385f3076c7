"""Streams: ordered, partitioned, append-only logs between the stages.

`port` says what a stage may ask; `local` (one SQLite file) and `kafka` (a cluster) answer. `codec`
is the form of the records; no adapter looks inside.

To add an adapter:

1. Write ``monitor/stream/NAME.py`` with a frozen settings dataclass and a class that satisfies
   `port.Broker`. Only that module (and ``NAME_*.py`` beside it) may import the library it speaks
   through.
2. Turn the library's errors into `monitor.errors`: an outage is `StreamUnavailable`, a wrong
   setting `ConfigError`. The message says what to do.
3. Add one line to `open_broker`.
4. Add one line to ``BROKERS`` in ``tests/contract/test_streams.py``: the contract runs over it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from monitor.stream.kafka_settings import KafkaSettings
from monitor.stream.local import LocalBroker, LocalStreamSettings
from monitor.stream.port import Broker

__all__ = ["KafkaSettings", "LocalStreamSettings", "open_broker"]


def open_broker(
    settings: LocalStreamSettings | KafkaSettings, clock: Callable[[], float] = time.time
) -> Broker:
    """Open the streams that the settings describe; Kafka is imported only where it is used.

    Raises
    ------
    ConfigError
        A setting is wrong, or the file of the embedded log cannot be written.
    StreamUnavailable
        The cluster does not answer.
    """
    if isinstance(settings, LocalStreamSettings):
        return LocalBroker(settings, clock)
    from monitor.stream.kafka import KafkaBroker

    return KafkaBroker(settings)
