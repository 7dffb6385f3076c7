"""The alert rules in use, which follow their files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from monitor.alert.rulefile import files_of
from monitor.alert.ruleset import RuleSet
from monitor.clock import Clock
from monitor.metrics import Metrics
from monitor.reload import Followed

RuleBook = Followed[RuleSet]


def rule_book(
    load: Callable[[], RuleSet], path: Path | None, wall: Clock, metrics: Metrics
) -> RuleBook:
    """Return the rules, read again when a file changes.

    Parameters
    ----------
    load
        Reads the rules; raises `ConfigError` when they are wrong.
    path
        The file or folder that is looked at; ``None``: these rules do not change.
    """
    return Followed(
        load,
        lambda: () if path is None else files_of(path),
        lambda rules: rules.hash,
        wall,
        metrics.rules,
    )
