"""The model card of a candidate: what it was made of, and what the gate measured, slice by slice."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from models.bundle import Bundle
from monitor.retrain.plan import RetrainPlan

_COLUMNS = ("head", "on", "value", "rows", "champion", "candidate", "difference", "p_worse")


def card(
    champion: Bundle,
    version: str,
    rows: Mapping[str, Mapping[str, Any]],
    left_out: Mapping[str, int],
    plan: RetrainPlan,
    made_at: datetime,
) -> str:
    """Return the card before anything is measured, Markdown."""
    lines = [
        f"# {champion.name} {version}",
        "",
        f"Made on {made_at:%Y-%m-%d %H:%M} UTC by `foreshock retrain` from {champion.model_version} (hash "
        f"`{champion.hash}`): heads fitted anew to the desk's labels, the encoder as it was. Its uses, "
        "limits, languages and licences are those of that model's card, as are temperatures and thresholds.",
        "",
        "## Learnt from",
        "",
        "| head | labels | of them by | people | old texts |",
        "|---|---|---|---|---|",
    ]
    for head, found in sorted(rows.items()):
        by = ", ".join(f"{n} {key[3:]}" for key, n in found.items() if key.startswith("by "))
        lines.append(f"| {head} | {found['new']} | {by} | {found['people']} | {found['old']} |")
    lines += [
        "",
        f"Of one person alone at most {plan.single} labels are learnt. {100 * plan.held_out:g}% of all "
        "texts, by a hash, are never learnt. Old texts keep what the champion said of them, at "
        f"{100 * plan.share:g}% of the loss.",
        "",
    ]
    if left_out:
        lines += ["Left out: " + "; ".join(f"{n} {why}" for why, n in sorted(left_out.items())), ""]
    return "\n".join(lines)


def measured(report: Mapping[str, Any]) -> str:
    """Return what the gate said, Markdown, to be added to a card."""
    lines = ["## Measured", ""]
    lines.append("It passed the gate." if report["passed"] else "The gate refused it:")
    lines += ["", *(f"- {_cell(reason)}" for reason in report["reasons"]), ""]
    lines += _table([*report["sets"], *report["slices"]])
    lines += ["", "## Names swapped in sentences", ""]
    rows = ["kind", "swaps", "mean_absolute_shift", "p95_absolute_shift", "flip_share", "group_gap"]
    lines += [f"| {' | '.join(rows)} |", "|" + "---|" * len(rows)]
    for each in report["bias"]:
        lines.append(f"| {' | '.join(_cell(each[name]) for name in rows)} |")
    return "\n".join(lines) + "\n"


def _table(found: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = [f"| {' | '.join(_COLUMNS)} |", "|" + "---|" * len(_COLUMNS)]
    for each in found:
        lines.append(f"| {' | '.join(_cell(each[name]) for name in _COLUMNS)} |")
    return lines


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    # Names of sources stand here: nothing of them is Markdown.
    return json.dumps(value, ensure_ascii=False).strip('"').replace("|", "\\|").replace("<", "&lt;")
