"""What the Kafka adapter is told. Imports no Kafka, so settings can be read without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from monitor.errors import ConfigError

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
COMPRESSIONS = (None, "gzip")


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """How to reach Kafka, and how patient to be.

    Parameters
    ----------
    bootstrap_servers
        ``host:port``, one or more, separated by commas.
    security_protocol, sasl_mechanism, sasl_username, sasl_password
        One of `PROTOCOLS` and, for ``SASL_...``, one of `MECHANISMS` and the credentials. The password is
        never printed.
    ssl_cafile, ssl_certfile, ssl_keyfile
        PEM files: who signed the broker's certificate (default: the system's authorities), and the
        client's own certificate and key.
    topic_prefix
        Put before every topic and group name, to share a cluster.
    replication_factor
        Of topics made here; with 3 or more, ``min.insync.replicas`` is 2.
    retention_days
        Of topics made here.
    compression
        None, or ``"gzip"``: fewer bytes for about a fifth more processor time per append.
    max_in_flight, max_in_flight_bytes
        What one writer hands over before `append` waits for acknowledgements.
    delivery_timeout_s
        How long `append` and `flush` wait for acknowledgements before they raise `StreamUnavailable`.
    session_timeout_s
        How long the partitions of a killed process wait for another reader of its group.
    max_poll_interval_s
        A reader that has not polled for so long gives its partitions up. A rebalance waits up to this
        long for a member busy with a batch.
    connect_timeout_s
        How long to try to reach the cluster before saying that it cannot be reached.
    """

    bootstrap_servers: str
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str | None = None
    sasl_username: str | None = None
    sasl_password: str | None = field(default=None, repr=False)
    ssl_cafile: Path | None = None
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None
    topic_prefix: str = ""
    replication_factor: int = 1
    retention_days: float = 7.0
    compression: str | None = None
    max_in_flight: int = 10_000
    max_in_flight_bytes: int = 32 * 2**20
    delivery_timeout_s: float = 30.0
    session_timeout_s: float = 10.0
    max_poll_interval_s: float = 120.0
    connect_timeout_s: float = 10.0

    def __post_init__(self) -> None:
        one_of("security_protocol", self.security_protocol, PROTOCOLS)
        one_of("compression", self.compression, COMPRESSIONS)
        if self.security_protocol.startswith("SASL"):
            one_of("sasl_mechanism", self.sasl_mechanism, MECHANISMS)
            if not self.sasl_username or not self.sasl_password:
                raise ConfigError(
                    f"security_protocol {self.security_protocol} needs sasl_username and sasl_password"
                )
        for name in ("ssl_cafile", "ssl_certfile", "ssl_keyfile"):
            path: Path | None = getattr(self, name)
            if path is not None and not path.is_file():
                raise ConfigError(f"{name} {path} is not a file")
        self.servers()

    def servers(self) -> list[tuple[str, int]]:
        """Bootstrap hosts and ports.

        Examples
        --------
        >>> KafkaSettings("kafka-1:9092, [::1]:9094").servers()
        [('kafka-1', 9092), ('::1', 9094)]
        """
        servers = []
        for entry in self.bootstrap_servers.split(","):
            host, colon, port = entry.strip().rpartition(":")
            if not colon or not host or not port.isdecimal():
                raise ConfigError(
                    f"bootstrap_servers {self.bootstrap_servers!r}: write host:port, such as 127.0.0.1:9092, "
                    "several separated by commas"
                )
            servers.append((host.strip("[]"), int(port)))
        return servers


def one_of(name: str, value: str | None, allowed: Sequence[str | None]) -> None:
    """Raise `ConfigError` unless the value is allowed."""
    if value not in allowed:
        choices = ", ".join(choice or "nothing" for choice in allowed)
        raise ConfigError(f"{name} is {value!r}: write one of {choices}")
