"""Settings of the Kafka adapter: what is refused, and that the password is not shown."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from monitor.errors import ConfigError
from monitor.stream import KafkaSettings


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"bootstrap_servers": "kafka"}, "host:port"),
        ({"bootstrap_servers": "kafka:port"}, "host:port"),
        ({"bootstrap_servers": ""}, "host:port"),
        ({"security_protocol": "TLS"}, "SASL_SSL"),
        ({"security_protocol": "SASL_SSL"}, "sasl_mechanism"),
        ({"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN"}, "sasl_password"),
        ({"ssl_cafile": Path("/nowhere/ca.pem")}, "ssl_cafile /nowhere/ca.pem"),
        ({"compression": "zip"}, "gzip"),
    ],
)
def test_a_wrong_setting_is_named(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        KafkaSettings(**({"bootstrap_servers": "kafka:9092"} | changes))


def test_the_password_is_not_shown() -> None:
    settings = KafkaSettings(
        "kafka:9092",
        security_protocol="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username="desk",
        sasl_password="hunter2",
    )
    assert "hunter2" not in repr(settings) + str(settings)


def test_kafka_is_imported_only_where_it_is_used() -> None:
    code = "import sys, monitor.stream; assert 'kafka' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
