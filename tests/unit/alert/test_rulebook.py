"""Rules follow their file; a wrong file changes nothing."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from monitor.alert.rulebind import World, load_rules
from monitor.alert.rulebook import rule_book
from monitor.clock import ReplayClock
from monitor.metrics import Metrics
from monitor.reload import LOOK_EVERY
from tests.support.make import T0


def rule(name: str) -> str:
    return f"rules: [{{name: {name}, kind: story, description: d}}]"


def test_rules_follow_their_file_and_a_wrong_file_changes_nothing(
    tmp_path: Path, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    file, wall, metrics = tmp_path / "rules.yaml", ReplayClock(None), Metrics()
    wall.advance_to(T0)
    file.write_text(rule("first"), "utf-8")
    book = rule_book(lambda: load_rules(file, world), file, wall, metrics)

    def after_a_look() -> tuple[list[str], float, float, float]:
        wall.advance_to(wall.now() + LOOK_EVERY)
        book.refresh()
        gauges = (metrics.rules.ok, metrics.rules.at, metrics.rules.hash)
        ok, at, hash_ = (gauge._value.get() for gauge in gauges)
        return [each.name for each in book.value], ok, at, hash_

    began = T0.timestamp()
    names, ok, at, first_hash = after_a_look()
    assert (names, ok, at) == (["first"], 1.0, began)

    file.write_text(rule("second") + "  # a comment", "utf-8")
    book.refresh()  # too soon for another look
    assert [each.name for each in book.value] == ["first"]
    names, ok, at, second_hash = after_a_look()
    assert (names, ok, at) == (["second"], 1.0, (T0 + 2 * LOOK_EVERY).timestamp())
    assert second_hash != first_hash

    file.write_text("rules: [{name: third, kind: stories}]", "utf-8")
    with caplog.at_level(logging.ERROR):
        seen = [after_a_look() for _ in range(3)]
    assert seen == [(["second"], 0.0, at, second_hash)] * 3
    (record,) = caplog.records
    assert f"{file}:1: " in record.getMessage()
    assert "what was read before stays in use" in record.getMessage()

    file.unlink()
    assert after_a_look()[:2] == (["second"], 0.0)
    file.write_text(rule("fourth"), "utf-8")
    assert after_a_look()[:2] == (["fourth"], 1.0)
