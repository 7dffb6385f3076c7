"""What a viewer does about alerts: the same acts on one and on several, each in the viewer's name."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Literal

import streamlit as st

from dashboards import data, desk, visitor
from monitor.access.visitor import Deed
from monitor.alert import explain
from monitor.domain import VERDICTS
from monitor.store import Connection, acts

SNOOZES = (1, 4, 24)  # hours
REFUSALS = 3  # shown at most
HELD = "alerts-held"  # in the session: the list that stands still while several are selected
Ids = Sequence[str]


def allowed() -> bool:
    """Say whether who looks may act; each act is checked again when it is done."""
    return not desk.current().read_only and visitor.may("act")


def acknowledge(url: str, ids: Ids) -> None:
    _button(url, ids, "Acknowledge", "check", "a", acts.acknowledge, primary=True)


def take(url: str, ids: Ids) -> None:
    _button(url, ids, "Take it", "person", "t", _take)


def resolve(url: str, ids: Ids) -> None:
    _button(url, ids, "Resolve", "task_alt", "e", acts.resolve)


def reopen(url: str, ids: Ids) -> None:
    _button(url, ids, "Reopen", "undo", "o", acts.reopen)


def wake(url: str, ids: Ids) -> None:
    _button(url, ids, "Wake", "alarm_on", "s", _wake)


def snooze(url: str, ids: Ids) -> None:
    """Offer some durations."""
    with st.popover("Snooze", icon=":material/snooze:"):
        for hours in SNOOZES:
            if st.button(f"{hours} h", key=f"snooze-{hours}"):
                _do(url, ids, partial(_sleep, hours))


def verdict(url: str, ids: Ids) -> None:
    """Ask whether alerts were worth it."""
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key="verdicts"):
        st.text("Worth it?")
        for name, meaning in VERDICTS.items():
            label = name.replace("_", " ").capitalize()
            if st.button(label, key=f"verdict-{name}", help=meaning, type="tertiary"):
                _do(url, ids, partial(_judge, name))


def _button(
    url: str,
    ids: Ids,
    label: str,
    icon: str,
    shortcut: str,
    deed: Deed,
    primary: bool = False,
) -> None:
    key = label.lower().replace(" ", "-")
    kind: Literal["primary", "secondary"] = "primary" if primary else "secondary"
    if st.button(label, type=kind, icon=f":material/{icon}:", key=key, shortcut=shortcut):
        _do(url, ids, deed)


def _do(url: str, ids: Ids, deed: Deed) -> None:
    """Do something in the viewer's name; say which alerts do not allow it any more, and why."""
    looks = visitor.current()
    if looks is None or desk.current().read_only:
        st.toast("Nothing was done: you are signed out, or may only look.")
        return
    refused = [said for each in ids if (said := data.act(url, each, looks, deed))]
    for said in refused[:REFUSALS]:
        st.toast(said)
    if len(refused) > REFUSALS:
        st.toast(f"{len(refused) - REFUSALS} more were refused")
    if len(ids) > 1:
        st.toast(f"done for {explain.count(len(ids) - len(refused), 'alert')}")
    st.session_state.pop(HELD, None)  # the next list is a new one, with nothing ticked
    st.rerun(scope="fragment")


def _take(connection: Connection, alert_id: str, name: str, now: datetime) -> None:
    acts.assign(connection, alert_id, name, now, name)


def _sleep(hours: int, connection: Connection, alert_id: str, name: str, now: datetime) -> None:
    acts.snooze(connection, alert_id, name, now, now + timedelta(hours=hours))


def _wake(connection: Connection, alert_id: str, name: str, now: datetime) -> None:
    acts.snooze(connection, alert_id, name, now, None)


def _judge(word: str, connection: Connection, alert_id: str, name: str, now: datetime) -> None:
    acts.judge(connection, alert_id, name, now, word)
