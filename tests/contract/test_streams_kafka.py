"""The Kafka adapter against a real broker that is killed, frozen, emptied, or not what it was said to be."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, TopicPartition

from monitor.errors import ConfigError, StreamUnavailable
from monitor.stream import KafkaSettings, open_broker
from monitor.stream.port import Message, Partition
from tests.support.kafka import SASL_PASSWORD, SASL_USER, KafkaServer
from tests.support.streams import WAIT_S, append_until_taken, read_all, settings_of


def test_nothing_listens() -> None:
    with pytest.raises(StreamUnavailable) as caught:
        open_broker(settings_of("127.0.0.1:1"))
    said = str(caught.value)
    assert "no Kafka at 127.0.0.1:1" in said
    assert "refused" in said
    assert "bootstrap_servers" in said


def test_something_else_listens(kafka: KafkaServer) -> None:
    """A TLS port taken for a plain one: the three likely reasons are named."""
    with pytest.raises(StreamUnavailable) as caught:
        open_broker(settings_of(kafka.tls_bootstrap))
    for word in ("something listens", "security_protocol", "sasl_password", "ssl_cafile"):
        assert word in str(caught.value)


@pytest.mark.parametrize("password", [SASL_PASSWORD, "wrong-secret"])
def test_password(kafka: KafkaServer, password: str, caplog: pytest.LogCaptureFixture) -> None:
    settings = settings_of(
        kafka.sasl_bootstrap,
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="PLAIN",
        sasl_username=SASL_USER,
        sasl_password=password,
    )
    if password == SASL_PASSWORD:
        round_trip(settings)
        return
    threads = threading.active_count()
    with caplog.at_level(logging.DEBUG), pytest.raises(StreamUnavailable) as caught:
        open_broker(settings)
    assert "sasl_password" in str(caught.value)
    assert password not in str(caught.value) + caplog.text + repr(settings)
    assert threading.active_count() == threads


def test_certificate(kafka: KafkaServer, tmp_path: Path) -> None:
    tls = {"security_protocol": "SSL"}
    round_trip(settings_of(kafka.tls_bootstrap, ssl_cafile=kafka.ca_file, **tls))

    with pytest.raises(StreamUnavailable, match="ssl_cafile"):
        open_broker(settings_of(kafka.tls_bootstrap, **tls))

    rubbish = tmp_path / "ca.pem"
    rubbish.write_text("not a certificate")
    with pytest.raises(ConfigError, match=r"ca\.pem"):
        open_broker(settings_of(kafka.tls_bootstrap, ssl_cafile=rubbish, **tls))


def round_trip(settings: KafkaSettings) -> None:
    broker = open_broker(settings)
    broker.create({"s": 1})
    writer, reader = broker.writer(), broker.reader("g", ["s"])
    append_until_taken(writer, [Message("k", b"0")])
    (record,) = read_all(reader, keys=1, last=0)
    reader.commit({record.source: 1})
    assert broker.lag("g", "s")[0].records == 0
    for opened in (writer, reader, broker):
        opened.close()


def test_a_broker_killed_amid_appends_loses_nothing(fragile: KafkaServer) -> None:
    settings = settings_of(fragile.bootstrap)
    broker = open_broker(settings)
    broker.create({"s": 2})
    reader = broker.reader("g", ["s"])
    failures = 0
    acknowledged = threading.Event()

    def append() -> None:
        nonlocal failures
        writer = broker.writer()
        for number in range(60):
            batch = [Message(f"k{key}", str(number).encode()) for key in range(10)]
            failures += append_until_taken(writer, batch)
            if number == 10:
                acknowledged.set()
            time.sleep(0.01)
        writer.close()

    thread = threading.Thread(target=append)
    thread.start()
    assert acknowledged.wait(WAIT_S)
    fragile.kill()
    time.sleep(3.0)  # longer than the watchdog
    fragile.start()
    records = read_all(reader, keys=10, last=59)
    thread.join()

    assert failures > 0, "the watchdog was not tried"
    for key in range(10):
        numbers = [int(record.value) for record in records if record.key == f"k{key}"]
        firsts = list(dict.fromkeys(numbers))
        assert firsts == list(range(60)), "a record is missing or out of order"
    reader.close()
    broker.close()


def test_a_frozen_broker_is_an_outage_and_then_none(fragile: KafkaServer) -> None:
    broker = open_broker(settings_of(fragile.bootstrap))
    broker.create({"s": 1})
    writer, reader = broker.writer(), broker.reader("g", ["s"])
    append_until_taken(writer, [Message("k", b"0")])
    assert len(read_all(reader, keys=1, last=0)) == 1

    fragile.freeze()
    try:
        started = time.monotonic()
        with pytest.raises(StreamUnavailable):
            writer.append("s", [Message("k", b"1")])
            writer.flush()
        assert time.monotonic() - started < 12
        with pytest.raises(StreamUnavailable):
            while time.monotonic() - started < WAIT_S:
                reader.poll(10, 1.0)
    finally:
        fragile.thaw()

    append_until_taken(writer, [Message("k", b"1")])
    assert {record.value for record in read_all(reader, keys=1, last=1)} >= {b"1"}
    for opened in (writer, reader, broker):
        opened.close()


def test_records_deleted_before_they_were_read_are_reported(
    kafka: KafkaServer, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_of(kafka.bootstrap)
    broker = open_broker(settings)
    broker.create({"s": 1})
    writer, reader = broker.writer(), broker.reader("g", ["s"])
    append_until_taken(writer, [Message("k", str(i).encode()) for i in range(20)])
    read_all(reader, keys=1, last=19)
    reader.commit({Partition("s", 0): 5})
    reader.close()
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    admin.delete_records({TopicPartition(f"{settings.topic_prefix}s", 0): 12})
    admin.close()

    with caplog.at_level(logging.ERROR, "monitor"):
        reader = broker.reader("g", ["s"])
        records = read_all(reader, keys=1, last=19)

    assert [record.offset for record in records] == list(range(12, 20))
    assert "records 5 to 11 were deleted" in caplog.text
    reader.commit({Partition("s", 0): 20})
    assert broker.lag("g", "s")[0].records == 0
    for opened in (writer, reader, broker):
        opened.close()


def test_a_log_that_ends_before_the_committed_offset_is_read_anew(
    kafka: KafkaServer, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_of(kafka.bootstrap)
    topic = f"{settings.topic_prefix}s"
    broker = open_broker(settings)
    broker.create({"s": 1})
    writer, reader = broker.writer(), broker.reader("g", ["s"])
    append_until_taken(writer, [Message("k", str(i).encode()) for i in range(20)])
    read_all(reader, keys=1, last=19)
    reader.commit({Partition("s", 0): 20})
    reader.close()
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    committed = admin.list_group_offsets({f"{settings.topic_prefix}g": None})
    beyond = {
        source: place._replace(offset=50)
        for source, place in committed[f"{settings.topic_prefix}g"].items()
    }
    admin.alter_group_offsets(f"{settings.topic_prefix}g", beyond)
    admin.close()
    assert list(beyond) == [TopicPartition(topic, 0)]

    with caplog.at_level(logging.ERROR, "monitor"):
        reader = broker.reader("g", ["s"])
        records = read_all(reader, keys=1, last=19)

    assert [record.offset for record in records] == list(range(20))
    assert "ends before offset 50" in caplog.text
    reader.commit({Partition("s", 0): 20})
    assert broker.lag("g", "s")[0].committed == 20
    for opened in (writer, reader, broker):
        opened.close()


def test_a_writer_bounds_what_is_in_flight(kafka: KafkaServer) -> None:
    broker = open_broker(
        settings_of(kafka.bootstrap, max_in_flight=10, max_in_flight_bytes=1000, compression="gzip")
    )
    broker.create({"s": 1})
    writer, reader = broker.writer(), broker.reader("g", ["s"])
    append_until_taken(writer, [Message("k", str(i).encode().zfill(300)) for i in range(100)])
    assert len(read_all(reader, keys=1, last=99)) == 100
    for opened in (writer, reader, broker):
        opened.close()
