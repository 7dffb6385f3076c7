"""Tables. Their cells are painted on a canvas: news text in them is text, whatever it holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Sized
from typing import Any

import pandas as pd
import streamlit as st

from dashboards import theme, words
from monitor.alert import explain
from monitor.domain import AlertState

ROW, TALL_ROW, WRAPPED_ROW = 31, 33, 62  # heights in pixels
HEAD = 38  # of the names of columns, with the border
UNUSUAL_Z = 3.0  # from here on a volume is set in bold
DATE_NOTES = {"future": "date in the future", "stale": "old news", "missing": "no date given"}
STATES = {
    AlertState.FIRING.value: "firing",
    AlertState.ACKNOWLEDGED.value: "acknowledged",
    AlertState.RESOLVED.value: "resolved",
}


def safe_link(url: object) -> str | None:
    """Return a URL that may be clicked, or ``None``.

    Examples
    --------
    >>> safe_link("https://a.example/x"), safe_link("javascript:alert(1)"), safe_link(None)
    ('https://a.example/x', None, None)
    """
    text = url if isinstance(url, str) else ""
    return text if text.lower().startswith(("http://", "https://")) else None


def height(rows: Sized, most: int | None = None, row: int = ROW) -> int:
    """Return how many pixels a table of these rows needs, and ``most`` where it is to scroll then.

    Examples
    --------
    >>> height([1, 2]), height([1, 2], 90), height([1], 420, TALL_ROW)
    (100, 90, 71)
    """
    needed = row * len(rows) + HEAD
    return needed if most is None else min(most, needed)


def watch_grid(
    rows: pd.DataFrame, *, warming: bool, tone: str, key: str, on_select: Callable[[], None]
) -> None:
    """Draw the watched companies; `rows` as `dashboards.data.watch`."""
    shown = pd.DataFrame(
        {
            "Company": rows["name"],
            "Alerts": [
                f"{count} · {theme.severity_word(worst)}" if count else "—"
                for count, worst in zip(rows["alerts"], rows["worst"], strict=True)
            ],
            "Index": rows["score"].astype("float64"),
            "Items": rows["items"],
            "Against usual": [
                _against(ratio, z, warming)
                for ratio, z in zip(rows["ratio"], rows["z"], strict=True)
            ],
            "7 days": rows["spark"],
        }
    )
    worst = rows["worst"].tolist()

    def alert_style(column: pd.Series) -> list[str]:
        return [
            f"color: {theme.severity_colour(at, tone)}; font-weight: 600" if at else ""
            for at in worst
        ]

    far = rows["z"].abs().ge(UNUSUAL_Z).tolist()

    def unusual_style(column: pd.Series) -> list[str]:
        return ["font-weight: 700" if here else "" for here in far]

    styled = (
        shown.style.format(explain.score, subset=["Index"])
        .map(theme.tint, subset=["Index"])
        .apply(alert_style, subset=["Alerts"])
        .apply(unusual_style, subset=["Against usual"])
    )
    columns = st.column_config
    st.dataframe(
        styled,
        key=key,
        hide_index=True,
        height=338,
        row_height=ROW,
        placeholder="no data",
        on_select=on_select,
        selection_mode="single-row",
        column_config={
            "Company": columns.TextColumn(width=178),
            "Alerts": columns.TextColumn(width=92, help="Open alerts, and the worst of them"),
            "Index": columns.NumberColumn(
                width=78, help="Mean sentiment of the items of 24 hours, from −1 to +1"
            ),
            "Items": columns.NumberColumn(width=62, help="Items of the last 24 hours"),
            "Against usual": columns.TextColumn(
                width=132,
                help="Items of 24 hours against what is usual at these hours of the week, and how many "
                "standard deviations away that is (z)",
            ),
            "7 days": columns.BarChartColumn(
                width=190, y_min=0, help="Items per hour of the last 7 days", color="#6B8299"
            ),
        },
    )


def items_grid(
    rows: pd.DataFrame,
    names: Mapping[str, str],
    *,
    key: str,
    topic: bool = True,
    extra: Mapping[str, Sequence[object]] | None = None,
    most: int = 420,
    on_select: Callable[[], None] | None = None,
) -> None:
    """Draw items; `rows` as `monitor.store.pages.items`.

    Parameters
    ----------
    topic
        Whether topics are shown.
    extra
        Further columns of text, by name; they stand before the publisher.
    on_select
        Called when a row is chosen; without it none can be.
    most
        At most so many pixels high.
    """
    scores = rows["score"].tolist()
    towards = rows["towards_score"].tolist() if "towards_score" in rows else None
    cells: dict[str, object] = {"Published": rows["published_at"]}
    if towards is not None:
        cells["Towards it"] = [
            explain.score(score) if score is not None and score == score else "not read"
            for score in towards
        ]
    cells["Sentiment"] = [
        words.reading(sentiment if isinstance(sentiment, str) else None, score)
        for sentiment, score in zip(rows["sentiment"], scores, strict=True)
    ]
    cells["Title"] = rows["title"]
    cells["Companies"] = [[names.get(at, at) for at in ids] for ids in rows["companies"]]
    if topic:
        cells["Topic"] = rows["topic"]
    cells |= extra or {}
    cells |= {
        "Publisher": rows["publisher"],
        "Note": [
            words.note(DATE_NOTES.get(status, ""), unsure)
            for status, unsure in zip(rows["date_status"], rows["unsure"], strict=True)
        ],
        "Link": rows["url"].map(safe_link),
    }
    styled = pd.DataFrame(cells).style.apply(
        lambda column: [theme.tint(score) for score in scores], subset=["Sentiment"]
    )
    if towards is not None:
        styled = styled.apply(
            lambda column: [theme.tint(score) for score in towards], subset=["Towards it"]
        )
    columns = st.column_config
    more: dict[str, Any] = {}
    if on_select is not None:
        more = {"on_select": on_select, "selection_mode": "single-row"}
    st.dataframe(
        styled,
        key=key,
        hide_index=True,
        height=height(rows, most),
        row_height=ROW,
        placeholder="",
        column_config={
            "Published": columns.DatetimeColumn(width=104, format="D MMM HH:mm", timezone="UTC"),
            "Towards it": columns.TextColumn(
                width=84,
                help="Sentiment towards this company; that of the whole item stands beside",
            ),
            "Sentiment": columns.TextColumn(width=132),
            "Title": columns.TextColumn(),
            "Companies": columns.ListColumn(width=172),
            "Topic": columns.TextColumn(width=150),
            "Publisher": columns.TextColumn(width=130),
            "Note": columns.TextColumn(width=84),
            "Link": columns.LinkColumn(width=56, display_text="open"),
        },
        **more,
    )


def alerts_grid(
    rows: pd.DataFrame,
    *,
    chosen: str | None,
    tone: str,
    key: str,
    on_select: Callable[[], None] | None = None,
) -> list[int]:
    """Draw alerts; `rows` as `monitor.store.pages.alert_rows`. The ``chosen`` one is shaded.

    Without ``on_select`` several rows can be ticked; returns the places of those that are.
    """
    picked = [at == chosen for at in rows["id"]]
    severities = rows["severity"].tolist()
    shown = pd.DataFrame(
        {
            "Severity": [f"{at} {theme.severity_word(at)}" for at in severities],
            "Alert": rows["title"],
            "State": rows["state"].map(STATES),
            "Since": rows["started_at"],
            "Items": rows["items"],
            "Publishers": rows["publishers"],
        }
    )
    styled = shown.style.apply(
        lambda column: [
            f"color: {theme.severity_colour(at, tone)}; font-weight: 600" for at in severities
        ],
        subset=["Severity"],
    ).apply(lambda column: [theme.CHOSEN if here else "" for here in picked])
    columns = st.column_config
    picks: Any = st.dataframe(
        styled,
        key=key,
        hide_index=True,
        height=height(rows, 640, TALL_ROW),
        row_height=TALL_ROW,
        on_select=on_select or "rerun",
        selection_mode="single-row" if on_select else "multi-row",
        column_config={
            "Severity": columns.TextColumn(width=78),
            "Alert": columns.TextColumn(width=228),
            "State": columns.TextColumn(width=92),
            "Since": columns.DatetimeColumn(width=94, format="D MMM HH:mm", timezone="UTC"),
            "Items": columns.NumberColumn(width=50),
            "Publishers": columns.NumberColumn("Publ.", width=50, help="Different publishers"),
        },
    )
    return list(picks.selection.rows)


def evidence_grid(rows: pd.DataFrame, *, key: str) -> None:
    """Draw evidence: columns published_at, publisher, title, quote, score, mark, url."""
    scores = rows["score"].tolist()
    shown = pd.DataFrame(
        {
            "Published": rows["published_at"],
            "Mark": rows["mark"].replace("", "report"),
            "Sentiment": [read_score(score) for score in scores],
            "Title": rows["title"],
            "Quote": rows["quote"].where(rows["quote"] != rows["title"], ""),
            "Publisher": rows["publisher"],
            "Link": rows["url"].map(safe_link),
        }
    )
    styled = shown.style.apply(
        lambda column: [theme.tint(score) for score in scores], subset=["Sentiment"]
    )
    columns = st.column_config
    st.dataframe(
        styled,
        key=key,
        hide_index=True,
        height=height(rows, 348, WRAPPED_ROW),
        row_height=WRAPPED_ROW,
        placeholder="",
        column_config={
            "Published": columns.DatetimeColumn(width=92, format="D MMM HH:mm", timezone="UTC"),
            "Mark": columns.TextColumn(
                width=58, help="A rumour or a denial never counts as a fresh report"
            ),
            "Sentiment": columns.TextColumn("Score", width=62),
            "Title": columns.TextColumn(width=206),
            "Quote": columns.TextColumn(width=88),
            "Publisher": columns.TextColumn(width=116),
            "Link": columns.LinkColumn(width=46, display_text="open"),
        },
    )


def read_score(score: float | None) -> str:
    """Return the score of an item as a cell shows it; ``None`` and NaN: the model did not read it."""
    return "not read" if score is None or score != score else explain.score(score)


def _against(ratio: float, z: float, warming: bool) -> str:
    if warming:
        return "warming up"
    if ratio != ratio:
        return "no data"
    times = f"{ratio:.1f} ×" if ratio < 100 else ">99 ×"
    return f"{times}  (z {z:+.1f})".replace("-", "−")
