"""The models: what classifies now, what was trained, what the gate said of it, how it does on live news."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import pandas as pd
import streamlit as st

from dashboards import bundles, data, desk, visitor, words
from dashboards.bundles import Standing
from dashboards.pages import frame
from monitor.access.visitor import Visitor
from monitor.alert import explain
from monitor.store.retrains import Retrain, State, Trial

CHOSEN, SAID = "models-chosen", "models-said"


def page() -> None:
    """Draw how things stand, and the training that is looked at."""
    frame.live(_draw)


def _draw(url: str) -> None:
    frame.strip(url, "Models")
    if said := st.session_state.get(SAID):
        with st.container(key="panel-said"):
            st.text(f"Not done: {said}")
    found = bundles.standing(url)
    left, right = st.columns([1, 1.62], gap="small")
    with left, st.container(key="panel-champion", height=320, border=False):
        _champion(url, found)
    with right, st.container(key="panel-trainings", height=320, border=False):
        _trainings(url, found)
    chosen = _chosen(found)
    if chosen is not None:
        with st.container(key="panel-gate"):
            _gate(url, found, chosen)
        with st.container(key="panel-live"):
            _live(url, chosen)
    left, right = st.columns(2, gap="small")
    with left, st.container(key="panel-drift"):
        _drift(found)
    with right, st.container(key="panel-card"):
        _card(found, chosen)


def _champion(url: str, found: Standing) -> None:
    st.subheader("In use", anchor=False)
    st.text(f"{found.version}\nhash {found.hash[:16]}")
    last = next(iter(found.promotions), None)
    if last is None:
        st.text("The bundle of the settings; nothing was promoted.")
    else:
        act = "rolled back to" if last.rollback else "promoted"
        said = f": {last.comment}" if last.comment else ""
        st.text(f"{last.who} {act} {last.model_version}, {words.clock(last.at)} UTC{said}")
    rows = [
        {
            "process": each.holder,
            "runs": each.model_version,
            "last promotion": "taken" if each.outcome == "serving" else f"refused: {each.outcome}",
            "why": each.detail,
        }
        for each in found.processes
    ]
    if rows:
        st.dataframe(pd.DataFrame(rows), hide_index=True, key="models-processes")
    else:
        st.text("No process classifies now.")
    if found.promotions and _may_change():
        _button("Roll back", "roll-back", lambda who: bundles.roll_back(url, who))


def _trainings(url: str, found: Standing) -> None:
    st.subheader("Trainings", anchor=False)
    running = next((each for each in found.trainings if each.state is State.RUNNING), None)
    if running is not None:
        _progress(url, running)
    rows = [
        {
            "no.": each.number,
            "began (UTC)": words.clock(each.started_at),
            "who": each.who,
            "why": each.why,
            "state": each.state.value,
            "candidate": each.model_version,
            "trial": each.trial.value,
            "detail": each.detail,
        }
        for each in found.trainings
    ]
    if rows:
        st.dataframe(pd.DataFrame(rows), hide_index=True, key="models-trainings")
    else:
        st.text(
            "No training yet. `foreshock retrain run` makes one from the labels that count; [retrain] of the "
            "settings says when it happens by itself."
        )


def _progress(url: str, running: Retrain) -> None:
    done = running.done / running.total if running.total else 0.0
    st.progress(min(done, 1.0), text=f"training {running.number}: {running.phase}")
    now = data.wall(url)
    if not running.is_alive(now):
        st.text(f"nothing was heard of it for {explain.span(now - running.beat_at)}")


def _chosen(found: Standing) -> Retrain | None:
    """Let the viewer choose a training that made a candidate."""
    made = {each.number: each for each in found.trainings if each.hash}
    if not made:
        return None
    number = st.selectbox(
        "Candidate",
        list(made),
        format_func=lambda each: f"training {each}, {made[each].state.value}",
        key=CHOSEN,
    )
    return made.get(number) if number is not None else None


def _gate(url: str, found: Standing, chosen: Retrain) -> None:
    st.subheader("What the gate says", anchor=False)
    report = chosen.report
    if report is None:
        st.text("It was not asked yet.")
        return
    if report["passed"]:
        st.text(f"{chosen.model_version} may take the place of {chosen.champion_version}.")
    else:
        st.text(f"{chosen.model_version} may not:")
        for reason in report["reasons"]:
            st.text(f"· {reason}")
    learnt = ", ".join(
        f"{head}: {rows['new']} labels of {rows['people']} people beside {rows['old']} old texts"
        for head, rows in chosen.rows.items()
    )
    st.text(f"Learnt {learnt}")
    _table(bundles.compared(report["sets"]), "models-sets")
    st.text("By slice")
    _table(bundles.compared(report["slices"]), "models-slices")
    st.text("Names swapped in sentences: how far the sentiment hangs on whose name it is")
    _table(_bias(report["bias"]), "models-bias")
    if not _may_change():
        frame.note("Promoting, trials and rolling back are for admins.")
        return
    with st.container(horizontal=True, gap="small", key="models-acts"):
        number = chosen.number
        if chosen.state is State.PASSED and chosen.hash != found.hash:
            _button("Promote", "promote", lambda who: bundles.promote(url, who, number))
            _trial_button(url, chosen, "Canary", Trial.CANARY)
        _trial_button(url, chosen, "Shadow", Trial.SHADOW)
        if chosen.trial in (Trial.SHADOW, Trial.CANARY):
            _trial_button(url, chosen, "End the trial", Trial.ENDED)


def _trial_button(url: str, chosen: Retrain, label: str, trial: Trial) -> None:
    if chosen.trial is not trial:
        name = label.lower().replace(" ", "-")
        _button(label, name, lambda who: bundles.try_out(url, who, chosen.number, trial))


def _bias(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "names of": each["kind"],
                "swaps": each["swaps"],
                "mean shift": round(each["mean_absolute_shift"], 3),
                "95th percentile": round(each["p95_absolute_shift"], 3),
                "other answers %": round(100 * each["flip_share"], 1),
                "between groups": round(each["group_gap"], 3),
                "over its bound": "; ".join(each["exceeded"]),
            }
            for each in rows
        ]
    )


def _live(url: str, chosen: Retrain) -> None:
    st.subheader("On live news", anchor=False)
    if chosen.trial is Trial.NONE:
        st.text("It was not tried.")
        return
    found, examples = bundles.differences(url, chosen.number)
    counted = found.counted
    share = f", {100 * chosen.share:g}% of the news" if chosen.share else ""
    st.text(f"{chosen.trial.value}{share}, since {_when(chosen.trial_at)}")
    if not counted.items:
        st.text("Nothing read by both yet.")
        return
    st.text(
        f"{counted.items} items read by both, {counted.differ} differently "
        f"({100 * counted.differ / counted.items:.1f}%); its answer counted on {counted.served}"
    )
    for head, counts in found.gold.items():
        st.text(
            f"{head}, by {counts.n} gold labels: {counts.first} right before, {counts.second} now "
            f"(p better {counts.p_better:.3g}, worse {counts.p_worse:.3g})"
        )
    moves = pd.DataFrame(found.moves, columns=["head", "champion", "candidate", "items"])
    _table(moves, "models-moves")
    _table(examples, "models-examples")


def _drift(found: Standing) -> None:
    st.subheader("Drift", anchor=False)
    looked = found.drift
    if looked is None:
        st.text("Nobody has looked: `foreshock retrain drift`, or [retrain] on_drift = true.")
        return
    st.text(f"looked at {words.clock(looked.at)} UTC")
    rows = [
        {
            "monitor": each["name"],
            "value": each["value"],
            "bound": each["bound"],
            "speaks": "yes" if each["speaks"] else "no",
            "detail": each["detail"],
        }
        for each in looked.monitors
    ]
    _table(pd.DataFrame(rows), "models-drift")


def _card(found: Standing, chosen: Retrain | None) -> None:
    st.subheader("Model card", anchor=False)
    folders = {"Of the bundle in use": (found.version, str(found.champion))}
    if chosen is not None and chosen.hash != found.hash:
        folders["Of the candidate"] = (chosen.model_version, chosen.folder)
    # Names of sources stand in it: it is shown as it is written.
    for title, (version, folder) in folders.items():
        with st.expander(title):
            st.text(version)
            st.code(bundles.card(folder) or "no card there", language=None, wrap_lines=True)


def _button(label: str, name: str, deed: Callable[[Visitor], str]) -> None:
    def act() -> None:
        looks = visitor.current()
        # Shown as text: a toast would be Markdown.
        st.session_state[SAID] = "you are signed out" if looks is None else deed(looks)

    st.button(label, key=f"models-{name}", on_click=act)


def _table(frame_: pd.DataFrame, key: str) -> None:
    if not frame_.empty:
        st.dataframe(frame_, hide_index=True, key=key)


def _may_change() -> bool:
    return not desk.current().read_only and visitor.may("admin")


def _when(moment: datetime | None) -> str:
    return "no data" if moment is None else f"{words.clock(moment)} UTC"
