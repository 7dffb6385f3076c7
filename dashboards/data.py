"""What the pages read: cached for all viewers together, so that a hundred of them cost as much as one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import streamlit as st

from dashboards.desk import opened
from monitor.access import visitor as visitors
from monitor.access.roles import Forbidden
from monitor.access.visitor import Deed, Visitor
from monitor.aggregate import baselines
from monitor.aggregate.baselines import Baselines
from monitor.aggregate.buckets import MARKET_KEY
from monitor.aggregate.changes import change_points
from monitor.aggregate.deviations import z_score
from monitor.aggregate.trends import key_trend
from monitor.domain import OPEN_STATES, Alert, AlertKind, AlertState, Dimension, Grain, to_micros
from monitor.store import acts, alerts, audit, buckets, companies, outbox, pages
from monitor.store.audit import Verified, Written
from monitor.store.clock import time_of
from monitor.store.pages import Standing
from monitor.store.schema import SCORE_UNIT

FRESH_S = 4.0  # how old an answer may be; a page asks every `Desk.refresh_s`
HISTORY = timedelta(days=28)
WARMUP_DAYS = 3.0
CHANGE_HISTORY = timedelta(days=90)  # of days among which change points are looked for
INDEX_HOURS = 24
SPARK_HOURS = 168
HEARD_HOURS = 6
SHOWN_COMPANIES = 100
HOUR = timedelta(hours=1)
HOUR_US = Grain.HOUR.seconds * 1_000_000


@st.cache_data(ttl=FRESH_S / 2, show_spinner=False)
def standing(url: str) -> Standing:
    """Return how far the pipeline is."""
    with opened(url) as store:
        return pages.standing(store)


@st.cache_data(ttl=30, show_spinner=False)
def names(url: str) -> dict[str, str]:
    """Return the watched companies' names by id, by name."""
    with opened(url) as store:
        return {company.id: company.name for company in companies.load(store)}


def label(url: str, dimension: str, key: str) -> str:
    """Return a key as people say it."""
    known = names(url)
    if dimension == Dimension.COMPANY.value:
        return known.get(key, key)
    if dimension == Dimension.COMPANY_TOPIC.value:
        company, _, topic = key.partition("|")
        return f"{known.get(company, company)} · {topic}"
    if dimension in (Dimension.SECTOR.value, Dimension.PORTFOLIO.value):
        return f"{key} ({dimension})"
    return "All news" if dimension == Dimension.MARKET.value else key


def now(url: str) -> datetime:
    """Return the pipeline's time."""
    return standing(url).as_of or wall(url)


def wall(url: str) -> datetime:
    """Return the time by which the processes of this database agree."""
    with opened(url) as store:
        return time_of(store)


def window(url: str, hours: int) -> tuple[datetime, datetime]:
    """Return the last ``hours`` hour buckets, the running hour among them, as ``[start, end)``."""
    end = now(url).replace(minute=0, second=0, microsecond=0) + HOUR
    return end - hours * HOUR, end


def usual(url: str) -> Baselines | None:
    """Return the baselines as of the last midnight, or ``None`` while they are warming up."""
    known = _baselines(url, now(url).replace(hour=0, minute=0, second=0, microsecond=0))
    return known if known.days >= WARMUP_DAYS else None


@st.cache_data(ttl=900, show_spinner=False)
def _baselines(url: str, midnight: datetime) -> Baselines:
    with opened(url) as store:
        first = pages.first_hour(store) or midnight
        whole = first.replace(hour=0)
        start = max(midnight - HISTORY, whole if whole == first else whole + timedelta(days=1))
        history = pages.history(store, start, midnight)
    if history.empty:
        return baselines.compute(history, midnight)
    # History begins at `start` though the first hour may have been silent.
    head = {"dimension": Dimension.MARKET.value, "key": MARKET_KEY, "start_us": to_micros(start)}
    zero = pd.DataFrame([{**dict.fromkeys(history.columns, 0), **head}])
    return baselines.compute(pd.concat([zero, history], ignore_index=True), midnight)


@dataclass(frozen=True)
class Overview:
    """The numbers at the top of the board; scores are means, ``None`` is "no data"."""

    open_alerts: int
    firing: int
    worst: int
    score: float | None
    score_week: float | None
    items: int
    usual_items: float | None
    watched_items: int
    watched_negative: int
    publishers: int
    spark_items: list[int]
    spark_score: list[float]


