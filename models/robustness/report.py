"""Robustness of a head, as figures, lines and Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from models.labels import SENTIMENTS
from models.robustness.counterfactual import Shift, counterfactual
from models.robustness.flips import Flips, Progress, check_head, flips, silent

if TYPE_CHECKING:
    from models.classifier import Classifier

_INDENT = " " * 15


@dataclass(frozen=True, slots=True)
class RobustnessReport:
    """How a head holds.

    Parameters
    ----------
    head, model
        Which.
    texts
        Given.
    seed
        Of the perturbations.
    flips
        One for each perturbation.
    shifts
        One for each kind of name; empty for heads that are not about sentiment.
    """

    head: str
    model: str
    texts: int
    seed: int
    flips: tuple[Flips, ...]
    shifts: tuple[Shift, ...]

    def as_json(self) -> dict[str, Any]:
        """Every figure, for programs."""
        return {
            "head": self.head,
            "model": self.model,
            "texts": self.texts,
            "seed": self.seed,
            "flips": [f.as_json() for f in self.flips],
            "counterfactual": [s.as_json() for s in self.shifts],
        }

    def as_text(self) -> str:
        """Lines for the terminal, at most 100 columns wide."""
        lines = [
            f"robustness of {self.head}, {self.texts} texts, seed {self.seed}",
            f"model        {self.model}",
            "",
            "perturbation  changed  read otherwise  flipped   share  95% interval      bound",
        ]
        lines += [
            f"{f.perturbation:<12}  {f.changed:>7}  {f.read_otherwise:>14}  {f.flipped:>7}  "
            f"{_percent(f.share):>6}  {_interval(f):<16}  {_bound(f)}"
            for f in self.flips
        ]
        if self.shifts:
            lines += [
                "",
                "names swapped  texts  swaps  mean shift    p95  flipped  group gap  bounds",
            ]
        for s in self.shifts:
            lines.append(
                f"{s.kind:<13}  {s.texts:>5}  {s.swaps:>5}  {s.mean:>10.3f}  {s.p95:>5.3f}  "
                f"{_percent(s.share):>7}  {s.gap:>9.3f}  {'; '.join(s.exceeded) or 'kept'}"
            )
            lines += wrap(_groups(s), 100, initial_indent=_INDENT, subsequent_indent=_INDENT)
        return "\n".join(lines)

    def as_markdown(self) -> str:
        """Two tables for the model card."""
        lines = [
            f"Share of {self.head} labels that change when {self.texts} texts are only written "
            f"otherwise (seed {self.seed}; 95 % interval of Wilson 1927):",
            "",
            "| perturbation | texts changed | read otherwise | flipped | share | interval | bound |",
            "|---|--:|--:|--:|--:|---|---|",
        ]
        lines += [
            f"| {f.perturbation} | {f.changed} | {f.read_otherwise} | {f.flipped} "
            f"| {_percent(f.share)} | {_interval(f)} | {_bound(f)} |"
            for f in self.flips
        ]
        if self.shifts:
            lines += [
                "",
                "How far the sentiment score (-1 to 1) moves when only the name in a text changes:",
                "",
                "| names | texts | swaps | mean | 95th percentile | flipped | group means | bounds |",
                "|---|--:|--:|--:|--:|--:|---|---|",
            ]
        lines += [
            f"| {s.kind} | {s.texts} | {s.swaps} | {s.mean:.3f} | {s.p95:.3f} "
            f"| {_percent(s.share)} | {_groups(s)} | {'; '.join(s.exceeded) or 'kept'} |"
            for s in self.shifts
        ]
        return "\n".join(lines)


def robustness_report(
    classifier: Classifier,
    texts: Sequence[str],
    head: str,
    seed: int = 0,
    progress: Progress = silent,
) -> RobustnessReport:
    """Perturb texts, and swap the names in them where the head is about sentiment.

    Parameters
    ----------
    classifier
        Loaded.
    texts
        As their source publishes them.
    head
        One of the classifier's.
    seed
        Of the perturbations.
    progress
        Told (done, in all), first of the perturbations, then of the swaps.

    Raises
    ------
    ModelError
        When the head does not exist, or there are no texts.
    """
    check_head(classifier, head)
    bundle = classifier.bundle
    # A head about one company never sees its name: there is nothing to swap.
    named = tuple(bundle.labels[head]) == SENTIMENTS and head != "target"
    return RobustnessReport(
        head=head,
        model=f"{bundle.name} {bundle.version} ({classifier.engine_detail})",
        texts=len(texts),
        seed=seed,
        flips=flips(classifier, texts, head, seed, progress),
        shifts=counterfactual(classifier, texts, head, progress=progress) if named else (),
    )


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _interval(found: Flips) -> str:
    low, high = found.interval
    return f"{low:.1%} to {high:.1%}" if found.changed else "-"


def _bound(found: Flips) -> str:
    return f"{found.bound:.0%}, {'exceeded' if found.exceeded else 'kept'}"


def _groups(shift: Shift) -> str:
    return ", ".join(f"{group} {mean:+.3f}" for group, mean in shift.groups.items())
