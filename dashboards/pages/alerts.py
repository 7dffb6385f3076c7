"""The alerts: which there are, and for one of them why, on what evidence, and what was done about it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
import streamlit as st

from dashboards import data, theme, words
from dashboards.data import AlertStory
from dashboards.grids import STATES, alerts_grid, evidence_grid
from dashboards.pages import acting, cards, frame
from monitor.alert import explain
from monitor.domain import OPEN_STATES, Alert, AlertKind, AlertState, Dimension

SHOWN: dict[str, tuple[AlertState, ...]] = {
    "Open": OPEN_STATES,
    "Firing": (AlertState.FIRING,),
    "Acknowledged": (AlertState.ACKNOWLEDGED,),
    "Resolved": (AlertState.RESOLVED,),
    "All": (*OPEN_STATES, AlertState.RESOLVED),
}
KINDS: dict[str, tuple[AlertKind, ...]] = {
    "Every kind": tuple(AlertKind),
    "Story": (AlertKind.STORY,),
    "Surge": (AlertKind.SURGE,),
    "Silence": (AlertKind.ABSENCE,),
    "Compound": (AlertKind.COMPOUND,),
}
LIMIT = 200


def page() -> None:
    """Draw the list and the alert of ``?alert=ID``."""
    frame.live(_draw)


def _draw(url: str) -> None:
    frame.strip(url, "Alerts")
    frame.stopped(url)
    left, right = st.columns([1, 1.06], gap="small")
    with left, st.container(key="panel-list"):
        rows, several = _list(url)
    with right, st.container(key="panel-detail"):
        if several is not None:
            _many(url, several)
            return
        chosen = _chosen(rows)
        if chosen is None:
            frame.note("Choose an alert on the left to see its evidence.")
            return
        story = data.alert(url, chosen)
        if story is None:
            frame.note(
                "There is no such alert: the link is wrong, or it belongs to another database."
            )
            return
        _detail(url, story)


def _list(url: str) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Draw the list; return it, and the rows that are selected where the viewer selects several."""
    shown = st.segmented_control(
        "State",
        list(SHOWN),
        default="Open",
        key="alert-states",
        required=True,
        label_visibility="collapsed",
    )
    known = data.names(url)
    one, two, three = st.columns([1, 1, 1.6], gap="small")
    kind = one.selectbox("Kind", list(KINDS), key="alert-kind", label_visibility="collapsed")
    least = two.selectbox(
        "Severity",
        [1, 2, 3, 4, 5],
        key="alert-severity",
        format_func=lambda at: "Any severity" if at == 1 else f"{theme.severity_word(at)} or worse",
        label_visibility="collapsed",
    )
    keys = three.multiselect(
        "About",
        data.alert_keys(url),
        key="alert-keys",
        format_func=lambda key: known.get(key, key),
        placeholder="Every company and topic",
        label_visibility="collapsed",
    )
    asked = (SHOWN[shown or "Open"], KINDS[kind], tuple(keys), least, LIMIT)
    rows = data.alert_rows(url, *asked)
    if acting.allowed() and st.toggle("Select several", key="alert-several"):
        return rows, _select(rows, asked)
    st.session_state.pop(acting.HELD, None)
    if rows.empty:
        _none(url, filtered=bool(keys) or least > 1 or kind != "Every kind", shown=shown or "Open")
        return rows, None
    ids = rows["id"].tolist()
    nonce = st.session_state.setdefault("alerts_nonce", 0)
    widget = f"alerts-{nonce}"

    def choose() -> None:
        picked: Any = st.session_state[widget]
        if picked.selection.rows:
            st.query_params["alert"] = ids[picked.selection.rows[0]]
            st.session_state["alerts_nonce"] = nonce + 1

    alerts_grid(rows, chosen=_chosen(rows), tone=frame.tone(), key=widget, on_select=choose)
    more = f"; the first {LIMIT} are shown" if len(rows) == LIMIT else ""
    frame.note(f"{explain.count(len(rows), 'alert')}{more}. Click a row to see its evidence.")
    return rows, None


