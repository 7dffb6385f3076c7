"""Making Kafka clients: their shared options, and why one could not be made.

kafka-python reports a dead broker, a wrong password and a wrong certificate alike, as a timeout of
its bootstrap. `opened` looks closer: whether anything listens there, and what the client logged
last.
"""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from kafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaConfigurationError,
    KafkaError,
    TopicAuthorizationFailedError,
)
from kafka.net.compat import KafkaNetClient

from monitor.errors import ConfigError, ForeshockError, StreamUnavailable
from monitor.stream.kafka_settings import KafkaSettings

Client = TypeVar("Client")

_PROBE_S = 2.0
_FORBIDDEN = (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
)


def opened(settings: KafkaSettings, make: Callable[..., Client], **options: Any) -> Client:
    """Make a client with the connection's options and ``options``.

    Raises
    ------
    StreamUnavailable
        The cluster cannot be reached, with the likely reasons.
    ConfigError
        A certificate file cannot be read, or the client refuses an option.
    """
    if refusal := _refusal(settings):
        raise StreamUnavailable(
            f"no Kafka at {settings.bootstrap_servers}: {refusal}. Start the broker, or correct "
            "bootstrap_servers"
        )
    made: list[Any] = []

    def remembered(**config: Any) -> Any:
        made.append(KafkaNetClient(**config))
        return made[-1]

    with _last_words() as said:
        try:
            return make(**_connection_options(settings), kafka_client=remembered, **options)
        except KafkaError as error:
            # A client whose constructor fails leaves its thread and sockets behind.
            for client in made:
                client.close()
            if isinstance(error, KafkaConfigurationError):
                raise ConfigError(f"Kafka's client refuses its settings: {error}") from error
            raise StreamUnavailable(_reason(settings, said[-1] if said else str(error))) from error


def unavailable(settings: KafkaSettings, doing: str, error: object) -> ForeshockError:
    """The error for a call that failed on a client which had worked."""
    where = settings.bootstrap_servers
    if isinstance(error, _FORBIDDEN):
        user = settings.sasl_username or "this client"
        return ConfigError(
            f"Kafka at {where} does not let {user} go on while {doing}: {error}; grant it the right"
        )
    if refusal := _refusal(settings):
        return StreamUnavailable(f"Kafka at {where} is gone while {doing}: {refusal}")
    return StreamUnavailable(f"Kafka at {where} did not answer while {doing}: {error}")


def _connection_options(settings: KafkaSettings) -> dict[str, Any]:
    options: dict[str, Any] = {
        "bootstrap_servers": settings.bootstrap_servers.replace(" ", "").split(","),
        "bootstrap_timeout_ms": int(settings.connect_timeout_s * 1000),
        "security_protocol": settings.security_protocol,
        # A broker that comes back is found within a second, not within half a minute.
        "reconnect_backoff_max_ms": 1000,
        "request_timeout_ms": 10_000,
    }
    if settings.security_protocol.startswith("SASL"):
        _keep_quiet()
        options["sasl_mechanism"] = settings.sasl_mechanism
        options["sasl_plain_username"] = settings.sasl_username
        options["sasl_plain_password"] = settings.sasl_password
    if settings.security_protocol.endswith("SSL"):
        options["ssl_context"] = _ssl_context(settings)
    return options


def _keep_quiet() -> None:
    """Keep the client from writing passwords to its debug log: it logs options and sent bytes."""
    logger = logging.getLogger("kafka")
    if logger.getEffectiveLevel() < logging.INFO:
        logger.setLevel(logging.INFO)


def _ssl_context(settings: KafkaSettings) -> ssl.SSLContext:
    # Made here, because the client would swallow a file it cannot read and try again until its
    # timeout.
    try:
        context = ssl.create_default_context(cafile=settings.ssl_cafile)
        if settings.ssl_certfile is not None:
            context.load_cert_chain(settings.ssl_certfile, settings.ssl_keyfile)
    except OSError as error:
        raise ConfigError(
            f"the TLS files of Kafka cannot be used ({error}): look at ssl_cafile "
            f"{settings.ssl_cafile}, ssl_certfile {settings.ssl_certfile}, ssl_keyfile {settings.ssl_keyfile}"
        ) from error
    return context


def _reason(settings: KafkaSettings, said: str) -> str:
    return (
        f"something listens at {settings.bootstrap_servers}, but no Kafka session came about in "
        f"{settings.connect_timeout_s:g} s ({said}). Either it is not a (healthy) Kafka broker, or "
        "security_protocol, sasl_mechanism, sasl_username or sasl_password is not what it expects, "
        "or its certificate is not signed by ssl_cafile or not made out to this host name"
    )


def _refusal(settings: KafkaSettings) -> str | None:
    """Why no bootstrap server takes a TCP connection; None when one does."""
    refusals = []
    for host, port in settings.servers():
        try:
            socket.create_connection((host, port), timeout=_PROBE_S).close()
            return None
        except OSError as error:
            refusals.append(f"{host}:{port} says {error.strerror or error}")
    return "; ".join(refusals)


@contextmanager
def _last_words() -> Iterator[list[str]]:
    """Collect why connections failed, which the client logs but does not raise."""
    said: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if (message := record.getMessage()).startswith("Bootstrap connection"):
                said.append(message)

    listener = Listener(logging.WARNING)
    logger = logging.getLogger("kafka.net.manager")
    logger.addHandler(listener)
    try:
        yield said
    finally:
        logger.removeHandler(listener)
