"""The literals that any match of a regular expression must contain, for a cheap first look at a
text.

The idea is that of Russ Cox, "Regular Expression Matching with a Trigram Index" (2012): from the
syntax tree of an expression, derive strings one of which every match contains.
"""

from __future__ import annotations

from collections.abc import Iterable
from re import _constants as op  # type: ignore[attr-defined, unused-ignore]
from re import _parser as parser  # type: ignore[attr-defined, unused-ignore]
from typing import Any

MOST = 64  # spellings of one run


def required_literals(pattern: str) -> frozenset[str]:
    """Return strings one of which occurs in every match of ``pattern``; empty when there are none.

    Raises
    ------
    re.error
        The pattern is not a regular expression.

    Examples
    --------
    >>> sorted(required_literals("(?:recalls?|withdraw(?:s|n)) .* cars"))
    ['recall ', 'recalls ', 'withdrawn ', 'withdraws ']
    >>> required_literals("[0-9]+")
    frozenset()
    """
    return _best(_candidates(parser.parse(pattern)))


def _candidates(sequence: Iterable[Any]) -> list[frozenset[str]]:
    """Sets of literals, each of which every match of the sequence must hold one of."""
    found: list[frozenset[str]] = []
    run = frozenset([""])
    for item in sequence:
        spelled = _spelled(item)
        longer = _joined(run, spelled) if spelled is not None else None
        if longer is not None:
            run = longer
            continue
        found.append(run)
        run = frozenset([""]) if spelled is None else spelled
        code, value = item
        if code is op.SUBPATTERN:
            found += _candidates(value[-1])
        elif code in (op.MAX_REPEAT, op.MIN_REPEAT) and value[0] >= 1:
            found += _candidates(value[2])
        elif code is op.BRANCH:
            branches = [_best(_candidates(branch)) for branch in value[1]]
            if all(branches):
                found.append(frozenset().union(*branches))
    found.append(run)
    return [each for each in found if "" not in each]


def _spelled(item: tuple[Any, Any]) -> frozenset[str] | None:
    """Every text an item can match, when they are few and finite."""
    code, value = item
    if code is op.LITERAL:
        return frozenset([chr(value)])
    if code in (op.AT, op.ASSERT, op.ASSERT_NOT):
        return frozenset([""])
    if code is op.IN and all(kind is op.LITERAL for kind, _ in value):
        return frozenset(chr(char) for _, char in value)
    if code is op.SUBPATTERN:
        return _spelled_all(value[-1])
    if code is op.MAX_REPEAT and value[:2] == (0, 1):
        inner = _spelled_all(value[2])
        return None if inner is None else inner | {""}
    if code is op.BRANCH:
        branches = [_spelled_all(branch) for branch in value[1]]
        if any(branch is None for branch in branches):
            return None
        return frozenset().union(*(branch for branch in branches if branch))
    return None


def _spelled_all(sequence: Iterable[Any]) -> frozenset[str] | None:
    texts: frozenset[str] | None = frozenset([""])
    for item in sequence:
        more = _spelled(item)
        texts = None if texts is None or more is None else _joined(texts, more)
    return texts


def _joined(first: frozenset[str], second: frozenset[str]) -> frozenset[str] | None:
    if len(first) * len(second) > MOST:
        return None
    return frozenset(one + other for one in first for other in second)


def _best(candidates: list[frozenset[str]]) -> frozenset[str]:
    """The set that rules out most: its shortest literal is long, then the literals are few."""
    return max(
        candidates, key=lambda each: (min(6, *map(len, each), 6), -len(each)), default=frozenset()
    )