def _select(rows: pd.DataFrame, asked: object) -> pd.DataFrame:
    """Let the viewer tick rows; return these.

    The list stands still meanwhile, but for another choice of what is shown: a tick belongs to a place in it.
    """
    held = st.session_state.get(acting.HELD)
    if held is None or held[0] != asked:
        nonce = st.session_state["alerts_nonce"] = st.session_state.get("alerts_nonce", 0) + 1
        held = st.session_state[acting.HELD] = (asked, rows, nonce)
    _, standing, nonce = held
    if standing.empty:
        frame.note("No alert passes these filters.")
        return standing
    ticked = alerts_grid(standing, chosen=None, tone=frame.tone(), key=f"alerts-many-{nonce}")
    frame.note(
        f"{explain.count(len(standing), 'alert')}. The list stands still while you select; "
        "the box at the top selects all."
    )
    return standing.iloc[ticked]


def _many(url: str, rows: pd.DataFrame) -> None:
    """Draw what the viewer may do about several alerts at once."""
    if rows.empty:
        frame.note("Tick alerts on the left to acknowledge, snooze or resolve them together.")
        return
    with st.container(key="alert-title"):
        st.text(f"{explain.count(len(rows), 'alert')} selected")
    ids = rows["id"].tolist()
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        acting.acknowledge(url, ids)
        acting.snooze(url, ids)
        acting.resolve(url, ids)
    with st.container(key="detail-meta"):
        st.text("\n".join(rows["title"]))


def _chosen(rows: pd.DataFrame) -> str | None:
    """Return the id of the alert to show: the link's, else the first of the list."""
    linked = st.query_params.get("alert")
    if linked is not None or rows.empty:
        return linked
    return str(rows["id"].iloc[0])


def _none(url: str, *, filtered: bool, shown: str) -> None:
    if filtered:
        frame.note("No alert passes these filters.")
    elif (
        shown != "All"
        and not data.alert_rows(url, SHOWN["All"], KINDS["Every kind"], (), 1, 1).empty
    ):
        frame.note(f"No alert is in this state ({shown.lower()}). “All” shows those that were.")
    elif not data.names(url):
        frame.note(
            "No alert yet, and no company is watched. Name a watchlist in foreshock.toml and start the "
            "pipeline again."
        )
    elif data.usual(url) is None:
        frame.note(
            "No alert yet. Baselines are warming up: alerts on unusual volume start after "
            f"{data.WARMUP_DAYS:.0f} days of news. Alerts on single stories fire from the first item on."
        )
    else:
        frame.note("No alert yet: nothing watched has left its usual bounds.")


def _detail(url: str, story: AlertStory) -> None:
    alert = story.alert
    name = data.label(url, alert.dimension.value, alert.key)
    with st.container(key="alert-title"):
        st.text(alert.title)
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        badge = theme.severity_badge(alert.severity)
        st.badge(f"{theme.severity_word(alert.severity)} · {alert.severity} of 5", color=badge)
        st.badge(STATES[alert.state.value], color="blue" if alert.state in OPEN_STATES else "gray")
        st.badge(f"{alert.kind.value} alert", color="gray")
        if alert.details.get("stage") == "rumour":
            st.badge("rumour", color="yellow")
        if alert.details.get("denied"):
            st.badge("denied", color="yellow")
        if alert.details.get("over"):
            st.badge("reported over", color="gray")
    newest = explain.span(data.now(url) - alert.updated_at)
    parts = [
        words.event(alert),
        explain.count(alert.items, "item"),
        explain.count(alert.publishers, "publisher"),
        f"first {words.clock(alert.started_at)}",
        f"newest {words.clock(alert.updated_at)} UTC ({newest} ago)",
    ]
    with st.container(key="detail-meta"):
        st.text(" · ".join(parts))
    with st.container(horizontal=True, gap="small", key="detail-links"):
        if alert.evidence:
            cards.link("story", "The story behind it", alert=alert.id)
        company = alert.kind is not AlertKind.ABSENCE and alert.key in data.names(url)
        cards.subject_link(Dimension.COMPANY if company else alert.dimension, alert.key)
        if alert.kind is AlertKind.ABSENCE:
            cards.link("feeds", "Feeds")
    _answer(url, story)
    st.subheader("Why", anchor=False)
    _lead(alert)
    st.text("\n".join(explain.explain(alert, name)))
    more = words.rest(alert.details)
    if more:
        with st.container(key="rest-meta"):
            st.text("\n".join(f"{key}: {value}" for key, value in more))
    st.subheader(f"Evidence · {len(alert.evidence)}", anchor=False)
    if alert.evidence:
        evidence = pd.DataFrame(
            [
                {name: getattr(item, name) for name in EVIDENCE}
                for item in sorted(alert.evidence, key=lambda item: item.published_at, reverse=True)
            ],
            columns=list(EVIDENCE),
        )
        evidence_grid(evidence, key=f"evidence-{alert.id}")
    _aftermath(story)


