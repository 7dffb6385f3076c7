"""The pages' queries: right, and along an index however many articles there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import event

from dashboards import charts, data
from monitor.aggregate import baselines
from monitor.domain import OPEN_STATES, AlertState, Dimension, Grain, to_micros
from monitor.store import (
    Connection,
    Store,
    alerts,
    articles,
    buckets,
    interests,
    listing,
    outbox,
    pages,
    words,
)
from monitor.store.schema import buckets as bucket_table
from tests.browser import seed

# Small tables, read whole on purpose.
DAY = timedelta(days=1)
# Full text is walked along its matches, not whole.
MATCH = ":M2"
WHOLE = {"progress", "companies", "alerts"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("pages")
    store = Store(f"sqlite:///{folder / 'foreshock.db'}")
    seed.fill(store, folder, seed.pieces(scale=0.3))
    yield store
    store.close()


def test_watch_ranks_alerts_before_sentiment(store: Store) -> None:
    rows = data.watch(str(store.url))
    assert rows["name"].iloc[0] == "Castlereach Bancorp"
    quiet = rows[rows["alerts"] == 0]["score"].dropna()
    assert quiet.is_monotonic_increasing
    silent = rows[rows["items"] == 0]
    assert not silent.empty and silent["score"].isna().all()  # never zero
    assert rows["spark"].map(len).eq(data.SPARK_HOURS).all()


def test_totals_are_the_sum_of_the_buckets(store: Store) -> None:
    start, end = data.window(str(store.url), 24)
    total = pages.totals(store, Dimension.COMPANY, Grain.HOUR, start, end).set_index("key")
    for key in total.index:
        series = buckets.series(store, Dimension.COMPANY, key, Grain.HOUR, start, end)
        assert series["items"].sum() == total.loc[key, "items"]
        read = series[["positive", "neutral", "negative"]].sum(axis=1)
        if read.sum():
            mean = (series["score"].fillna(0) * read).sum() / read.sum()
            assert mean == pytest.approx(total.loc[key, "score"])


def test_baselines_are_those_of_the_rules(store: Store) -> None:
    url = str(store.url)
    midnight = data.now(url).replace(hour=0, minute=0)
    shown = data.usual(url)
    with store.read() as connection:
        table = buckets.read(
            connection,
            (bucket_table.c.grain == Grain.HOUR.value)
            & (bucket_table.c.start_us < to_micros(midnight)),
        )
    first = pages.first_hour(store)
    assert shown is not None and first is not None
    ruled = baselines.compute(table, midnight)
    if first.hour == 0:  # the pages leave out a first day that is not whole
        assert shown.rates.keys() <= ruled.rates.keys()
        for key, rate in shown.rates.items():
            assert rate.items_per_hour == pytest.approx(ruled.rates[key].items_per_hour)
            assert rate.dispersion == pytest.approx(ruled.rates[key].dispersion)


def test_trend_has_every_hour_and_a_band(store: Store) -> None:
    rows = data.trend(str(store.url), Dimension.COMPANY, "castlereach-bancorp", 168)
    assert len(rows) == 168 and rows["start"].diff().dropna().eq(pd.Timedelta(hours=1)).all()
    assert (rows["low"] <= rows["usual"]).all() and (rows["usual"] <= rows["high"]).all()
    assert rows["index"].dropna().between(-1, 1).all()
    known = rows.dropna(subset=["score_usual"])
    assert len(known) and (known["score_low"] <= known["score_usual"]).all()
    assert (known["score_usual"] <= known["score_high"]).all()


def test_the_index_chart_draws_band_and_changes(store: Store) -> None:
    url, at = str(store.url), (Dimension.COMPANY, "castlereach-bancorp")
    rows, marks = data.trend(url, *at, 168), data.alerts_on(url, *at, 168)
    changed = rows.loc[[100], ["start", "index"]]
    drawn = charts.index_chart(rows, marks, changed, "light").to_dict()["layer"]
    kinds = [layer["mark"]["type"] for layer in drawn]
    assert kinds[0] == "area" and kinds.count("rule") == 2 + (not marks.empty)
    young = rows.assign(score_usual=np.nan)
    drawn = charts.index_chart(young, marks, changed.head(0), "light").to_dict()["layer"]
    assert "area" not in [layer["mark"]["type"] for layer in drawn]


def test_changes_of_level_are_days_of_the_span(store: Store) -> None:
    url = str(store.url)
    days = data.changes(url, Dimension.COMPANY, "castlereach-bancorp", 720)
    start, end = data.window(url, 720)
    assert days["start"].between(start, end).all()
    none = data.changes(url, Dimension.COMPANY, "nobody", 720)
    assert none.empty
    assert data.trend(url, Dimension.COMPANY, "nobody", 24)["index"].isna().all()


def test_items_of_a_company_name_it(store: Store) -> None:
    watched = pages.items(store, 40, watched_only=True)
    assert len(watched) == 40 and watched["companies"].map(bool).all()
    assert watched["published_at"].is_monotonic_decreasing
    one = pages.items(store, 5, company_id="noxarel-semiconductor")
    assert one["companies"].map(lambda ids: "noxarel-semiconductor" in ids).all()
    unread = one[one["language"] == "zh"]
    assert len(unread) and unread["score"].isna().all()
    assert len(pages.items(store, 30)) == 30


def test_alert_filters(store: Store) -> None:
    every = (*OPEN_STATES, AlertState.RESOLVED)
    rows = pages.alert_rows(store, states=every)
    assert len(rows) and rows["severity"].between(1, 5).all()
    bank = pages.alert_rows(store, states=every, keys=("castlereach-bancorp",))
    assert set(bank["key"]) == {"castlereach-bancorp"} and len(bank) < len(rows)
    assert pages.alert_rows(store, states=every, min_severity=5)["severity"].min() == 5
    assert pages.alert_rows(store, states=(AlertState.RESOLVED,), keys=("%",)).empty


def _asked(
    ask: Callable[[Connection, datetime], object],
) -> Callable[[Store, datetime, str], object]:
    def run(store: Store, now: datetime, alert: str) -> object:
        with store.read() as connection:
            return ask(connection, now)

    return run


QUERIES: dict[str, Callable[[Store, datetime, str], object]] = {
    "standing": lambda store, now, alert: pages.standing(store),
    "totals": lambda store, now, alert: pages.totals(
        store, Dimension.COMPANY_TOPIC, Grain.DAY, now - DAY, now
    ),
    "hours": lambda store, now, alert: pages.hours(
        store, Dimension.COMPANY, ["castlereach-bancorp", "x"], now - DAY, now
    ),
    "history": lambda store, now, alert: pages.history(store, now - DAY, now),
    "first_hour": lambda store, now, alert: pages.first_hour(store),
    "items": lambda store, now, alert: pages.items(store, 50),
    "items_watched": lambda store, now, alert: pages.items(store, 50, watched_only=True),
    "items_company": lambda store, now, alert: pages.items(
        store, 50, company_id="castlereach-bancorp"
    ),
    "items_topic": lambda store, now, alert: pages.items(store, 50, topic="Financials"),
    "items_with": lambda store, now, alert: pages.items_with(
        store, list(pages.items(store, 3)["id"])
    ),
    "topics_of_company": lambda store, now, alert: pages.totals(
        store, Dimension.COMPANY_TOPIC, Grain.DAY, now - DAY, now, of_company="castlereach-bancorp"
    ),
    "topic_alert_rows": lambda store, now, alert: pages.topic_alert_rows(
        store, "Financials", now - DAY
    ),
    "with_evidence": _asked(lambda connection, now: alerts.with_evidence(connection, ["a", "b"])),
    "alerts_of_ids": _asked(lambda connection, now: alerts.of_ids(connection, ["a", "b"])),
    "newest_naming": _asked(
        lambda connection, now: articles.newest_naming(
            connection, now - DAY, now, "castlereach-bancorp", 50
        )
    ),
    "newest_naming_any": _asked(
        lambda connection, now: articles.newest_naming(connection, now - DAY, now, None, 50)
    ),
    "newest_of_topic": _asked(
        lambda connection, now: articles.newest_of_topic(connection, "Financials", now - DAY, 50)
    ),
    "newest_read": _asked(lambda connection, now: articles.newest_read(connection, 50)),
    "one_article": _asked(lambda connection, now: articles.current(connection, ["a"])),
    "articles_by_key": _asked(lambda connection, now: articles.get(connection, [("a", "b")])),
    "heard_by_hour": _asked(lambda connection, now: listing.heard_by_hour(connection, now - DAY)),
    "heard_since": _asked(lambda connection, now: listing.heard_since(connection, now - DAY)),
    "newest_lags": _asked(lambda connection, now: listing.newest_lags(connection, 50)),
    "interests": _asked(lambda connection, now: interests.of(connection, "ann")),
    "words": _asked(lambda connection, now: words.find(connection, "withdrawals -x", 5)),
    "any_word": _asked(
        lambda connection, now: words.find(connection, "bank run", 5, any_word=True)
    ),
    "alert_rows": lambda store, now, alert: pages.alert_rows(store, states=OPEN_STATES),
    "alert_keys": lambda store, now, alert: pages.alert_keys(store),
    "alert_history": lambda store, now, alert: alerts.history(store, alert),
    "alert_notifications": lambda store, now, alert: outbox.of_alert(store, alert),
    "series": lambda store, now, alert: buckets.series(
        store, Dimension.MARKET, "all", Grain.HOUR, now - DAY, now
    ),
}


@pytest.mark.parametrize("name", QUERIES)
def test_no_query_reads_or_sorts_a_large_table_whole(store: Store, name: str) -> None:
    seen: list[tuple[str, Any]] = []

    def listen(_c: object, _cursor: object, statement: str, values: Any, *_: object) -> None:
        if statement.lstrip().upper().startswith("SELECT"):
            seen.append((statement, values))

    now = pages.standing(store).as_of
    assert now is not None
    alert_id = alerts.latest(store)[0].id
    event.listen(store.engine, "before_cursor_execute", listen)
    QUERIES[name](store, now, alert_id)
    event.remove(store.engine, "before_cursor_execute", listen)
    assert seen
    whole = []
    with store.engine.connect() as connection:
        for statement, values in seen:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            steps = [str(row[3]) for row in plan]
            sorts = any(step.startswith("USE TEMP B-TREE") for step in steps)
            # The first step of what is ordered and sorted nowhere walks a table by its own key.
            by_key = "ORDER BY" in statement and "LIMIT" in statement
            for at, step in enumerate(steps):
                words = step.split()
                if words[0] != "SCAN" or words[1] in WHOLE or "CONSTANT" in words:
                    continue
                if "json_each" in statement and "VIRTUAL TABLE INDEX 1:" in step:
                    continue  # the list of keys that was asked for
                if words[-1].endswith(MATCH):
                    continue
                # Walking an index in order until the limit is reached is no reading whole.
                if not ("USING" in words or (by_key and at == 0)) or sorts:
                    whole.append(f"{steps}: {' '.join(statement.split())[:400]}")
    assert whole == []
