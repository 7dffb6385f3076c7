"""What the pages say: times, numbers and reasons in plain words."""

from __future__ import annotations

import doctest
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import ModuleType

import pytest

from dashboards import grids, theme, words
from dashboards.pages import frame
from monitor.alert import explain
from monitor.domain import Alert, AlertKind, AlertState, Dimension
from monitor.store.pages import Standing

NOW = datetime(2026, 3, 17, 12, tzinfo=UTC)


@pytest.mark.parametrize("module", [words, theme, grids])
def test_examples_hold(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted > 0 and result.failed == 0


def alert(kind: AlertKind, event: str, details: Mapping[str, object]) -> Alert:
    return Alert(
        id="a",
        fingerprint="f",
        kind=kind,
        state=AlertState.FIRING,
        dimension=Dimension.COMPANY,
        key="acme",
        event=event,
        severity=4,
        title="Acme",
        started_at=NOW,
        updated_at=NOW,
        decided_at=NOW,
        items=9,
        publishers=1,
        details=details,
    )


def test_surge_is_explained_against_its_baseline() -> None:
    details = {
        "observed": 9,
        "expected": 0.5,
        "z": 6.3,
        "window_minutes": 180,
        "items": 10,
        "usual_share": 0.35,
        "baseline_days": 14.0,
    }
    said = " ".join(explain.explain(alert(AlertKind.SURGE, "negative_surge", details), "Acme"))
    assert "9 negative items on Acme within 3 h" in said
    assert "90% of all items on it; usual is 35%" in said
    assert "0.50, 18.0 times that" in said
    assert "6.3 standard deviations" in said and "14 days" in said
    assert "1 publisher." in said


def test_surge_without_numbers_invents_none() -> None:
    assert explain.explain(alert(AlertKind.SURGE, "negative_surge", {}), "Acme") == [
        "Reported by 1 publisher."
    ]


def test_story_that_the_model_did_not_read_says_so() -> None:
    details = {
        "rule": "breach",
        "quote": "stolen",
        "score": None,
        "stage": "rumour",
        "denied": True,
    }
    said = " ".join(explain.explain(alert(AlertKind.STORY, "breach", details), "Acme"))
    assert "“breach” matched the words “stolen”" in said
    assert "did not read" in said and "rumour" in said and "denied" in said
    assert "0.00" not in said


def test_details_nobody_put_in_words_are_shown_as_they_are() -> None:
    assert words.rest({"z": 1.0, "peer": "Initech"}) == [("peer", "Initech")]


def test_no_data_is_never_zero() -> None:
    assert explain.score(float("nan")) == explain.score(None) == "no data"
    assert explain.score(0.0) == explain.score(-0.001) == "0.00"


@pytest.mark.parametrize(
    ("silent_s", "replay", "running", "said"),
    [
        (5, False, True, "running"),
        (5, True, True, "replaying"),
        (7200, False, False, "not running for 2 h"),
        (7200, True, False, "replay ended 2 h ago"),
    ],
)
def test_pulse(silent_s: float, replay: bool, running: bool, said: str) -> None:
    beat = NOW - timedelta(seconds=silent_s)
    assert frame.pulse(Standing(NOW, NOW, NOW, beat, replay), NOW) == (running, said)


def test_only_web_addresses_may_be_clicked() -> None:
    for url in (
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "//a.example",
        " http",
        3,
    ):
        assert grids.safe_link(url) is None
