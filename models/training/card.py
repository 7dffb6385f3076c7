"""MODEL_CARD.md: what a bundle is, what it was trained on, how it does."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from models.bundle import CURVE, RISK_COVERAGE, Bundle
from models.labels import HeadKind
from models.report import as_text
from models.robustness.report import RobustnessReport
from models.training.compare import Comparison
from models.training.loop import Epoch

_COLUMNS = ("accuracy", "macro_f1", "weighted_f1", "ece")


def model_card(
    bundle: Bundle,
    curve: Sequence[Epoch],
    found: Sequence[Comparison],
    holds: Sequence[RobustnessReport],
    command: str,
) -> str:
    """The card's text.

    Parameters
    ----------
    bundle
        What it is about.
    curve
        Validation curve.
    found
        Reports, one comparison per labelled set.
    holds
        How heads hold when texts are written otherwise; may be empty.
    command
        That trains it anew.
    """
    distil = bundle.training["distil"]
    return "\n".join(
        [
            f"# {bundle.name} {bundle.version}",
            "",
            f"Financial news and posts: {_heads(bundle)}.",
            f"One fine-tuned BERT encoder with a head per question; base `{bundle.base['name']}`.",
            "",
            f"- trained: {_method(bundle.method)}, {bundle.training['epochs_run']} epochs, best "
            f"on validation: epoch {bundle.training['best_epoch']}, seed {bundle.training['fit']['seed']}",
            *_few_shot(bundle.training.get("few_shot", {})),
            f"- reads: {', '.join(bundle.languages)}; at most {bundle.max_tokens} tokens; texts in "
            "other languages get no prediction",
            f"- served on CPUs: OpenVINO, static {bundle.precision['openvino']}; on CUDA: torch "
            f"{bundle.precision['torch']}",
            *(
                f"- learnt from `{teacher['name']}` as well (base `{teacher['base']}`, SHA-256 "
                f"`{teacher['base_sha256']}`), {distil['weight']:.0%} of the loss"
                for teacher in distil["teachers"]
            ),
            *(
                f"- goes on from `{bundle.training[key]['name']}` (bundle hash "
                f"`{bundle.training[key]['hash']}`)" + how
                for key, how in (("start", ""), ("remember", ", kept to its answers"))
                if key in bundle.training
            ),
            f"- bundle hash: `{bundle.hash}`",
            f"- base SHA-256: `{bundle.base['sha256']}`",
            "",
            "## Figures",
            "",
            f"{_leaks(bundle)} Nothing was chosen on the test split.",
            "",
            *_comparison(found),
            "",
            "`frozen base` is logistic regression on the embeddings of the base before training.",
            "",
            "## When it is unsure",
            "",
            f"![wrong answers over the share answered]({RISK_COVERAGE})",
            "",
            *_thresholds(bundle),
            "",
            *_robustness(holds),
            "## Validation curve",
            "",
            f"![macro-F1 and loss by epoch]({CURVE})",
            "",
            *_curve(curve),
            "",
            "## Data",
            "",
            "| set | head | SHA-256 of the file | rows trained on | licence |",
            "|---|---|---|---|---|",
            *(
                f"| {d['name']} | {d['head']} | `{d['sha256'][:16]}` | {d['rows']['train']} "
                f"| {d['licence']} |"
                for d in bundle.data
            ),
            "",
            "The int8 graph's scales were calibrated on texts of these training splits only.",
            "",
            "## Use and limits",
            "",
            "- Made for triage: which items a person should see first. Not for automatic trading.",
            "- Most training texts are posts of 2019-2022 that quote headlines. Sentiment is an "
            "investor's reading of the whole text, not of one company in it.",
            "- Rare topics (IPO, Gold | Metals | Materials) have few test rows: their figures are "
            "rough.",
            "- It says nothing about texts that are not about business: they get some topic "
            "nevertheless, usually General News | Opinion.",
            "",
            "## Train it anew",
            "",
            "```",
            *(teacher["command"] for teacher in distil["teachers"]),
            *_commands(curve, command),
            "```",
            "",
            "## Reports",
            "",
            "As `foreshock evaluate` prints them, for the served graph.",
            *(line for c in found for line in ("", "```", as_text(c.served), "```")),
            "",
        ]
    )


def _leaks(bundle: Bundle) -> str:
    found = {h: n["same"] for h, n in bundle.training.get("leaks", {}).items() if n["same"]}
    if not found:
        return "Splits are leak-free: no normalised text stands in two of them."
    told = ", ".join(f"{count} of {head}" for head, count in found.items())
    return f"**Splits leak**: training texts that stand in validation or test splits too: {told}."


def _heads(bundle: Bundle) -> str:
    return ", ".join(f"{head.name} ({len(head.labels)} labels)" for head in bundle.heads)


def _method(method: Any) -> str:
    kind = method["kind"]
    if "rank" in method:
        return f"{kind} of rank {method['rank']} on every linear layer of the encoder"
    if kind == "bottleneck":
        return f"bottleneck adapters ({method['layout']}), 1/{method['reduction']} of the width"
    if "length" in method:
        return f"{method['length']} {kind} vectors"
    if kind == "full":
        kept = [
            *(["the embeddings"] if method.get("freeze_embeddings") else []),
            *([f"the lowest {n} layers"] if (n := method.get("freeze_layers", 0)) else []),
        ]
        return "every weight" + (f" but those of {' and '.join(kept)}" if kept else "")
    return {"frozen": "the heads only"}.get(kind, str(kind))


def _few_shot(options: Mapping[str, Any]) -> list[str]:
    if not options.get("shots"):
        return []
    return [
        f"- few-shot: {options['shots']} rows of each label; {options['rounds']} pairs of equal and as "
        "many of different labels for each row taught the encoder, then the heads were trained"
    ]


def _commands(curve: Sequence[Epoch], command: str) -> list[str]:
    """The run's command; for each time it was resumed for more epochs, one more."""
    planned = list(dict.fromkeys(epoch.planned for epoch in curve))
    plain = re.sub(r" --set '?fit\.epochs=\d+'?", "", command)
    return [
        f"{plain} --set fit.epochs={epochs}{' --resume' if number else ''}"
        for number, epochs in enumerate(planned)
    ]


