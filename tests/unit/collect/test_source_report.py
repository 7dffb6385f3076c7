"""Every source as the API tells of it: state, visits, cadence, yield, latency."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from monitor.collect.source import SourceConfig
from monitor.source_report import reports
from monitor.source_state import SourceState
from monitor.store import Store, articles, visits
from monitor.store.visits import Visit
from tests.support.make import T0, classified


def test_every_source_is_told_of(sqlite_store: Store) -> None:
    item = classified(published_at=T0, ingested_at=T0 + timedelta(seconds=40))
    with sqlite_store.write() as connection:
        articles.add(connection, [replace(item, article=replace(item.article, source="good"))])
        visits.save(
            connection,
            [
                Visit("good", T0, 1, items=20, unusable=5, took_s=0.5, cadence_s=90.0),
                Visit("bad", T0, 0, failure="HTTP 403", kind="blocked", took_s=1.0),
                Visit("gone", T0, 0, items=0, unusable=0),
            ],
        )
    configured = [SourceConfig(name, "feed", "x") for name in ("bad", "good", "never")]
    now = T0 + timedelta(minutes=1)
    bad, gone, good, never = reports(sqlite_store, configured, now, visiting=True)
    assert (bad.state, bad.failures, bad.failure_kind) == (SourceState.BLOCKED, 1, "blocked")
    assert bad.succeeded_at is None and bad.parse_yield is None and bad.latency_s is None
    assert (gone.state, gone.configured, gone.parse_yield) == (SourceState.SILENT, False, None)
    assert (good.state, good.parse_yield, good.latency_s) == (SourceState.OK, 0.75, 40.0)
    assert (good.articles, good.cadence_s, good.new_at) == (1, 90.0, T0 + timedelta(seconds=40))
    assert (never.state, never.said) == (SourceState.FAILING, "never visited")
    replayed = {each.source: each for each in reports(sqlite_store, configured, now, False)}
    assert replayed["never"].state is SourceState.SILENT, "nothing visits it now"