@st.cache_data(ttl=FRESH_S, show_spinner=False)
def overview(url: str) -> Overview:
    """Return the numbers at the top of the board."""
    start, end = window(url, SPARK_HOURS)
    watched = watch(url)
    rows = open_alerts(url)
    with opened(url) as store:
        hourly = buckets.series(store, Dimension.MARKET, MARKET_KEY, Grain.HOUR, start, end)
        with store.read() as connection:
            heard = buckets.publisher_count(
                connection,
                Dimension.MARKET,
                MARKET_KEY,
                to_micros(end - HEARD_HOURS * HOUR),
                to_micros(end),
            )
    day = hourly.tail(INDEX_HOURS)
    known = usual(url)
    expected = None
    if known is not None:
        at = np.array([to_micros(end)], dtype=np.int64)
        rate = known.rate(Dimension.MARKET, MARKET_KEY).items_per_hour
        expected = float(rate * known.weight(at, INDEX_HOURS * HOUR_US)[0])
    trailing = index(hourly)
    return Overview(
        open_alerts=len(rows),
        firing=int((rows["state"] == AlertState.FIRING.value).sum()),
        worst=int(rows["severity"].max()) if len(rows) else 0,
        score=_mean(day),
        score_week=_mean(hourly),
        items=int(day["items"].sum()),
        usual_items=expected,
        watched_items=int(watched["items"].sum()),
        watched_negative=int(watched["negative"].sum()),
        publishers=heard,
        spark_items=hourly["items"].rolling(6, min_periods=1).sum().iloc[5::6].astype(int).tolist(),
        spark_score=[round(float(x), 4) for x in trailing.iloc[5::6].dropna()],
    )


@st.cache_data(ttl=FRESH_S, show_spinner=False)
def watch(url: str) -> pd.DataFrame:
    """Return the watched companies, worst first.

    Columns: key, name, alerts, worst (severity), score, items, negative, usual, ratio, z, spark.
    """
    start, end = window(url, INDEX_HOURS)
    with opened(url) as store:
        day = pages.totals(store, Dimension.COMPANY, Grain.HOUR, start, end).set_index("key")
    frame = pd.DataFrame(names(url).items(), columns=["key", "name"]).set_index("key")
    frame = frame.join(day[["items", "negative", "score"]])
    frame[["items", "negative"]] = frame[["items", "negative"]].fillna(0).astype("int64")
    rows = open_alerts(url)
    rows = rows[rows["dimension"].isin([Dimension.COMPANY, Dimension.COMPANY_TOPIC])]
    by_company = rows.assign(key=rows["key"].str.split("|").str[0]).groupby("key")["severity"]
    frame["alerts"] = by_company.size().reindex(frame.index).fillna(0).astype("int64")
    frame["worst"] = by_company.max().reindex(frame.index).fillna(0).astype("int64")
    _against_usual(frame, usual(url), end)
    order = ["worst", "alerts", "score", "items"]
    frame = frame.sort_values(order, ascending=[False, False, True, False], na_position="last")
    frame = frame.head(SHOWN_COMPANIES).reset_index()
    frame["spark"] = _sparks(url, frame["key"].tolist())
    return frame


def _against_usual(frame: pd.DataFrame, known: Baselines | None, end: datetime) -> None:
    frame["usual"] = frame["ratio"] = frame["z"] = np.nan
    if known is None or frame.empty:
        return
    at = np.array([to_micros(end)], dtype=np.int64)
    weight = float(known.weight(at, INDEX_HOURS * HOUR_US)[0])
    rates = [known.rate(Dimension.COMPANY, str(key)) for key in frame.index]
    expected = np.array([rate.items_per_hour * weight for rate in rates])
    spread = np.array([rate.dispersion for rate in rates])
    frame["usual"] = expected
    frame["ratio"] = frame["items"] / expected
    frame["z"] = z_score(frame["items"].to_numpy(dtype=np.float64), expected, spread)