def _comparison(found: Sequence[Comparison]) -> list[str]:
    lines = [f"| set | n | model | {' | '.join(_COLUMNS)} |", "|---|---|---|---|---|---|---|"]
    for comparison in found:
        for report in (*comparison.others, comparison.served):
            figures = report.headline()
            cells = " | ".join(
                f"{figures[column]:.4f}" if column in figures else "" for column in _COLUMNS
            )
            where = f"{report.task}: {report.file} ({report.split})"
            lines.append(f"| {where} | {report.metrics.n} | {report.model} | {cells} |")
    return lines


def _thresholds(bundle: Bundle) -> list[str]:
    """Where each head's threshold lies, and for what."""
    precision = bundle.training["calibration"]["precision"]
    several = {head.name for head in bundle.heads if head.kind is HeadKind.MULTI}
    answered = ", ".join(
        f"{name} {value:.2f}" for name, value in bundle.thresholds.items() if name not in several
    )
    given = ", ".join(f"{name} {bundle.thresholds[name]:.2f}" for name in sorted(several))
    lines = [
        f"Thresholds are set on validation for {precision:.0%} right answers (the dots). Below its own a "
        f"head is `unsure`: {answered or 'no such head'}."
    ]
    if given:
        lines.append(f"A head with several labels gives those of at least: {given}.")
    return lines


def _robustness(holds: Sequence[RobustnessReport]) -> list[str]:
    if not holds:
        return []
    tables = [line for report in holds for line in (report.as_markdown(), "")]
    return ["## When a text is written otherwise", "", *tables]


def _curve(curve: Sequence[Epoch]) -> list[str]:
    heads = list(curve[0].macro_f1)
    return [
        "| epoch | train loss | "
        + " | ".join(f"{h} macro-F1 | {h} accuracy" for h in heads)
        + " |",
        "|---|---|" + "---|---|" * len(heads),
        *(
            f"| {e.number + 1} | {e.train_loss:.4f} | "
            + " | ".join(f"{e.macro_f1[h]:.4f} | {e.accuracy[h]:.4f}" for h in heads)
            + " |"
            for e in curve
        ),
    ]
