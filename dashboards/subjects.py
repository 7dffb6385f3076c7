"""What the pages of one company or topic read; cached as in `dashboards.data`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from dashboards import data, desk
from dashboards.data import FRESH_S, HOUR_US, INDEX_HOURS, SPARK_HOURS
from dashboards.desk import opened
from monitor.aggregate.deviations import z_score
from monitor.alert import explain
from monitor.domain import OPEN_STATES, AlertState, Company, Dimension, Grain, to_micros
from monitor.entities.relations import Relations, load_relations
from monitor.entities.watchlist import load_watchlist
from monitor.errors import ConfigError
from monitor.store import buckets, companies, pages

ALERTS = 50
ALERTED = timedelta(days=30)
PARTS = 14  # companies of a topic, or topics of a company, that are drawn
RELATED = {  # what the other is to the company, by kind and direction of the relation
    ("supplier", True): "customer",
    ("supplier", False): "supplier",
    ("lender", True): "borrower",
    ("lender", False): "lender",
    ("peer", True): "peer",
    ("peer", False): "peer",
}


@dataclass(frozen=True)
class Standing:
    """How a company or topic stands, by the last 24 hours; ``None`` is "no data"."""

    index: float | None
    usual_index: float | None
    low: float | None
    high: float | None
    items: int
    negative: int
    unread: int
    usual_items: float | None
    z: float | None
    publishers: int
    week: int  # items of seven days
    spark_items: list[int]
    spark_index: list[float]


@st.cache_data(ttl=FRESH_S, show_spinner=False)
def standing(url: str, dimension: Dimension, key: str) -> Standing:
    """Return the numbers at the top of a page."""
    rows = data.trend(url, dimension, key, SPARK_HOURS)
    _, end = data.window(url, INDEX_HOURS)
    day, last = rows.tail(INDEX_HOURS), rows.iloc[-1]
    items = int(day["items"].sum())
    read = int(day[["negative", "neutral", "positive"]].to_numpy().sum())
    known = data.usual(url)
    expected = z = None
    if known is not None:
        rate = known.rate(dimension, key)
        at = np.array([to_micros(end)], dtype=np.int64)
        expected = float(rate.items_per_hour * known.weight(at, INDEX_HOURS * HOUR_US)[0])
        z = float(z_score(np.array([float(items)]), np.array([expected]), rate.dispersion)[0])
    with opened(url) as store, store.read() as connection:
        heard = buckets.publisher_count(
            connection,
            dimension,
            key,
            to_micros(end - timedelta(hours=INDEX_HOURS)),
            to_micros(end),
        )
    return Standing(
        index=_known(last["index"]),
        usual_index=_known(last["score_usual"]),
        low=_known(last["score_low"]),
        high=_known(last["score_high"]),
        items=items,
        negative=int(day["negative"].sum()),
        unread=items - read,
        usual_items=expected,
        z=z,
        publishers=heard,
        week=int(rows["items"].sum()),
        spark_items=rows["items"].rolling(6, min_periods=1).sum().iloc[5::6].astype(int).tolist(),
        spark_index=[round(float(x), 4) for x in rows["index"].iloc[5::6].dropna()],
    )


def coverage(url: str, key: str) -> tuple[bool, str]:
    """Return whether silence on a company can be believed, and in words what is known of it."""
    how = standing(url, Dimension.COMPANY, key)
    market = standing(url, Dimension.MARKET, "all")
    newest = items(url, company_id=key, topic=None, limit=1)
    if not market.items:
        return False, "No source brought anything for 24 h: silence here is no good news."
    if newest.empty:
        return False, (
            "No stored item names this company. Either nobody wrote about it, or texts use a name that the "
            "watchlist does not have (its column aliases)."
        )
    ago = explain.span(data.now(url) - newest["published_at"].iloc[0])
    if not how.items:
        return True, (
            f"No item named it in the last 24 h, of {market.items:,} that came in; the last one did {ago} "
            "ago. No index: no data is not neutral."
        )
    said = (
        f"{explain.count(how.items, 'item')} in 24 h from "
        f"{explain.count(how.publishers, 'publisher')}; the last {ago} ago."
    )
    if how.unread == how.items:
        return False, f"{said} The model read none of them: there is no index."
    if how.unread:
        return (
            True,
            f"{said} The model did not read {how.unread} of them: they are not in the index.",
        )
    return True, f"{said} The model read all of them."


@st.cache_data(ttl=FRESH_S, show_spinner=False)
def items(url: str, *, company_id: str | None, topic: str | None, limit: int) -> pd.DataFrame:
    """Return the newest items of a company or a topic; see `monitor.store.pages.items`."""
    with opened(url) as store:
        return pages.items(store, limit, company_id=company_id, topic=topic)


@st.cache_data(ttl=FRESH_S / 2, show_spinner=False)
def alerts(url: str, key: str) -> pd.DataFrame:
    """Return the alerts on a company or topic, open ones first; see `monitor.store.pages.ALERT_COLUMNS`."""
    with opened(url) as store:
        return pages.alert_rows(
            store, states=(*OPEN_STATES, AlertState.RESOLVED), keys=(key,), limit=ALERTS
        )


@st.cache_data(ttl=FRESH_S / 2, show_spinner=False)
def topic_alerts(url: str, topic: str) -> pd.DataFrame:
    """Return the alerts of 30 days on a topic, or with items of it as evidence, open ones first."""
    with opened(url) as store:
        since = data.now(url) - ALERTED
        return pages.topic_alert_rows(store, topic, since, ALERTS)


@st.cache_data(ttl=30, show_spinner=False)
def parts(url: str, dimension: Dimension, key: str, hours: int) -> pd.DataFrame:
    """Return a company by its topics, or a topic by the companies that drive it, the most items first.

    Columns: key, name, items, negative, neutral, positive, score.
    """
    start, end = data.window(url, hours)
    grain = Grain.HOUR if hours <= INDEX_HOURS else Grain.DAY
    company = key if dimension is Dimension.COMPANY else None
    with opened(url) as store:
        rows = pages.totals(store, Dimension.COMPANY_TOPIC, grain, start, end, of_company=company)
    sides = rows["key"].str.partition("|")
    mine, other = (0, 2) if company is not None else (2, 0)
    rows = rows[sides[mine] == key] if len(rows) else rows
    known = data.names(url)
    others = sides.loc[rows.index, other] if len(rows) else rows["key"]
    rows = rows.assign(key=others, name=[known.get(at, at) for at in others])
    if company is None:
        rows = rows[rows["key"].isin(list(known))]
    rows = rows.sort_values(["items", "name"], ascending=[False, True]).head(PARTS)
    columns = ["key", "name", "items", "negative", "neutral", "positive", "score"]
    return rows[columns].reset_index(drop=True)


@st.cache_data(ttl=30, show_spinner=False)
def related(url: str, key: str) -> pd.DataFrame:
    """Return the companies that have to do with one, by the relations file and by sector.

    Columns: key, name, relation, items, negative, score (of 24 hours; NaN is "no data"), alerts (open ones).
    """
    with opened(url) as store:
        watched = {company.id: company for company in companies.load(store)}
        start, end = data.window(url, INDEX_HOURS)
        day = pages.totals(store, Dimension.COMPANY, Grain.HOUR, start, end).set_index("key")
    found: dict[str, list[str]] = {}
    for relation in relations().relations:
        for mine, other, onward in (
            (relation.source, relation.target, True),
            (relation.target, relation.source, False),
        ):
            if mine == key:
                found.setdefault(other, []).append(RELATED[relation.kind.value, onward])
    me = watched.get(key)
    if me is not None:
        for company in watched.values():
            if company.id != key and me.sector and company.sector == me.sector:
                found.setdefault(company.id, []).append("same sector")
            if key == company.parent or company.id == me.parent:
                found.setdefault(company.id, []).append(
                    "owns it" if company.id == me.parent else "owned by it"
                )
    open_ = data.open_alerts(url)
    alarmed = open_["key"].str.split("|").str[0].value_counts()
    rows = [
        {
            "key": other,
            "name": watched[other].name,
            "relation": ", ".join(dict.fromkeys(how)),
            "items": int(day["items"].get(other, 0)),
            "negative": int(day["negative"].get(other, 0)),
            "score": float(day["score"].get(other, np.nan)),
            "alerts": int(alarmed.get(other, 0)),
        }
        for other, how in found.items()
        if other in watched
    ]
    columns = ["key", "name", "relation", "items", "negative", "score", "alerts"]
    table = pd.DataFrame(rows, columns=columns)
    order = ["alerts", "score", "name"]
    return table.sort_values(order, ascending=[False, True, True], na_position="last").reset_index(
        drop=True
    )


@st.cache_data(ttl=60, show_spinner=False)
def company(url: str, key: str) -> Company | None:
    """Return what the watchlist says of a company."""
    with opened(url) as store:
        return next((each for each in companies.load(store) if each.id == key), None)


def relations() -> Relations:
    """Return the relations of the settings; none where there is no file, or it does not fit any more."""
    named = desk.current().settings.watchlist
    if named.path is None or named.relations is None:
        return Relations()
    try:
        return _relations(named.path, named.relations)
    except ConfigError:
        return Relations()


@st.cache_data(ttl=60, show_spinner=False)
def _relations(watchlist: Path, file: Path) -> Relations:
    return load_relations(file, load_watchlist(watchlist))


def _known(value: object) -> float | None:
    number = float(value)  # type: ignore[arg-type]
    return None if np.isnan(number) else number
