"""Reading a risk pack's YAML: every mistake is named with file, rule and what to change."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from monitor.entities.fold import fold, is_unspaced
from monitor.errors import ConfigError
from monitor.stories.literals import required_literals

POLARITIES = ("negative", "any")
_TOP = {"version", "stages", "ignore", "rules"}
_STAGES = {"denied", "denied_after", "rumour", "rumour_before", "stale"}
_RULE = {
    "id",
    "event",
    "label",
    "family",
    "severity",
    "polarity",
    "en",
    "zh",
    "exclude",
    "sample",
    "not_sample",
}
_NEEDED = ("id", "label", "family", "severity", "sample", "not_sample")
# A word boundary, except beside a pattern that itself begins or ends with a space or a sign.
_LEFT = r"(?:(?<![a-z0-9])|(?![a-z0-9]))"
_RIGHT = r"(?:(?![a-z0-9])|(?<![a-z0-9]))"
_YEAR = re.compile(
    r"(?:\bin |\bback in |'s |^)((?:19|20)\d\d)(?!\d)"
    r"(?! (?:results|sales|targets?|outlook|guidance))"
)
_ZH_YEAR = re.compile(r"((?:19|20)\d\d)年(?!\d)")


@dataclass(frozen=True)
class RiskPattern:
    """One compiled pattern, and the literals one of which every match contains."""

    regex: re.Pattern[str]
    literals: frozenset[str]


@dataclass(frozen=True, eq=False)
class RiskRule:
    """One rule of the pack.

    ``polarity`` is "negative", or "any" when the event may as well be good news (a takeover): an
    alert then asks the sentiment. ``event`` is the type that alerts group by; several rules may
    share one.
    """

    id: str
    event: str
    label: str
    family: str
    severity: int
    polarity: str
    patterns: tuple[RiskPattern, ...]
    exclude: re.Pattern[str] | None
    samples: tuple[str, ...]
    not_samples: tuple[str, ...]

    def excludes(self, sentence: str) -> bool:
        return self.exclude is not None and self.exclude.search(sentence) is not None


@dataclass(frozen=True)
class Stages:
    """The words that make an event denied, a rumour or old, and the texts that are never news of an
    event.
    """

    denied_before_regex: re.Pattern[str]
    denied_after_regex: re.Pattern[str]
    rumour_regex: re.Pattern[str]
    rumour_before_regex: re.Pattern[str]
    stale_regex: re.Pattern[str]
    ignore_regex: re.Pattern[str]

    def denied(self, before: str, after: str) -> bool:
        return bool(self.denied_before_regex.search(before) or self.denied_after_regex.match(after))

    def rumour(self, sentence: str, before: str) -> bool:
        return bool(self.rumour_regex.search(sentence) or self.rumour_before_regex.search(before))

    def stale(self, sentence: str, published_at: datetime | None) -> bool:
        if self.stale_regex.search(sentence):
            return True
        if published_at is None:
            return False
        years = [*_YEAR.findall(sentence), *_ZH_YEAR.findall(sentence)]
        return bool(years) and max(map(int, years)) < published_at.year

    def ignored(self, text: str) -> bool:
        return self.ignore_regex.search(text) is not None


def parse_pack(path: Path) -> tuple[str, str, tuple[RiskRule, ...], Stages]:
    """Return the text, version, rules and stages of a pack file.

    Raises
    ------
    ConfigError
        With the file, the rule and what to change.
    """
    try:
        text = path.read_text("utf-8")
        data = yaml.safe_load(text)
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot read the risk pack: {error.strerror}; check the path"
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8"
        ) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise ConfigError(
            f"{path}:{line}: not YAML: {problem}; put patterns in single quotes"
        ) from None
    top = _mapping(f"{path}", data, _TOP)
    if not isinstance(top.get("rules"), list) or not top["rules"]:
        raise ConfigError(f"{path}: `rules` must be a list of at least one rule")
    rules = tuple(_rule(path, place, raw) for place, raw in enumerate(top["rules"], 1))
    ids = [rule.id for rule in rules]
    if doubled := [each for each in ids if ids.count(each) > 1]:
        raise ConfigError(f"{path}: rule `{doubled[0]}` is given twice; rename or remove one")
    return text, str(top.get("version", "")), rules, _stages(path, top)


def _stages(path: Path, top: Mapping[str, Any]) -> Stages:
    stages = _mapping(f"{path}: stages", top.get("stages") or {}, _STAGES)
    return Stages(
        _union(f"{path}: stages.denied", stages.get("denied")),
        _union(f"{path}: stages.denied_after", stages.get("denied_after")),
        _union(f"{path}: stages.rumour", stages.get("rumour")),
        _union(f"{path}: stages.rumour_before", stages.get("rumour_before")),
        _union(f"{path}: stages.stale", stages.get("stale")),
        _union(f"{path}: ignore", top.get("ignore")),
    )


def _rule(path: Path, place: int, raw: object) -> RiskRule:
    name = raw.get("id") if isinstance(raw, dict) else None
    where = f"{path}: rule `{name}`" if name else f"{path}: rule number {place}"
    cells = _mapping(where, raw, _RULE)
    if missing := [key for key in _NEEDED if key not in cells]:
        raise ConfigError(f"{where}: `{missing[0]}` is missing; a rule needs {', '.join(_NEEDED)}")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", str(name)):
        raise ConfigError(f"{where}: `id` must be lower-case letters, digits and underscores")
    severity = cells["severity"]
    if type(severity) is not int or not 1 <= severity <= 5:
        raise ConfigError(
            f"{where}: severity {severity!r} must be a whole number from 1 (notable) to 5 "
            "(existential)"
        )
    polarity = cells.get("polarity", "negative")
    if polarity not in POLARITIES:
        raise ConfigError(f"{where}: polarity {polarity!r} must be one of {', '.join(POLARITIES)}")
    patterns = tuple(
        _pattern(f"{where}: {language}", source)
        for language in ("en", "zh")
        for source in _texts(f"{where}: {language}", cells.get(language))
    )
    if not patterns:
        raise ConfigError(f"{where}: no pattern; give a list under `en` or `zh`")
    exclude = cells.get("exclude")
    return RiskRule(
        id=str(name),
        event=str(cells.get("event", name)),
        label=str(cells["label"]),
        family=str(cells["family"]),
        severity=severity,
        polarity=polarity,
        patterns=patterns,
        exclude=_union(f"{where}: exclude", exclude) if exclude else None,
        samples=tuple(_texts(f"{where}: sample", cells["sample"])),
        not_samples=tuple(_texts(f"{where}: not_sample", cells["not_sample"])),
    )


def _pattern(where: str, source: str) -> RiskPattern:
    regex = _compile(where, source)
    literals = required_literals(source)
    if not literals or any(len(each) < (1 if is_unspaced(each[0]) else 3) for each in literals):
        raise ConfigError(
            f"{where}: pattern {source!r} has no literal that every match contains; write at "
            "least three letters "
            "(or one Chinese character) in a row outside of optional parts"
        )
    return RiskPattern(regex, frozenset(literals))


def _union(where: str, sources: object) -> re.Pattern[str]:
    """Compile a list of patterns into one; an empty list matches nothing."""
    parts = [_compile(where, source).pattern for source in _texts(where, sources)]
    return re.compile("|".join(parts) or r"(?!)")


def _compile(where: str, source: str) -> re.Pattern[str]:
    if re.sub(r"\\.", "", source) != fold(re.sub(r"\\.", "", source)):
        raise ConfigError(
            f"{where}: pattern {source!r} must be in lower case, with plain quotes and hyphens"
        )
    unspaced = any(map(is_unspaced, source))
    left, right = ("", "") if unspaced else (_LEFT, _RIGHT)
    try:
        return re.compile(f"{left}(?:{source}){right}")
    except re.error as error:
        raise ConfigError(
            f"{where}: pattern {source!r} is not a regular expression: {error}; correct it"
        ) from None


def _mapping(where: str, raw: object, known: set[str]) -> Mapping[str, Any]:
    if not isinstance(raw, dict):
        raise ConfigError(f"{where}: must be a mapping of keys, not {type(raw).__name__}")
    if unknown := [str(key) for key in raw if key not in known]:
        raise ConfigError(
            f"{where}: unknown key `{unknown[0]}`; known keys are {', '.join(sorted(known))}"
        )
    return raw


def _texts(where: str, raw: object) -> Sequence[str]:
    if raw is None:
        return ()
    if isinstance(raw, str):
        return (raw,)
    if not isinstance(raw, list) or not all(isinstance(each, str) for each in raw):
        raise ConfigError(
            f"{where}: must be a list of texts; put quotes around numbers and `yes`/`no`"
        )
    return raw
