"""The stage of an event: confirmed, or withdrawn, denied, old, over or a rumour by the words around it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from monitor.stories.rules import RiskPattern

NEAR = 80  # characters before a match in which a denial speaks of it
_YEAR = re.compile(
    r"(?:\b(?:in|back in) (?:early |late |mid-)?|'s |^)((?:19|20)\d\d)(?!\d)"
    r"(?! (?:results|sales|targets?|outlook|guidance|models?|model-year))"
    r"|\b(?:the|its) ((?:19|20)\d\d) (?:\S+ )?(?:bankruptcy|collapse|crisis|default|bailout|scandal|crash)"
)
_ZH_YEAR = re.compile(r"((?:19|20)\d\d)年(?!\d)")

Signals = Mapping[str, Sequence[RiskPattern]]


def stage_of(
    signals: Signals, sentence: str, hit: re.Match[str], over: bool, published_at: datetime | None
) -> str:
    """Return the stage of what ``hit`` found in a folded sentence.

    The firmest reading that the words allow, in the order revoked (the report is withdrawn), denied,
    stale, resolved, rumour, amended (a fact whose report is corrected), confirmed.

    Parameters
    ----------
    signals
        The patterns of each place of `monitor.stories.rules.STAGE_PLACES` that are worth looking
        for here.
    over
        The rule's own words for the end of such an event are there.
    published_at
        When given, a year before it makes the event ``stale``.
    """
    start, end = hit.span()
    if signals:
        if _found(signals, "revoked", sentence):
            return "revoked"
        near = sentence[max(0, start - NEAR) : end]
        after = sentence[end:]
        if _found(signals, "denied", near) or _starts(signals, "denied_after", after):
            return "denied"
        if (
            _found(signals, "stale", sentence)
            or _found(signals, "stale_before", near)
            or _starts(signals, "stale_after", after)
        ):
            return "stale"
    if published_at is not None and _years_before(sentence, published_at.year):
        return "stale"
    if over:
        return "resolved"
    if signals:
        if _found(signals, "resolved", near) or _starts(signals, "resolved_after", after):
            return "resolved"
        if (
            _found(signals, "rumour", sentence)
            or _found(signals, "rumour_before", sentence[:end])
            or _starts(signals, "rumour_after", after)
        ):
            return "rumour"
        if _found(signals, "amended", sentence):
            return "amended"
    return "confirmed"


def _found(signals: Signals, place: str, text: str) -> bool:
    return any(pattern.regex.search(text) for pattern in signals.get(place, ()))


def _starts(signals: Signals, place: str, text: str) -> bool:
    return any(pattern.regex.match(text) for pattern in signals.get(place, ()))


def _years_before(sentence: str, year: int) -> bool:
    if "19" not in sentence and "20" not in sentence:
        return False
    years = [int(found[1] or found[2]) for found in _YEAR.finditer(sentence)]
    years += map(int, _ZH_YEAR.findall(sentence))
    return bool(years) and max(years) < year
