"""``foreshock rules``, as a person types it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from monitor.alert.rulebind import load_rules
from monitor.cli import app
from monitor.clock import ReplayClock
from monitor.domain import AlertKind, ClassifiedArticle
from monitor.service import names_of, open_outside, world_of
from monitor.settings import load_settings
from monitor.store import alerts, articles
from tests.support.desk import Desk
from tests.support.make import T0, classified, risk

RULES = """
rules:
  - {name: grave, kind: story, description: d, min_severity: 4}
  - {name: any, kind: story, description: d, min_severity: 1}
  - {name: bad, kind: surge, description: d}
  - {name: two, kind: compound, description: t, all: [grave, bad], within_hours: 48}
  - {name: dead, kind: absence, description: d, silent_hours: 5}
"""
FEWER = "rules: [{name: grave, kind: story, description: d, min_severity: 4}]"
WATCHLIST = "name,aliases\nAcme,\nZenith,\n"
DAY = timedelta(days=1)
BEGIN = T0.replace(hour=0)
TROUBLE = BEGIN + 10 * DAY


def foreshock(*arguments: object) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)))


def news() -> list[ClassifiedArticle]:
    """Ten quiet days, then three stories and a burst of bad news of one company."""
    quiet = [
        classified(
            f"quiet {hour}",
            f"Report {hour}",
            published_at=BEGIN + timedelta(hours=hour),
            sentiment="negative" if hour % 5 == 0 else "neutral",
            score=-0.4 if hour % 5 == 0 else 0.0,
        )
        for hour in range(0, 240, 3)
    ]
    stories = [
        classified(
            name,
            name,
            published_at=TROUBLE + timedelta(hours=hour),
            companies=(company,),
            score=-0.9,
            risks=[risk(event, severity)],
        )
        for name, hour, company, event, severity in (
            ("a", 1, "acme", "bankruptcy", 5),
            ("b", 2, "zenith", "recall", 2),
            ("c", 9, "acme", "recall", 3),
        )
    ]
    burst = [
        classified(
            f"burst {n}", f"Plant {n} shut", published_at=TROUBLE + timedelta(hours=3, minutes=n)
        )
        for n in range(12)
    ]
    return [*quiet, *stories, *burst]


@dataclass(frozen=True)
class Place:
    folder: Path
    db: str

    @property
    def where(self) -> list[object]:
        return ["--db", self.db, "--watchlist", self.folder / "watchlist.csv", "--json"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A store in which the alert stage looked at the news, with the rules, in a few turns."""
    tmp_path = tmp_path_factory.mktemp("rules")
    (tmp_path / "watchlist.csv").write_text(WATCHLIST, "utf-8")
    (tmp_path / "rules.yaml").write_text(RULES, "utf-8")
    (tmp_path / "fewer.yaml").write_text(FEWER, "utf-8")
    place = Place(tmp_path, f"sqlite:///{tmp_path / 'live.db'}")
    settings = load_settings(
        None,
        {"store": {"url": place.db}, "watchlist": {"path": tmp_path / "watchlist.csv"}},
    )
    outside = open_outside(settings, ReplayClock(None))
    rules = load_rules(tmp_path / "rules.yaml", world_of(settings, outside.companies))
    desk = Desk(outside.store, outside.broker, rules, names_of(settings, outside.companies))
    items = sorted(news(), key=lambda item: item.article.ingested_at)
    for begin in range(0, len(items), 17):
        part = items[begin : begin + 17]
        desk.tell(part, part[-1].article.ingested_at)
    found = desk.tell([], TROUBLE + DAY)
    assert {alert.kind for alert in found} == set(AlertKind)
    yield place
    assert alerts.latest(outside.store) == found, "rules test must not write"
    assert articles.count(outside.store) == len(items)
    outside.broker.close()
    outside.store.close()


def test_what_rules_would_have_fired_is_what_they_did_fire(place: Place) -> None:
    span = ["--from", f"{TROUBLE:%Y-%m-%d}", "--to", f"{TROUBLE + DAY:%Y-%m-%dT%H:%M}"]
    done = foreshock("rules", "test", place.folder / "rules.yaml", *span, *place.where)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["would_fire"] == found["fired"]
    assert len(found["same"]) == len(found["fired"]) >= 5


def test_what_other_rules_would_have_fired_stands_beside_it(place: Place) -> None:
    fewer = ["rules", "test", place.folder / "fewer.yaml"]
    found = json.loads(foreshock(*fewer, *place.where).stdout)
    assert [alert["details"]["rules"].keys() for alert in found["would_fire"]] == [{"grave"}]
    assert len(found["same"]) == 1 < len(found["fired"])
    text = foreshock(*fewer, *place.where[:-1]).stdout
    assert "Fired, and not by these rules:" in text
    assert f"by these rules 1, fired {len(found['fired'])}, of both 1" in text


def test_a_span_that_is_none_is_told(place: Place) -> None:
    rules = place.folder / "rules.yaml"
    done = foreshock("rules", "test", rules, "--from", "2027-01-01", *place.where)
    assert done.exit_code == 2
    assert "is not before --to" in done.output
    done = foreshock("rules", "test", rules, "--from", "monday", *place.where)
    assert "--from monday: write a date" in done.output


def test_check_and_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES, "utf-8")
    assert f"{rules}: in order" in foreshock("rules", "check", rules).output
    names = [
        rule["name"] for rule in json.loads(foreshock("rules", "list", "--json").output)["rules"]
    ]
    assert names == ["company-trouble", "negative-surge"]
    (tmp_path / "foreshock.toml").write_text('[alert]\nrules = "rules.yaml"\n', "utf-8")
    assert "compound" in foreshock("rules", "list").output
    rules.write_text(RULES.replace("grave, kind", "grave, kid"), "utf-8")
    wrong = foreshock("rules", "check", rules)
    assert wrong.exit_code == 2
    assert f"{rules}:3: " in wrong.output
