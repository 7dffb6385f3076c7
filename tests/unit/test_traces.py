"""Traces: what each stage did with one article, in the log and at a real collector's door."""

from __future__ import annotations

import gzip
import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from monitor.domain import digest
from monitor.logs import JsonFormatter, TextFormatter
from monitor.traces import Traces, open_traces, span_id

ARTICLE, ALERT = digest("an article"), digest("an alert")
BEGAN_NS, ENDED_NS = 1_700_000_000_000_000_000, 1_700_000_000_250_000_000


class Collector(ThreadingHTTPServer):
    """Takes OTLP over HTTP."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.taken: list[ExportTraceServiceRequest] = []

    @property
    def spans(self) -> list:  # type: ignore[type-arg]
        return [
            span
            for request in self.taken
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.taken.append(ExportTraceServiceRequest.FromString(body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    server = Collector()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def endpoint(collector: Collector) -> str:
    return f"http://127.0.0.1:{collector.server_address[1]}/v1/traces"


def test_spans_of_processes_that_share_nothing_make_one_trace(collector: Collector) -> None:
    for stage in ("collect", "classify", "aggregate"):
        traces = open_traces(endpoint(collector), 1.0)  # each as in a process of its own
        traces.passed(stage, [ARTICLE], BEGAN_NS, ENDED_NS)
        traces.close()
    traces = open_traces(endpoint(collector), 0.0)
    traces.passed("alert", [ALERT], BEGAN_NS, ENDED_NS, {ALERT: ARTICLE})
    traces.passed("notify", [ALERT], BEGAN_NS, ENDED_NS)
    traces.close()

    spans = {span.name: span for span in collector.spans}
    for stage in ("collect", "classify", "aggregate"):
        assert spans[stage].trace_id.hex() == ARTICLE
    assert spans["collect"].parent_span_id == b""
    assert spans["classify"].parent_span_id == spans["collect"].span_id
    assert spans["aggregate"].parent_span_id == spans["classify"].span_id
    assert spans["notify"].trace_id.hex() == spans["alert"].trace_id.hex() == ALERT
    assert spans["notify"].parent_span_id == spans["alert"].span_id
    (link,) = spans["alert"].links
    assert (link.trace_id.hex(), link.span_id) == (ARTICLE, spans["aggregate"].span_id)
    assert spans["classify"].start_time_unix_nano == BEGAN_NS
    assert spans["classify"].end_time_unix_nano == ENDED_NS


def test_every_process_keeps_the_same_share_and_every_alert(collector: Collector) -> None:
    ids = [digest(str(number)) for number in range(2_000)]
    for stage in ("classify", "aggregate", "alert"):
        traces = open_traces(endpoint(collector), 0.2)
        traces.passed(stage, ids, BEGAN_NS, ENDED_NS)
        traces.close()
    kept = {
        stage: {span.trace_id.hex() for span in collector.spans if span.name == stage}
        for stage in ("classify", "aggregate", "alert")
    }
    assert kept["classify"] == kept["aggregate"]
    assert 300 < len(kept["classify"]) < 500
    assert kept["alert"] == set(ids)


def test_a_collector_that_is_away_and_a_foreign_key_hold_up_nothing() -> None:
    traces = open_traces("http://127.0.0.1:1/v1/traces", 1.0)
    traces.passed("classify", ["", "k1", "not hex at all", "0" * 32, ARTICLE], BEGAN_NS, ENDED_NS)
    traces.close()


def test_the_log_names_the_trace(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "monitor.traces"):
        Traces().passed("classify", [ARTICLE, ARTICLE], BEGAN_NS, ENDED_NS)
    (record,) = caplog.records
    line = json.loads(JsonFormatter().format(record))
    assert (line["stage"], line["trace"], line["message"]) == ("classify", ARTICLE, "passed")
    assert TextFormatter().format(record).endswith(f"passed [{ARTICLE}]")


def test_a_span_has_an_id_of_its_own() -> None:
    assert len({span_id(stage, trace) for stage in ("a", "b") for trace in (ARTICLE, ALERT)}) == 4