def _sparks(url: str, keys: list[str]) -> list[list[int]]:
    """Return each key's items per hour over a week, in that order."""
    start, end = window(url, SPARK_HOURS)
    with opened(url) as store:
        rows = pages.hours(store, Dimension.COMPANY, keys, start, end)
    grid = {key: [0] * SPARK_HOURS for key in keys}
    hour = ((rows["start"] - pd.Timestamp(start)) // pd.Timedelta(hours=1)).astype(int)
    for key, at, count in zip(rows["key"], hour, rows["items"], strict=True):
        grid[key][at] = int(count)
    return [grid[key] for key in keys]


@st.cache_data(ttl=FRESH_S / 2, show_spinner=False)
def open_alerts(url: str) -> pd.DataFrame:
    """Return open alerts, worst and newest first; see `monitor.store.pages.ALERT_COLUMNS`."""
    with opened(url) as store:
        return pages.alert_rows(store, states=OPEN_STATES, limit=500)


@st.cache_data(ttl=FRESH_S, show_spinner=False)
def trend(url: str, dimension: Dimension, key: str, hours: int) -> pd.DataFrame:
    """Return one key by the hour over the last ``hours``.

    Columns: start, items, positive, neutral, negative, score (of the hour), index (of 24 hours), and, unless
    the baselines are warming up, usual, low, high (expected items, and the bounds of |z| <= 2) and
    score_usual, score_low, score_high (the usual index of that day and its bounds); those are NaN otherwise.
    """
    start, end = window(url, hours)
    with opened(url) as store:
        frame = buckets.series(store, dimension, key, Grain.HOUR, start - INDEX_HOURS * HOUR, end)
    frame["index"] = index(frame)
    frame = frame.iloc[INDEX_HOURS:].reset_index(drop=True)
    frame["usual"] = frame["low"] = frame["high"] = np.nan
    midnight = now(url).replace(hour=0, minute=0, second=0, microsecond=0)
    daily = _daily(url, dimension, key, midnight).set_index("start")
    bands = daily[["usual", "low", "high"]].reindex(frame["start"].dt.floor("D"))
    for name in bands.columns:
        frame[f"score_{name}"] = bands[name].to_numpy()
    known = usual(url)
    if known is not None:
        rate = known.rate(dimension, key)
        ends = frame["start"].map(to_micros).to_numpy(dtype=np.int64) + HOUR_US
        expected = rate.items_per_hour * known.weight(ends, HOUR_US)
        root, reach = np.sqrt(expected + 0.375), np.sqrt(rate.dispersion)
        frame["usual"] = expected
        frame["low"] = np.maximum(np.maximum(root - reach, 0.0) ** 2 - 0.375, 0.0)
        frame["high"] = (root + reach) ** 2 - 0.375
    return frame


def index(hourly: pd.DataFrame) -> pd.Series[float]:
    """Return the sentiment index of 24 hours at each hour, copies of a report once; NaN is "no data"."""
    total = hourly["weighted_sum"].rolling(INDEX_HOURS, min_periods=1).sum()
    weight = hourly["weight"].rolling(INDEX_HOURS, min_periods=1).sum()
    return total / weight.where(weight > 0) / SCORE_UNIT


def _mean(hourly: pd.DataFrame) -> float | None:
    weight = int(hourly["weight"].sum())
    return int(hourly["weighted_sum"].sum()) / weight / SCORE_UNIT if weight else None


@st.cache_data(ttl=60, show_spinner=False)
def _daily(url: str, dimension: Dimension, key: str, midnight: datetime) -> pd.DataFrame:
    """Return a key's trend by the day up to and with the day that begins at ``midnight``."""
    with opened(url) as store, store.read() as connection:
        end = midnight + timedelta(days=1)
        return key_trend(connection, dimension, key, Grain.DAY, end - CHANGE_HISTORY, end)


def changes(url: str, dimension: Dimension, key: str, hours: int) -> pd.DataFrame:
    """Return the days of the last ``hours`` on which the index of a key took another level.

    Columns: start, index (of the day).
    """
    daily = _daily(url, dimension, key, now(url).replace(hour=0, minute=0, second=0, microsecond=0))
    found = daily.iloc[change_points(daily["index"].to_numpy(dtype=np.float64))]
    first = window(url, hours)[0]
    return found.loc[found["start"] >= first, ["start", "index"]].reset_index(drop=True)


@st.cache_data(ttl=60, show_spinner=False)
def lists(url: str) -> list[tuple[Dimension, str]]:
    """Return the sectors and portfolios of the watchlist."""
    with opened(url) as store:
        watched = companies.load(store)
    sectors = {company.sector for company in watched if company.sector}
    groups = {group for company in watched for group in company.groups}
    return [
        *((Dimension.SECTOR, name) for name in sorted(sectors)),
        *((Dimension.PORTFOLIO, name) for name in sorted(groups)),
    ]


@st.cache_data(ttl=60, show_spinner=False)
def topics(url: str) -> list[str]:
    """Return the topics seen in the last 30 days, the most frequent first."""
    start, end = window(url, 720)
    with opened(url) as store:
        frame = pages.totals(store, Dimension.TOPIC, Grain.DAY, start, end)
    return [str(key) for key in frame.sort_values("items", ascending=False)["key"]]


@st.cache_data(ttl=30, show_spinner=False)
def heat(url: str, rows: int = 12, columns: int = 12) -> pd.DataFrame:
    """Return companies by topics over a week: company, topic, items, score.

    The companies are the first of `watch` with news on any of the topics, which are the busiest of a month.
    """
    start, end = window(url, SPARK_HOURS)
    top = topics(url)[:columns]
    shown = watch(url)["key"].tolist()
    # Only these: sums of every company's every topic take a tenth of a second.
    keys = [f"{company}|{topic}" for company in shown for topic in top]
    with opened(url) as store:
        frame = pages.totals(store, Dimension.COMPANY_TOPIC, Grain.DAY, start, end, keys=keys)
    parts = frame["key"].str.partition("|")
    known = names(url)
    frame = frame.assign(key=parts[0] if len(frame) else "", topic=parts[2] if len(frame) else "")
    named = set(frame["key"])
    ranked = [key for key in shown if key in named][:rows]
    frame = frame[frame["key"].isin(ranked)]
    place = {key: at for at, key in enumerate(ranked)}
    frame = frame.assign(company=frame["key"].map(known), place=frame["key"].map(place))
    return frame[["company", "place", "topic", "items", "negative", "score"]]


@st.cache_data(ttl=FRESH_S, show_spinner=False)
def items(url: str, *, watched_only: bool, company_id: str | None, limit: int) -> pd.DataFrame:
    """Return the newest items; see `monitor.store.pages.ITEM_COLUMNS`."""
    with opened(url) as store:
        return pages.items(store, limit, watched_only=watched_only, company_id=company_id)


@st.cache_data(ttl=FRESH_S / 2, show_spinner=False)
def alert_rows(
    url: str,
    states: tuple[AlertState, ...],
    kinds: tuple[AlertKind, ...],
    keys: tuple[str, ...],
    min_severity: int,
    limit: int,
) -> pd.DataFrame:
    """Return alerts that pass the filters; see `monitor.store.pages.ALERT_COLUMNS`."""
    with opened(url) as store:
        return pages.alert_rows(
            store, states=states, kinds=kinds, keys=keys, min_severity=min_severity, limit=limit
        )


@st.cache_data(ttl=FRESH_S, show_spinner=False)
def alerts_on(url: str, dimension: Dimension, key: str, hours: int) -> pd.DataFrame:
    """Return the alerts that began in the last ``hours``: on one key, or on anything (the market)."""
    start, _ = window(url, hours)
    states = (*OPEN_STATES, AlertState.RESOLVED)
    with opened(url) as store:
        keys = () if dimension is Dimension.MARKET else (key,)
        rows = pages.alert_rows(store, states=states, keys=keys, limit=100)
    return rows[rows["started_at"] >= start][["started_at", "severity", "title"]]


@st.cache_data(ttl=30, show_spinner=False)
def alert_keys(url: str) -> list[str]:
    """Return every company id and topic that ever had an alert; a company's topics count as the company."""
    with opened(url) as store:
        found = pages.alert_keys(store)
    return sorted(
        {key.partition("|")[0] if at is Dimension.COMPANY_TOPIC else key for at, key in found}
    )


@dataclass(frozen=True)
class AlertStory:
    """An alert with all that happened to it."""

    alert: Alert
    history: list[alerts.AlertEvent]
    notifications: list[dict[str, object]]
    trail: list[audit.AuditEntry]
    verdicts: list[acts.Verdict]


@st.cache_data(ttl=FRESH_S / 2, show_spinner=False)
def alert(url: str, alert_id: str) -> AlertStory | None:
    """Return one alert with its evidence, history and notifications."""
    with opened(url) as store:
        with store.read() as connection:
            found = alerts.get(connection, alert_id)
        if found is None or found.state is AlertState.PENDING:
            return None
        return AlertStory(
            found,
            alerts.history(store, alert_id),
            outbox.of_alert(store, alert_id),
            audit.trail(store, alert_id),
            acts.verdicts_on(store, alert_id),
        )


def act(url: str, alert_id: str, visitor: Visitor, deed: Deed) -> str:
    """Do something about an alert, now, if the visitor may; return why it was refused, or nothing."""
    refused = ""
    try:
        with opened(url) as store:
            visitors.act(store, visitor, alert_id, deed, time_of(store))
    except (acts.ActRefused, Forbidden) as error:
        refused = str(error)
    for cached in (alert, alert_rows, open_alerts, watch, overview):
        cached.clear()
    return refused


def audit_rows(url: str, limit: int) -> list[Written]:
    """Return the newest entries of the audit."""
    with opened(url) as store:
        return audit.newest(store, limit)


@st.cache_data(ttl=60, show_spinner=False)
def audit_verified(url: str) -> Verified:
    """Return whether the chain of the audit is whole; looked at once a minute."""
    with opened(url) as store:
        return audit.verify(store)
