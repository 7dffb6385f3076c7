"""The risk pack: rules that read risk events from the words of a title or lead, with the words as
evidence.

How a text is read: it is cut into sentences; one automaton finds the literals of all patterns; only
the patterns whose literal is there are run; then the sentence of a match is read for denial, age,
an end, and rumour. A match is ``revoked`` before ``denied`` before ``stale`` before ``resolved``
before ``rumour`` before ``amended`` before ``confirmed``; of several sentences that speak of one
event the firmest counts, but a lead never overrules a title that says an event is denied, old or
over, or a report of it withdrawn: it repeats what was claimed.

Limits, honestly: words, not meaning. The rules do not know *who* was sued or downgraded, only that
the sentence says so; irony and long-distance negation are read as they stand; a hypothetical is
told from a fact by the words before it ("could", "fears of"), and is called a rumour.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import ahocorasick

from monitor.domain import MODEL, RiskMatch, digest
from monitor.entities.fold import fold
from monitor.stories.riskfile import read_pack
from monitor.stories.rules import PackFile, RiskPattern, RiskRule
from monitor.stories.sentences import sentences
from monitor.stories.stage import stage_of

BUILT_IN = Path(__file__).with_name("pack")
# The firmest first. A corrected report is as firm as any; its mark outlives the lead, which has none.
STAGES = ("amended", "confirmed", "rumour", "resolved", "stale", "denied", "revoked")
MAX_CHARS = 4_000  # of one text; a title or lead is far shorter
_QUOTE = 300  # characters of evidence
_IGNORE = "ignore"
_WHOLE = re.compile(r".*", re.DOTALL)
_FACTS = ("amended", "confirmed")
_ANSWERS = frozenset(("resolved", "stale", "denied", "revoked"))


class RiskPack:
    """A compiled set of rules. Immutable and safe to share between threads.

    Attributes
    ----------
    rules
        The rules by id.
    episodes
        By event: the events of one episode of a company are one alert that grows.
    families
        The family of each event.
    companies_only
        Events that do not happen to a state.
    version
        The version the file gives itself.
    severities
        The least severity that a rule gives each event.
    hash
        32 hex digits over the files' content: the same rules, the same hash.
    """

    def __init__(self, pack: PackFile) -> None:
        self.rules: Mapping[str, RiskRule] = {rule.id: rule for rule in pack.rules}
        self.severities: Mapping[str, int] = {
            event: min(rule.severity for rule in pack.rules if rule.event == event)
            for event in {rule.event for rule in pack.rules}
        }
        self.episodes: Mapping[str, str] = {
            rule.event: pack.episodes.get(rule.family, rule.family) for rule in pack.rules
        }
        self.families: Mapping[str, str] = {rule.event: rule.family for rule in pack.rules}
        self.companies_only = frozenset(
            rule.event for rule in pack.rules if rule.family in pack.companies_only
        )
        self.version = pack.version
        self.hash = digest(pack.text)
        self._always: list[tuple[str, RiskPattern]] = []  # signals without a literal
        self._automaton = ahocorasick.Automaton()
        holders: dict[str, list[tuple[RiskRule | str, RiskPattern]]] = {}
        for rule in pack.rules:
            for pattern in rule.patterns:
                for literal in pattern.literals:
                    holders.setdefault(literal, []).append((rule, pattern))
        for place, patterns in {**pack.stages, _IGNORE: pack.ignore}.items():
            for pattern in patterns:
                if not pattern.literals:
                    self._always.append((place, pattern))
                for literal in pattern.literals:
                    holders.setdefault(literal, []).append((place, pattern))
        for literal, pairs in holders.items():
            self._automaton.add_word(literal, tuple(pairs))
        self._automaton.make_automaton()

    @classmethod
    def load(cls, path: Path | None = None) -> RiskPack:
        """Read a pack from YAML (a file, or a folder of them), the built-in one by default.

        A process reads the same files once: stages share the pack until one of its files changes.

        Raises
        ------
        ConfigError
            A file cannot be read or a rule is wrong; names file, rule and what to change.
        """
        path = path or BUILT_IN
        return _compiled(path, _stamp(path))

    def match(
        self, title: str, lead: str = "", published_at: datetime | None = None
    ) -> tuple[RiskMatch, ...]:
        """Return the risk events the text speaks of, gravest first, each rule at most once.

        Parameters
        ----------
        title, lead
            Normalised plain text. At most `MAX_CHARS` characters of each are read.
        published_at
            When given, a year before it ("in 2008") marks an event as ``stale``.

        Examples
        --------
        >>> [(m.rule, m.stage) for m in RiskPack.load().match("Acme denies it is bankrupt")]
        [('bankruptcy', 'denied')]
        """
        found: dict[str, RiskMatch] = {}
        if title:
            self._read(title[:MAX_CHARS], published_at, found, frozenset())
        if lead:
            answered = frozenset(rule for rule, match in found.items() if match.stage in _ANSWERS)
            self._read(lead[:MAX_CHARS], published_at, found, answered)
        if len(found) < 2:
            return tuple(found.values())
        return tuple(sorted(found.values(), key=lambda match: -match.severity))

    def ignores(self, text: str) -> bool:
        """Say whether a text is none of an event's news, whatever it says: a round-up of markets, an advert.

        Examples
        --------
        >>> RiskPack.load().ignores("European shares fall, Acme drags"), RiskPack.load().ignores("Acme falls")
        (True, False)
        """
        folded = fold(text[:MAX_CHARS])
        held = (pair for _, pairs in self._automaton.iter(folded) for pair in pairs)
        return any(
            holder == _IGNORE and pattern.regex.search(folded)
            for holder, pattern in {pair: None for pair in (*held, *self._always)}
        )

    def read_by_model(
        self, events: Mapping[str, float], title: str, published_at: datetime | None = None
    ) -> tuple[RiskMatch, ...]:
        """Return events that the model read in a title, gravest first; those the pack lacks are left out.

        The severity is the least that a rule gives the event; the stage is told by the words of the
        title as if the event stood at its end.

        Parameters
        ----------
        events
            Probability of each, in [0, 1].
        title, published_at
            As of `match`.
        """
        if not (events := {name: p for name, p in events.items() if name in self.severities}):
            return ()
        folded = fold(title[:MAX_CHARS])
        whole = _WHOLE.match(folded)
        assert whole is not None
        held = {pair for _, pairs in self._automaton.iter(folded) for pair in pairs}
        signals: dict[str, list[RiskPattern]] = {}
        for holder, pattern in (*held, *self._always):
            if isinstance(holder, str) and holder != _IGNORE:
                signals.setdefault(holder, []).append(pattern)
        found = [
            RiskMatch(
                MODEL,
                event,
                self.severities[event],
                stage_of(signals, folded, whole, False, published_at),
                title.strip()[:_QUOTE],
                probability,
            )
            for event, probability in events.items()
        ]
        return tuple(sorted(found, key=lambda match: -match.severity))

    def _read(
        self,
        text: str,
        published_at: datetime | None,
        found: dict[str, RiskMatch],
        answered: frozenset[str],
    ) -> None:
        """Add to ``found`` what a text says, leaving the rules in ``answered`` as they are."""
        folded = fold(text)
        held = {pair: None for _, pairs in self._automaton.iter(folded) for pair in pairs}
        candidates: list[tuple[RiskRule, RiskPattern]] = []
        signals: dict[str, list[RiskPattern]] = {}
        for holder, pattern in held:
            if isinstance(holder, str):
                signals.setdefault(holder, []).append(pattern)
            else:
                candidates.append((holder, pattern))
        if not candidates:
            return
        for place, pattern in self._always:
            signals.setdefault(place, []).append(pattern)
        if any(pattern.regex.search(folded) for pattern in signals.pop(_IGNORE, ())):
            return
        for start, end in sentences(folded):
            sentence = folded[start:end]
            for rule, pattern in candidates:
                before = found.get(rule.id)
                if before and (before.stage in _FACTS or rule.id in answered):
                    continue
                hit = pattern.search(sentence)
                if hit is None or not rule.holds(sentence, hit):
                    continue
                dated = None if rule.looks_back else published_at
                stage = stage_of(signals, sentence, hit, rule.over(sentence), dated)
                if before is None or STAGES.index(stage) < STAGES.index(before.stage):
                    evidence = text[start:end].strip()[:_QUOTE]
                    # Folding keeps every character's place.
                    words = text[start + hit.start() : start + hit.end()].strip()[:_QUOTE]
                    found[rule.id] = RiskMatch(
                        rule.id,
                        rule.event,
                        rule.severity_in(folded),
                        stage,
                        evidence,
                        rule.confidence,
                        words,
                    )


@lru_cache(maxsize=2)
def _compiled(path: Path, stamp: object) -> RiskPack:
    return RiskPack(read_pack(path))


def _stamp(path: Path) -> tuple[tuple[str, int, int], ...]:
    """Return what changes when a pack's file is written, added or removed; nothing where none can be read."""
    try:
        files = [*path.glob("*.yaml")] if path.is_dir() else [path]
        found = [(file.name, file.stat()) for file in files]
    except OSError:
        return ()
    return tuple(sorted((name, stat.st_mtime_ns, stat.st_size) for name, stat in found))
