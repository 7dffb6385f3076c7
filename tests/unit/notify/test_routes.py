"""Reading a routes file: what is inherited, what is refused and how it is said; and hours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.errors import ConfigError
from monitor.metrics import Metrics
from monitor.notify.build import follow_routes, load_routing
from monitor.notify.hours import read_days
from monitor.notify.routes import Routing
from monitor.notify.routesfile import read_routes
from monitor.settings import NotifySettings
from tests.unit.notify.desk import MovedClock

CHANNELS = frozenset({"desk", "pager"})
WHOLE = """
hours:
  night: {from: "22:00", to: "06:00", zone: Asia/Shanghai, days: [mon-fri]}
route:
  channels: [desk]
  group_by: [company, event]
  repeat_interval: 4h
  quiet_hours: night
  routes:
    - name: rates
      match: {group: [rates, credit], severity: ">=4"}
      channels: [pager]
      repeat_interval: null
      continue: true
      routes:
        - match: {event: "!strike"}
          digest: "07:30 Europe/London"
inhibit: []
"""


def read(folder: Path, text: str) -> Routing:
    file = folder / "routes.yaml"
    file.write_text(text)
    return read_routes(file, CHANNELS)


def test_a_child_has_what_its_parent_has_unless_it_says_otherwise(tmp_path: Path) -> None:
    routing = read(tmp_path, WHOLE)
    root, rates, daily = routing.root.walk()
    assert (rates.name, daily.name) == ("rates", "route.routes[0].routes[0]")
    assert root.group_wait == daily.group_wait == timedelta(seconds=30)  # as in Alertmanager
    assert root.repeat_interval == timedelta(hours=4)
    assert rates.repeat_interval is daily.repeat_interval is None
    assert daily.channels == ("pager",) and daily.quiet == root.quiet
    assert daily.group_by == ("company", "event")
    assert rates.go_on and not daily.go_on
    assert (
        routing.inhibit == () and routing.channels == CHANNELS and routing.digests == {daily.name}
    )


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", ":1: must be a mapping"),
        ("route: [", "not YAML"),
        ("hours: {}", "`route` is missing"),
        ("route: {channels: [mail]}", ":1: route.channels: no channel 'mail'.*desk, pager"),
        ("route:\n  channels: [desk]\n  chanels: []", ":3: route.chanels: no such key; .*channels"),
        ("route:\n  match: {severity: 3}\n", ":2: route.match: the root takes every alert"),
        (
            "route:\n  routes:\n    - match: {sevrity: 3}",
            r":3: route.routes\[0\].match.sevrity: no such key; .*severity",
        ),
        ("route:\n  routes:\n    - match: {severity: 9}", ":3: .*severity: .*1 to 5"),
        ("route: {group_wait: soon}", "route.group_wait: 'soon' is no duration"),
        ("route: {quiet_hours: night}", "route.quiet_hours: no hours 'night'"),
        (
            "hours: {n: {from: '25:00', to: '06:00', zone: UTC}}\nroute: {}",
            "hours.n.from: .*no time",
        ),
        (
            "hours: {n: {from: '22:00', to: '06:00', zone: Mars}}\nroute: {}",
            "hours.n.zone: .*no time",
        ),
        ("hours: {n: {from: '22:00', to: '06:00'}}\nroute: {}", "hours.n: `zone` is missing"),
        ("route: {digest: noon}", "route.digest: 'noon' is no time of day"),
        ("route: {escalate: [{after: 5m}]}", r"route.escalate\[0\]: `channels` is missing"),
        ("route: {send_resolved: 'yes'}", "route.send_resolved: 'yes' must be true or false"),
        ("route: {breaks_through: high}", "route.breaks_through: 'high' must be a severity"),
        ("route: {min_severity: 6}", "route.min_severity: 6 must be a severity from 1 to 5$"),
        (
            "route:\n  channels: [desk]\n  routes:\n    - channels: [desk]\n      channels: [pager]\n",
            ":5: `channels` is given on line 4 already; remove one",
        ),
        (
            "route:\n  routes:\n    - name: a\n    - match: {kind: story}\n      name: a\n",
            r":5: route.routes\[1\].name: 'a' is the name of the route on line 3; choose another",
        ),
        (
            "route:\n  name: top\n  routes:\n    - routes:\n      - name: top\n",
            ":5: .*'top' is the name of the route on line 2",
        ),
        ("route: {}\ninhibit: [{source: {kind: story}}]", r"inhibit\[0\]: `target` is missing"),
    ],
)
def test_a_wrong_file_is_refused_with_place_and_remedy(
    tmp_path: Path, text: str, error: str
) -> None:
    with pytest.raises(ConfigError, match=error):
        read(tmp_path, text)


def test_days_wrap_around_the_week() -> None:
    assert read_days("fri-mon") == {4, 5, 6, 0}
    with pytest.raises(ValueError, match="no day"):
        read_days(["someday"])


def test_hours_past_midnight_belong_to_the_day_they_begin(tmp_path: Path) -> None:
    night = read(tmp_path, WHOLE).root.quiet
    assert night is not None
    saturday = datetime(2026, 1, 10, 3, 0, tzinfo=UTC) - timedelta(hours=8)  # 03:00 in Shanghai
    assert night.holds(saturday) and not night.holds(saturday + timedelta(days=1))
    assert night.ends(saturday) == saturday + timedelta(hours=3)
    assert night.next(saturday + timedelta(hours=12)).weekday() == 0


def test_a_changed_file_is_followed_and_a_wrong_one_is_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "routes.yaml"
    file.write_text("route: {channels: [desk]}")
    clock, metrics = MovedClock(), Metrics()
    settings = NotifySettings(routes=file, **{})
    routing = follow_routes(settings, CHANNELS, clock, metrics)
    first = metrics.routes.hash._value.get()
    file.write_text("route: {channels: [nobody]}")
    assert routing().root.channels == ("desk",)  # not looked at again so soon
    clock.time += timedelta(seconds=10)
    assert routing().root.channels == ("desk",)
    assert "no channel 'nobody'" in caplog.text
    assert metrics.routes.ok._value.get() == 0 and metrics.routes.hash._value.get() == first
    file.write_text("route: {channels: [pager]}")
    clock.time += timedelta(seconds=10)
    assert routing().root.channels == ("pager",)
    assert metrics.routes.ok._value.get() == 1 and metrics.routes.hash._value.get() != first


def test_without_a_file_all_channels_hear() -> None:
    assert load_routing(NotifySettings(**{}), CHANNELS).root.channels == ("desk", "pager")
