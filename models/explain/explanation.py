"""What an explanation says, and the part of the text it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

#: A gap above this share of the difference to be explained is worth a warning.
GAP_WARNING = 0.05
#: Words weaker than this share of the strongest one end a span of evidence.
_WEAK = 0.25


@dataclass(frozen=True, slots=True)
class Word:
    """One word's share.

    Parameters
    ----------
    text
        The word as it stands in the explained text.
    start, end
        Its characters there: ``text[start:end]``.
    attribution
        Log-odds it adds to the label; negative speaks against it. Of `attention`: a share of
        attention, never negative.
    """

    text: str
    start: int
    end: int
    attribution: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a head says a label, word by word.

    Parameters
    ----------
    text
        What the model read, as `models.text.model_input` makes it; spans are places in it.
    head, label
        The answer explained.
    method
        One of `models.explain.METHODS`.
    model
        Name and version of the bundle.
    words
        In the order of the text; 0.0 for words past the model's length limit.
    log_odds
        Of the label, before calibration; see `models.explain.question.log_odds`.
    baseline_log_odds
        The same with every word masked.
    completeness_gap
        How far the attributions' sum is from the difference they should add up to, as a share of
        it (0 is exact); None where the method makes no such promise.
    """

    text: str
    head: str
    label: str
    method: str
    model: str
    words: tuple[Word, ...]
    log_odds: float
    baseline_log_odds: float
    completeness_gap: float | None

    @property
    def warning(self) -> str | None:
        """What a reader should know before trusting the figures; None when all is well."""
        if self.completeness_gap is None or self.completeness_gap <= GAP_WARNING:
            return None
        return (
            f"attributions miss the difference they explain by {self.completeness_gap:.0%} (over "
            f"{GAP_WARNING:.0%}): take the order of the words, not the figures"
        )

    def as_json(self) -> dict[str, Any]:
        """Everything, for programs, and the span of evidence."""
        return {
            "text": self.text,
            "model": self.model,
            "head": self.head,
            "label": self.label,
            "method": self.method,
            "log_odds": self.log_odds,
            "baseline_log_odds": self.baseline_log_odds,
            "completeness_gap": self.completeness_gap,
            "warning": self.warning,
            "evidence": list(evidence_span(self)),
            "words": [
                {
                    "word": word.text,
                    "start": word.start,
                    "end": word.end,
                    "attribution": word.attribution,
                }
                for word in self.words
            ],
        }


def evidence_span(explanation: Explanation) -> tuple[int, int]:
    """The contiguous part of the text that speaks most for the label.

    The run of words with the greatest sum (Bentley 1984, "Algorithm design techniques", CACM
    27(9)) after a quarter of the strongest word's attribution is taken off each: without that
    cost, a long run of words that hardly matter would swell every span to the whole text.

    Returns
    -------
    tuple
        Start and end in `explanation.text`; ``(0, 0)`` when no word speaks for the label.

    Examples
    --------
    >>> values = {"Acme": 0.1, "cuts": 2.0, "its": 0.2, "dividend": 1.5, "today": 0.1}
    >>> words, at = [], 0
    >>> for name, value in values.items():
    ...     words.append(Word(name, at, at + len(name), value))
    ...     at += len(name) + 1
    >>> text = " ".join(values)
    >>> found = Explanation(text, "topic", "Dividend", "occlusion", "m", tuple(words), 3, -2, None)
    >>> start, end = evidence_span(found)
    >>> text[start:end]
    'cuts its dividend'
    """
    strongest = max((word.attribution for word in explanation.words), default=0.0)
    if strongest <= 0:
        return 0, 0
    cost = _WEAK * strongest
    best, best_span = 0.0, (0, 0)
    total, start = 0.0, 0
    for word in explanation.words:
        if total <= 0:
            total, start = 0.0, word.start
        total += word.attribution - cost
        if total > best:
            best, best_span = total, (start, word.end)
    return best_span