EVIDENCE = ("published_at", "publisher", "title", "quote", "score", "mark", "url")


def _lead(alert: Alert) -> None:
    """Draw the item that speaks loudest, the most negative plain report; the deciding words are marked."""
    fresh = [item for item in alert.evidence if not item.mark] or list(alert.evidence)
    if not fresh:
        return
    lead = min(fresh, key=lambda item: (item.score is None, item.score or 0.0, item.published_at))
    with st.container(key="lead-quote", gap=None):
        decided = alert.details.get("words")
        st.html(f"<p>{words.marked(lead.title, decided if isinstance(decided, str) else '')}</p>")
        with st.container(key="lead-meta"):
            mark = f" · {lead.mark}" if lead.mark else ""
            st.text(f"{lead.publisher} · {words.clock(lead.published_at)} UTC{mark}")


def _answer(url: str, story: AlertStory) -> None:
    """Draw what people said of the alert, and what the viewer may do about it."""
    alert = story.alert
    said = list(_said(url, story))
    if said:
        with st.container(key="answer-meta"):
            st.text("\n".join(said))
    if not acting.allowed():
        return
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        if alert.state is AlertState.FIRING:
            acting.acknowledge(url, [alert.id])
        if alert.state in OPEN_STATES:
            acting.take(url, [alert.id])
            if alert.snoozed_until and alert.snoozed_until > data.wall(url):
                acting.wake(url, [alert.id])
            else:
                acting.snooze(url, [alert.id])
            acting.resolve(url, [alert.id])
        else:
            acting.reopen(url, [alert.id])
    acting.verdict(url, [alert.id])


def _said(url: str, story: AlertStory) -> Iterator[str]:
    alert = story.alert
    if alert.state is AlertState.ACKNOWLEDGED and alert.acknowledged_at:
        when = words.clock(alert.acknowledged_at)
        yield f"Acknowledged by {alert.acknowledged_by} on {when} UTC."
    if alert.closed_by and alert.resolved_at:
        yield f"Resolved by {alert.closed_by} on {words.clock(alert.resolved_at)} UTC."
    if alert.assigned_to and alert.state in OPEN_STATES:
        yield f"Assigned to {alert.assigned_to}."
    if alert.snoozed_until and alert.snoozed_until > data.wall(url):
        yield f"Snoozed until {words.clock(alert.snoozed_until)} UTC, unless it gets worse."
    newest = {each.who: each for each in story.verdicts}
    for each in newest.values():
        note = f": {each.note}" if each.note else ""
        yield f"{each.who} says {each.verdict.replace('_', ' ')}{note}."


def _aftermath(story: AlertStory) -> None:
    past, sent = st.columns(2, gap="small")
    with past, st.container(gap="xxsmall"):
        st.subheader("History", anchor=False)
        comments = {entry.at: entry.comment for entry in story.trail}
        for happened in story.history:
            what = "" if happened.event is None else f" ({happened.event.replace('_', ' ')})"
            said = f": {comments[happened.at]}" if comments.get(happened.at) else ""
            when = words.clock(happened.at)
            st.text(f"{when}  {happened.change}{what} by {happened.actor}{said}")
    with sent, st.container(gap="xxsmall"):
        st.subheader("Notifications", anchor=False)
        if not story.notifications:
            frame.note("None: no channel is set up, or its turn has not come.")
        for message in story.notifications:
            reason = f" ({message['reason']})" if message["reason"] else ""
            sent_at = message["created_at"]
            st.text(f"{sent_at:%d %b %H:%M}  {message['channel']}: {message['state']}{reason}")
