"""The risk pack: rules that read risk events from the words of a title or lead, with the words as
evidence.

How a text is read: it is cut into sentences; one automaton finds the literals of all patterns; only
the patterns whose literal is there are run; then the sentence of a match is read for denial, rumour
and age. A match is ``denied`` before ``stale`` before ``rumour`` before ``confirmed``.

Limits, honestly: words, not meaning. The rules do not know *who* was sued or downgraded, only that
the sentence says so; irony, hypotheticals and long-distance negation are read as they stand.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import ahocorasick

from monitor.domain import RiskMatch, digest
from monitor.entities.fold import fold
from monitor.stories.riskfile import RiskRule, Stages, parse_pack
from monitor.stories.sentences import sentences

BUILT_IN = Path(__file__).with_name("risk.yaml")
MAX_CHARS = 4_000  # of one text; a title or lead is far shorter
_NEAR = 80  # characters before a match in which a denial speaks of it
_QUOTE = 300  # characters of evidence


class RiskPack:
    """A compiled set of rules. Immutable and safe to share between threads.

    Attributes
    ----------
    rules
        The rules by id.
    version
        The version the file gives itself.
    hash
        32 hex digits over the file's content: the same rules, the same hash.
    """

    def __init__(
        self, rules: tuple[RiskRule, ...], stages: Stages, version: str, content_hash: str
    ) -> None:
        self.rules: Mapping[str, RiskRule] = {rule.id: rule for rule in rules}
        self.version = version
        self.hash = content_hash
        self._stages = stages
        self._automaton = ahocorasick.Automaton()
        holders: dict[str, list[tuple[RiskRule, re.Pattern[str]]]] = {}
        for rule in rules:
            for pattern in rule.patterns:
                for literal in pattern.literals:
                    holders.setdefault(literal, []).append((rule, pattern.regex))
        for literal, patterns in holders.items():
            self._automaton.add_word(literal, tuple(patterns))
        self._automaton.make_automaton()

    @classmethod
    def load(cls, path: Path | None = None) -> RiskPack:
        """Read a pack from YAML, the built-in one by default.

        Raises
        ------
        ConfigError
            The file cannot be read or a rule is wrong; names file, rule and what to change.
        """
        path = path or BUILT_IN
        text, version, rules, stages = parse_pack(path)
        return cls(rules, stages, version, digest(text))

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
        for text in (title, lead):
            if text:
                self._read(text[:MAX_CHARS], published_at, found)
        if len(found) < 2:
            return tuple(found.values())
        return tuple(sorted(found.values(), key=lambda match: -match.severity))

    def _read(self, text: str, published_at: datetime | None, found: dict[str, RiskMatch]) -> None:
        folded = fold(text)
        candidates = {pair: None for _, pairs in self._automaton.iter(folded) for pair in pairs}
        if not candidates or self._stages.ignored(folded):
            return
        for start, end in sentences(folded):
            sentence = folded[start:end]
            for rule, regex in candidates:
                before = found.get(rule.id)
                if before and before.stage == "confirmed":
                    continue
                hit = regex.search(sentence)
                if hit is None or rule.excludes(sentence):
                    continue
                stage = self._stage(sentence, hit, published_at)
                if before is None or _ORDER.index(stage) < _ORDER.index(before.stage):
                    evidence = text[start:end].strip()[:_QUOTE]
                    found[rule.id] = RiskMatch(rule.id, rule.event, rule.severity, stage, evidence)

    def _stage(self, sentence: str, hit: re.Match[str], published_at: datetime | None) -> str:
        near = sentence[max(0, hit.start() - _NEAR) : hit.end()]
        if self._stages.denied(near, sentence[hit.end() :]):
            return "denied"
        if self._stages.stale(sentence, published_at):
            return "stale"
        return "rumour" if self._stages.rumour(sentence, sentence[: hit.start()]) else "confirmed"


_ORDER = ("confirmed", "rumour", "stale", "denied")
