"""Traces: the way of one article or alert through the stages, in the log and, if asked for, in OpenTelemetry.

The id of an article is its trace id, and so is that of an alert: 128 bits in hex, as W3C Trace Context has
them. What a span's id is, what came before it and whether the trace is kept follow from the trace id alone,
so that processes need not hand anything on, and records have no extra field.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from monitor.domain import digest
from monitor.errors import ConfigError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.sdk.trace.export import SpanExporter

log = logging.getLogger(__name__)

# What a stage follows in the trace of an article, and in that of an alert.
AFTER = {"classify": "collect", "aggregate": "classify", "notify": "alert"}
PATIENCE_S = 3.0  # with a collector
OF_ALERTS = ("alert", "notify")  # few, and what everybody asks for: always kept


class Traces:
    """Says which stage has done with what.

    Parameters
    ----------
    processor
        Takes finished spans; ``None`` leaves it at the log.
    ratio
        Share of the articles whose traces go to the processor.
    """

    def __init__(self, processor: SpanProcessor | None = None, ratio: float = 1.0) -> None:
        self._processor = processor
        self._below = round(ratio * 2**32)

    def passed(
        self,
        stage: str,
        keys: Iterable[str],
        began_ns: int,
        ended_ns: int,
        causes: Mapping[str, str] | None = None,
    ) -> None:
        """Say that a batch has all its effects.

        Parameters
        ----------
        keys
            Ids of its articles or alerts.
        began_ns, ended_ns
            Unix nanoseconds of its begin and of its commit.
        causes
            By alert the article that it came from.
        """
        tell = log.isEnabledFor(logging.DEBUG)
        for key in dict.fromkeys(keys):
            if tell:
                log.debug("passed", extra={"stage": stage, "trace": key})
            if self._processor is not None and (stage in OF_ALERTS or self._keeps(key)):
                cause = (causes or {}).get(key)
                span = _span(stage, key, began_ns, ended_ns, cause)
                if span is not None:
                    self._processor.on_end(span)

    def close(self) -> None:
        """Send what is left, for a moment."""
        if self._processor is not None:
            with contextlib.suppress(Exception):  # a collector that is away holds up nothing
                self._processor.shutdown()

    def _keeps(self, key: str) -> bool:
        try:
            return int(key[:8], 16) < self._below
        except ValueError:
            return False  # a foreign record


def open_traces(endpoint: str | None, ratio: float) -> Traces:
    """Return traces that go to an OTLP collector, or to the log alone where there is none.

    Raises
    ------
    ConfigError
        OpenTelemetry is not installed.
    """
    if endpoint is None:
        return Traces()
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError:
        raise ConfigError(
            "traces.endpoint: OpenTelemetry is not installed; install foreshock[otel]"
        ) from None
    exporter: SpanExporter = OTLPSpanExporter(endpoint=endpoint, timeout=PATIENCE_S)
    return Traces(BatchSpanProcessor(exporter), ratio)


def _span(stage: str, key: str, began_ns: int, ended_ns: int, cause: str | None) -> Any:
    """Return a finished span, or ``None`` where the key is no trace id."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags

    def context(of: str, trace: str) -> SpanContext:
        flags = TraceFlags(TraceFlags.SAMPLED)
        return SpanContext(int(trace, 16), span_id(of, trace), is_remote=True, trace_flags=flags)

    try:
        own = context(stage, key)
        links = [] if cause is None else [Link(context("aggregate", cause))]
    except ValueError:
        return None
    if not own.is_valid:
        return None
    return ReadableSpan(
        name=stage,
        context=own,
        parent=context(AFTER[stage], key) if stage in AFTER else None,
        resource=Resource.create({"service.name": "foreshock"}),
        attributes={"foreshock.stage": stage},
        links=links,
        kind=SpanKind.CONSUMER if stage in AFTER else SpanKind.INTERNAL,
        start_time=began_ns,
        end_time=ended_ns,
    )


def span_id(stage: str, trace: str) -> int:
    """Return the id of what a stage did in a trace.

    Examples
    --------
    >>> span_id("classify", "00" * 16) == span_id("classify", "00" * 16)
    True
    """
    return int(digest(f"{stage} {trace}")[:16], 16)
