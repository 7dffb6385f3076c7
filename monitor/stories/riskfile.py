"""Reading a risk pack's YAML: every mistake is named with file, rule and what to change."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monitor.entities.fold import fold, is_unspaced
from monitor.errors import ConfigError
from monitor.stories.literals import required_literals
from monitor.stories.rules import STAGE_PLACES, Grade, PackFile, RiskPattern, RiskRule
from monitor.yamlfile import read_yaml

POLARITIES = ("negative", "any", "either", "positive")
ABOUT = ("any", "before", "after")
COMPARISONS = ("below", "above")
CONFIDENCE = 0.8  # of a rule whose precision nobody measured
_SHARED = ("version", "stages", "ignore", "episodes", "companies_only")  # once in all files
_TOP = {*_SHARED, "rules"}
_RULE = {
    "id",
    "event",
    "label",
    "family",
    "severity",
    "polarity",
    "confidence",
    "compare",
    "looks_back",
    "about",
    "grades",
    "en",
    "zh",
    "exclude",
    "resolved",
    "samples",
    "not",
}
_GRADE = {"if", "severity", "least", "below"}
_NEEDED = ("id", "label", "family", "severity", "samples", "not")
# A word boundary, except beside a pattern that itself begins or ends with a space or a sign.
_LEFT = r"(?:(?<![a-z0-9])|(?![a-z0-9]))"
_RIGHT = r"(?:(?![a-z0-9])|(?<![a-z0-9]))"


def read_pack(path: Path) -> PackFile:
    """Read a pack: one YAML file, or a folder of them read in the order of their names.

    The files of a folder share one pack: each may hold rules; one gives `version`, one `stages`,
    one `ignore`, one `episodes`, one `companies_only`.

    Raises
    ------
    ConfigError
        With the file, the rule and what to change.
    """
    paths = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
    if not paths:
        raise ConfigError(f"{path}: the folder holds no *.yaml file; put the pack's files there")
    texts: list[str] = []
    rules: dict[str, RiskRule] = {}
    shared: dict[str, Any] = {}
    given: dict[str, Path] = {}
    for file in paths:
        text, top = _load(file)
        texts.append(text)
        for key in _SHARED:
            if key in top:
                if key in given:
                    raise ConfigError(
                        f"{file}: `{key}` is given in {given[key]} already; keep one of them"
                    )
                given[key] = file
                shared[key] = top[key]
        for place, raw in enumerate(_rules(file, top), 1):
            rule = _rule(file, place, raw)
            if rule.id in rules:
                raise ConfigError(f"{file}: rule `{rule.id}` is given twice; rename or remove one")
            rules[rule.id] = rule
    if not rules:
        raise ConfigError(f"{path}: `rules` must be a list of at least one rule")
    families = {rule.family for rule in rules.values()}
    return PackFile(
        text="\0".join(texts),
        version=str(shared.get("version", "")),
        rules=tuple(rules.values()),
        stages=_stages(given.get("stages", path), shared.get("stages")),
        ignore=_signals(f"{given.get('ignore', path)}: ignore", shared.get("ignore")),
        episodes=_episodes(
            f"{given.get('episodes', path)}: episodes",
            shared.get("episodes") or {},
            families,
        ),
        companies_only=_families(
            f"{given.get('companies_only', path)}: companies_only",
            shared.get("companies_only"),
            families,
        ),
    )


def _load(path: Path) -> tuple[str, Mapping[str, Any]]:
    file = read_yaml(path, "the risk pack", "check the path", "put patterns in single quotes")
    return file.text, _mapping(f"{path}", file.data, _TOP)


def _rules(path: Path, top: Mapping[str, Any]) -> Sequence[object]:
    raw = top.get("rules", [])
    if not isinstance(raw, list):
        raise ConfigError(f"{path}: `rules` must be a list of at least one rule")
    return raw


def _stages(path: Path, raw: object) -> Mapping[str, tuple[RiskPattern, ...]]:
    cells = _mapping(f"{path}: stages", raw or {}, set(STAGE_PLACES))
    return {place: _signals(f"{path}: stages.{place}", cells.get(place)) for place in STAGE_PLACES}


def _episodes(where: str, raw: object, families: set[str]) -> Mapping[str, str]:
    """Return the episode of each family that is part of one."""
    if not isinstance(raw, dict):
        raise ConfigError(f"{where}: must map the name of an episode to a list of families")
    found: dict[str, str] = {}
    for name, listed in raw.items():
        for family in _families(f"{where}.{name}", listed, families):
            if found.setdefault(family, str(name)) != name:
                raise ConfigError(f"{where}.{name}: {family!r} is in {found[family]!r} already")
    return found


def _families(where: str, listed: object, known: set[str]) -> frozenset[str]:
    families = frozenset(_texts(where, listed))
    if unknown := sorted(families - known):
        raise ConfigError(f"{where}: no rule has the family {unknown[0]!r}")
    return families


def _rule(path: Path, place: int, raw: object) -> RiskRule:
    name = raw.get("id") if isinstance(raw, dict) else None
    where = f"{path}: rule `{name}`" if name else f"{path}: rule number {place}"
    cells = _mapping(where, raw, _RULE)
    if missing := [key for key in _NEEDED if key not in cells]:
        raise ConfigError(f"{where}: `{missing[0]}` is missing; a rule needs {', '.join(_NEEDED)}")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", str(name)):
        raise ConfigError(f"{where}: `id` must be lower-case letters, digits and underscores")
    compare = _one_of(where, cells, "compare", COMPARISONS, None)
    patterns = tuple(
        _pattern(f"{where}: {language}", source)
        for language in ("en", "zh")
        for source in _texts(f"{where}: {language}", cells.get(language))
    )
    if not patterns:
        raise ConfigError(f"{where}: no pattern; give a list under `en` or `zh`")
    for pattern in patterns:
        if compare and not {"actual", "expected"} <= set(pattern.regex.groupindex):
            raise ConfigError(
                f"{where}: pattern {pattern.source!r} must name the two numbers that `compare` "
                "compares: (?P<actual>...) and (?P<expected>...)"
            )
    return RiskRule(
        id=str(name),
        event=str(cells.get("event", name)),
        label=str(cells["label"]),
        family=str(cells["family"]),
        severity=_severity(where, cells["severity"]),
        polarity=str(_one_of(where, cells, "polarity", POLARITIES, "negative")),
        confidence=_confidence(where, cells.get("confidence", CONFIDENCE)),
        compare=compare,
        looks_back=_flag(where, cells, "looks_back"),
        about=str(_one_of(where, cells, "about", ABOUT, "any")),
        grades=_grades(f"{where}: grades", cells.get("grades", [])),
        patterns=patterns,
        exclude=_union(f"{where}: exclude", cells.get("exclude")),
        resolved=_union(f"{where}: resolved", cells.get("resolved")),
        samples=_samples(f"{where}: samples", cells["samples"]),
        not_samples=_samples(f"{where}: not", cells["not"]),
    )


def _grades(where: str, raw: object) -> tuple[Grade, ...]:
    if not isinstance(raw, list):
        raise ConfigError(
            f"{where}: must be a list of {{if, severity}}, the first that holds counts"
        )
    grades = []
    for number, entry in enumerate(raw, 1):
        at = f"{where}: number {number}"
        cells = _mapping(at, entry, _GRADE)
        if "if" not in cells or "severity" not in cells:
            raise ConfigError(f"{at}: `if` (a pattern) and `severity` are needed")
        regex = _compile(at, str(cells["if"]))
        bounds = [cells.get(name) for name in ("least", "below")]
        if any(bound is not None for bound in bounds):
            if "number" not in regex.groupindex:
                raise ConfigError(
                    f"{at}: `if` must name the number that is compared: (?P<number>...)"
                )
            if not all(bound is None or type(bound) in (int, float) for bound in bounds):
                raise ConfigError(f"{at}: `least` and `below` must be numbers")
        least, below = (None if bound is None else float(bound) for bound in bounds)
        grades.append(Grade(regex, _severity(at, cells["severity"]), least, below))
    return tuple(grades)


def _severity(where: str, raw: object) -> int:
    if type(raw) is not int or not 1 <= raw <= 5:
        raise ConfigError(
            f"{where}: severity {raw!r} must be a whole number from 1 (notable) to 5 (existential)"
        )
    return raw


def _confidence(where: str, raw: object) -> float:
    if type(raw) not in (int, float) or not 0 < float(str(raw)) <= 1:
        raise ConfigError(
            f"{where}: confidence {raw!r} must be a number above 0 and at most 1: the share of "
            "its matches that are right"
        )
    return float(str(raw))


def _one_of(
    where: str, cells: Mapping[str, Any], key: str, known: tuple[str, ...], default: str | None
) -> str | None:
    value = cells.get(key, default)
    if value is not default and value not in known:
        raise ConfigError(f"{where}: {key} {value!r} must be one of {', '.join(known)}")
    return None if value is None else str(value)


def _flag(where: str, cells: Mapping[str, Any], key: str) -> bool:
    value = cells.get(key, False)
    if not isinstance(value, bool):
        raise ConfigError(f"{where}: {key} {value!r} must be true or false")
    return value


def _samples(where: str, raw: object) -> tuple[str, ...]:
    texts = tuple(_texts(where, raw))
    if not texts:
        raise ConfigError(f"{where}: give at least one text")
    return texts


def _pattern(where: str, source: str) -> RiskPattern:
    pattern = _signal(where, source, left=False)
    short = [each for each in pattern.literals if len(each) < (1 if is_unspaced(each[0]) else 3)]
    if not pattern.literals or short:
        raise ConfigError(
            f"{where}: pattern {source!r} has no literal that every match contains; write at "
            "least three letters "
            "(or one Chinese character) in a row outside of optional parts"
        )
    return pattern


def _signals(where: str, sources: object) -> tuple[RiskPattern, ...]:
    return tuple(_signal(where, source, left=True) for source in _texts(where, sources))


def _signal(where: str, source: str, left: bool) -> RiskPattern:
    """Compile one pattern; without ``left``, the word boundary before it is the searcher's."""
    whole = _compile(where, source)
    unspaced = any(map(is_unspaced, source))
    regex = whole if left or unspaced else re.compile(f"(?:{source}){_RIGHT}")
    return RiskPattern(source, regex, frozenset(required_literals(source)), not unspaced)


def _union(where: str, sources: object) -> re.Pattern[str] | None:
    """Compile a list of patterns into one; ``None`` for an empty list."""
    parts = [_compile(where, source).pattern for source in _texts(where, sources)]
    return re.compile("|".join(parts)) if parts else None


def _compile(where: str, source: str) -> re.Pattern[str]:
    plain = re.sub(r"\\.|\(\?P<\w+>", "", source)
    if plain != fold(plain):
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
