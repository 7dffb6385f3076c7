"""What the Models page reads, and what an admin does there."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from dashboards import desk
from dashboards.desk import opened
from models.bundle import CARD, MANIFEST
from models.errors import ModelError
from monitor.access.roles import Forbidden
from monitor.access.visitor import Visitor
from monitor.classify import promoting
from monitor.errors import ForeshockError
from monitor.retrain.promote import promote as let_pass
from monitor.retrain.trial import Disagreement, disagreement
from monitor.store import Store, articles, drifts, promotions, retrains
from monitor.store.clock import time_of
from monitor.store.drifts import Looked
from monitor.store.promotions import Promotion, Serving
from monitor.store.retrains import Retrain, Trial

FRESH_S = 4.0
PAST = 20
EXAMPLES = 50


@dataclass(frozen=True, slots=True)
class Standing:
    """The model in use, what was promoted, what every process runs, and the trainings, newest first."""

    champion: Path
    version: str
    hash: str
    promotions: Sequence[Promotion]
    processes: Sequence[Serving]
    trainings: Sequence[Retrain]
    drift: Looked | None


@st.cache_data(ttl=FRESH_S / 2, show_spinner=False)
def standing(url: str) -> Standing:
    """Return how things stand."""
    with opened(url) as store, store.read() as connection:
        folder = promoting.champion_folder(connection, desk.current().settings.model)
        manifest = _manifest(folder)
        return Standing(
            folder,
            f"{manifest.get('name', folder.name)} {manifest.get('version', '')}".strip(),
            str(manifest.get("hash", "")),
            promotions.latest(connection, PAST),
            promotions.reports(connection, time_of(store)),
            retrains.latest(connection, PAST),
            drifts.last(connection),
        )


@st.cache_data(ttl=FRESH_S, show_spinner=False)
def differences(url: str, number: int) -> tuple[Disagreement, pd.DataFrame]:
    """Return how a candidate differs on live news, and the newest items on which it does."""
    with opened(url) as store, store.read() as connection:
        found = disagreement(connection, number, EXAMPLES)
        keys = [(each.article_id, each.revision) for each in found.examples]
        titles = {
            (item.article.id, item.article.revision): item.article.title
            for item in articles.get(connection, keys)
        }
    rows = [
        {
            "read (UTC)": each.at,
            "title": titles.get((each.article_id, each.revision), "not stored"),
            "champion": _words(each.champion.topic, each.champion.sentiment),
            "candidate": _words(each.candidate.topic, each.candidate.sentiment),
            "counted": "candidate" if each.served else "champion",
        }
        for each in found.examples
    ]
    return found, pd.DataFrame(rows)


def card(folder: str | Path) -> str:
    """Return a bundle's model card, or nothing where it has none."""
    try:
        return (Path(folder) / CARD).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def compared(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return what the gate measured, of sets or slices, in percent."""
    return pd.DataFrame(
        [
            {
                "head": each["head"],
                "on": each["on"],
                "is": each["value"],
                "rows": each["rows"],
                "champion %": round(100 * each["champion"], 2),
                "candidate %": round(100 * each["candidate"], 2),
                "points": round(100 * each["difference"], 2),
                "95% from": round(100 * each["low"], 2),
                "to": round(100 * each["high"], 2),
                "p better": each["p_better"],
                "p worse": each["p_worse"],
            }
            for each in rows
        ]
    )


def promote(url: str, visitor: Visitor, number: int) -> str:
    """Let a candidate that passed the gate classify; return why not, or nothing."""

    def deed(store: Store, who: str, now: datetime) -> None:
        let_pass(store, desk.current().settings.model, number, who, now)

    return _do(url, visitor, deed)


def roll_back(url: str, visitor: Visitor) -> str:
    """Let the bundle before the last promotion classify again; return why not, or nothing."""

    def deed(store: Store, who: str, now: datetime) -> None:
        promoting.roll_back(store, desk.current().settings.model, who, now)

    return _do(url, visitor, deed)


def try_out(url: str, visitor: Visitor, number: int, trial: Trial) -> str:
    """Try a candidate on live news, or end that; return why not, or nothing."""
    chosen = desk.current().settings.retrain
    share = {Trial.SHADOW: chosen.shadow or 0.05, Trial.CANARY: chosen.canary}.get(trial, 0.0)

    def deed(store: Store, who: str, now: datetime) -> None:
        with store.write() as connection:
            retrains.put_on_trial(connection, number, trial, share, who, now)

    return _do(url, visitor, deed)


def _do(url: str, visitor: Visitor, deed: Callable[[Store, str, datetime], None]) -> str:
    """Do something in an admin's name, now, if they still are one."""
    refused = ""
    try:
        visitor.need("admin")
        with opened(url) as store:
            deed(store, visitor.person.name, time_of(store))
    except (Forbidden, ForeshockError, ModelError) as error:
        refused = str(error)
    standing.clear()
    return refused


def _manifest(folder: Path) -> Mapping[str, Any]:
    try:
        found = json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _words(topic: str | None, sentiment: str | None) -> str:
    return f"{topic or 'no topic'}, {sentiment or 'not read'}"
