"""What a risk pack is made of: patterns, rules, and the words that set the stage of an event."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from monitor.stories.numbers import amount

# Where the words of a stage are looked for: in the sentence, before the match, or right after it.
STAGE_PLACES = (
    "revoked",
    "amended",
    "denied",
    "denied_after",
    "resolved",
    "resolved_after",
    "rumour",
    "rumour_before",
    "rumour_after",
    "stale",
    "stale_before",
    "stale_after",
)


@dataclass(frozen=True, eq=False)
class RiskPattern:
    """One compiled pattern, and literals one of which every match contains (empty: unknown).

    ``words`` says that a match has to begin where a word begins. That is looked at after the
    search and not in the expression, which then begins with letters that the engine can skip to.
    """

    source: str
    regex: re.Pattern[str]
    literals: frozenset[str]
    words: bool

    def search(self, sentence: str) -> re.Match[str] | None:
        """Return the first match that begins where a word begins."""
        hit = self.regex.search(sentence)
        while hit is not None and self.words and _inside_word(sentence, hit.start()):
            hit = self.regex.search(sentence, hit.start() + 1)
        return hit


@dataclass(frozen=True, eq=False)
class Grade:
    """How grave a match is by what else its title or lead says, such as the size of a fine.

    Holds where ``regex`` is found, and the number it calls ``number``, where it has one, is at least
    ``least`` and less than ``below`` (``None``: no bound).
    """

    regex: re.Pattern[str]
    severity: int
    least: float | None
    below: float | None

    def holds(self, text: str) -> bool:
        hit = self.regex.search(text)
        if hit is None:
            return False
        if self.least is None and self.below is None:
            return True
        value = amount(hit["number"])
        return (
            value is not None
            and (self.least is None or value >= self.least)
            and (self.below is None or value < self.below)
        )


@dataclass(frozen=True, eq=False)
class RiskRule:
    """One rule of the pack.

    ``polarity`` is "negative"; "any" when the event may as well be good news (a merger): an alert then
    asks the sentiment; "either" when it counts whatever the tone (a bid for the company); or
    "positive". ``grades`` set another severity, the first that holds. ``about`` says where the company
    that it happens to stands: "before" or "after" the words of the match, or anywhere ("any"). ``event`` is
    the type that alerts group by; several rules may share one. ``confidence`` is the share of its matches
    that are right, in (0, 1]. ``compare`` ("below", "above") makes the rule hold only when the number
    its pattern calls ``actual`` is below or above the one it calls ``expected``. ``resolved`` are the
    words that say that such an event ended. ``looks_back`` says that the news is a judgement of old
    deeds (a fine), which a year before publication does not make old news.
    """

    id: str
    event: str
    label: str
    family: str
    severity: int
    polarity: str
    confidence: float
    compare: str | None
    looks_back: bool
    about: str
    grades: tuple[Grade, ...]
    patterns: tuple[RiskPattern, ...]
    exclude: re.Pattern[str] | None
    resolved: re.Pattern[str] | None
    samples: tuple[str, ...]
    not_samples: tuple[str, ...]

    def holds(self, sentence: str, hit: re.Match[str]) -> bool:
        """Say whether a match of one of the patterns counts."""
        if self.exclude is not None and self.exclude.search(sentence):
            return False
        if self.compare is None:
            return True
        actual, expected = amount(hit["actual"]), amount(hit["expected"])
        if actual is None or expected is None:
            return False
        return actual < expected if self.compare == "below" else actual > expected

    def severity_in(self, text: str) -> int:
        """Return how grave a match in this folded title or lead is."""
        held = (grade.severity for grade in self.grades if grade.holds(text))
        return next(held, self.severity)

    def over(self, sentence: str) -> bool:
        return self.resolved is not None and self.resolved.search(sentence) is not None


@dataclass(frozen=True)
class PackFile:
    """What the files of a pack say, checked and compiled; ``episodes`` by family.

    ``companies_only`` are the families whose events do not happen to a state.
    """

    text: str
    version: str
    rules: tuple[RiskRule, ...]
    stages: Mapping[str, tuple[RiskPattern, ...]]
    ignore: tuple[RiskPattern, ...]
    episodes: Mapping[str, str]
    companies_only: frozenset[str]


def _inside_word(text: str, start: int) -> bool:
    return (
        start > 0 and _is_letter(text[start - 1]) and start < len(text) and _is_letter(text[start])
    )


def _is_letter(char: str) -> bool:
    return char.isascii() and char.isalnum()
