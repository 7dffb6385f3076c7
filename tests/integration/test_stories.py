"""Stories a desk has been burnt by, through the whole pipeline: which alerts, and what is told of them."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import select
from typer.testing import CliRunner

from monitor.cli import app
from monitor.domain import Alert, AlertKind, AlertState
from monitor.store import Store, alerts
from monitor.store.schema import notifications

T0 = datetime(2025, 3, 3, 9, 0, tzinfo=UTC)
WATCHLIST = "name,aliases\nAldermoor Airways,Aldermoor\nCorvane Motors,Corvane\n"
GRACE_MIN = 5
FILLER = "Gold steady as traders wait"


@dataclass(frozen=True)
class Item:
    """A headline so many minutes after the start; ``day`` is that of its address, its own by default."""

    minute: float
    outlet: str
    title: str
    day: str = ""

    @property
    def row(self) -> tuple[str, str, str, str]:
        at = T0 + timedelta(minutes=self.minute)
        slug = "-".join(self.title.lower().split())
        day = self.day or f"{at:%Y/%m/%d}"
        url = f"https://{self.outlet}.example/{day}/{slug}"
        return f"{at:%Y-%m-%dT%H:%M:%SZ}", "", url, self.title


@dataclass(frozen=True)
class Desk:
    """The story alerts that people saw, and what they were told, in order."""

    alerts: tuple[Alert, ...]
    told: tuple[tuple[str, str], ...]  # alert id, reason

    @property
    def alert(self) -> Alert:
        (alert,) = self.alerts
        return alert

    @property
    def reasons(self) -> list[str]:
        return [reason for _, reason in self.told]

    @property
    def told_of(self) -> dict[str, list[str]]:
        """What was told of each fingerprint, in order; alerts of several have no order among them."""
        return {
            alert.fingerprint: [reason for id_, reason in self.told if id_ == alert.id]
            for alert in self.alerts
        }


def replay(folder: Path, items: Sequence[Item], name: str = "news", *options: str) -> Desk:
    """Replay items as recorded news, in the order given, with a later item so that all are decided."""
    (folder / "watchlist.csv").write_text(WATCHLIST, "utf-8")
    news = folder / f"{name}.csv"
    last = max(item.minute for item in items) + 60
    with open(news, "w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["published_at", "section", "id", "title"])
        writer.writerows(item.row for item in (*items, Item(last, "wire", FILLER)))
    url = f"sqlite:///{folder / name}.db"
    done = CliRunner().invoke(
        app,
        [
            *("replay", str(news), "--watchlist", str(folder / "watchlist.csv")),
            *("--db", url, "--json", *options),
        ],
    )
    assert done.exit_code == 0, done.output
    outcome = json.loads(done.stdout[done.stdout.index("{") :])
    assert outcome["dead"] == 0
    return desk(url)


def desk(url: str) -> Desk:
    store = Store(url)
    try:
        with store.read() as connection:
            rows = connection.execute(select(notifications).order_by(notifications.c.id)).all()
        seen = [
            alert
            for alert in alerts.latest(store, limit=100)
            if alert.kind is AlertKind.STORY and alert.state is not AlertState.PENDING
        ]
    finally:
        store.close()
    ids = {alert.id for alert in seen}
    told = tuple((row.alert_id, row.payload["reason"]) for row in rows if row.alert_id in ids)
    return Desk(tuple(sorted(seen, key=lambda alert: alert.started_at)), told)


def publishers(alert: Alert) -> list[str]:
    return [item.publisher for item in alert.evidence]


def marks(alert: Alert) -> list[str]:
    return [item.mark for item in alert.evidence]


def test_a_bankruptcy_story_years_old_with_a_new_date_fires_nothing(tmp_path: Path) -> None:
    told = replay(
        tmp_path,
        [
            Item(0, "aggregator", "Aldermoor Airways files for bankruptcy", day="2019/03/04"),
            Item(9, "tipsheet", "Aldermoor Airways files for bankruptcy"),
            Item(20, "wire", "Aldermoor says bankruptcy report is six years old, no new filing"),
            Item(
                40, "daily", "Aldermoor recovers most losses after old bankruptcy story resurfaces"
            ),
        ],
    )
    assert told == Desk((), ())


def test_a_report_of_last_quarter_with_a_new_date_fires_nothing(tmp_path: Path) -> None:
    title, day = "Aldermoor Airways files for bankruptcy", 24 * 60
    between = [Item(-at * day, "wire", f"Gold steady at {at} points") for at in range(92, 0, -2)]

    def seen(name: str, *items: Item) -> list[datetime]:
        every = sorted([*between, *items], key=lambda item: item.minute)
        return [alert.started_at for alert in replay(tmp_path, every, name).alerts]

    old, first = Item(-90 * day, "wire", title), T0 - timedelta(days=90)
    again = Item(0, "aggregator", title), Item(9, "tipsheet", f"UPDATE 1-{title}")
    assert seen("again", old, *again) == [first]
    # Told in other words it is news; so is what comes again within a month.
    news = Item(0, "wire", "Aldermoor Airways seeks bankruptcy protection after talks fail")
    assert seen("news", old, news) == [first, T0]
    late = Item(-20 * day, "wire", title)
    assert seen("late", late, *again) == [T0 - timedelta(days=20), T0]


def test_a_bankruptcy_report_then_denied(tmp_path: Path) -> None:
    told = replay(
        tmp_path,
        [
            Item(0, "wire", "Aldermoor Airways files for bankruptcy"),
            Item(30, "daily", "Aldermoor Airways denies it has filed for bankruptcy"),
            Item(45, "herald", "Aldermoor Airways denies bankruptcy"),
        ],
    )
    alert = told.alert
    assert (alert.title, alert.severity) == ("Aldermoor Airways: bankruptcy", 5)
    assert (alert.details["stage"], alert.details["denied"]) == ("confirmed", True)
    assert (alert.items, alert.publishers) == (3, 1)
    assert publishers(alert) == ["wire.example", "daily.example", "herald.example"]
    assert marks(alert) == ["", "denied", "denied"]
    assert told.reasons == ["new alert", "it is denied"]


def test_a_report_then_corrected(tmp_path: Path) -> None:
    told = replay(
        tmp_path,
        [
            Item(0, "wire", "Aldermoor Airways defaults on $900 mln of bonds"),
            Item(30, "wire", "CORRECTED-Aldermoor Airways defaults on $90 mln of bonds"),
            Item(50, "wire", "CORRECTED-UPDATE 1-Aldermoor Airways defaults on $90 mln of bonds"),
        ],
    )
    alert = told.alert
    assert (alert.title, alert.severity) == ("Aldermoor Airways: default", 5)
    assert alert.details["stage"] == "corrected"
    assert (alert.items, alert.publishers) == (3, 1)
    assert marks(alert) == ["", "amended", "amended"]
    assert told.reasons == ["new alert", "a report of it is corrected"]


def test_a_correction_of_a_report_nobody_saw_is_a_report(tmp_path: Path) -> None:
    told = replay(tmp_path, [Item(0, "wire", "CORRECTED-Aldermoor Airways files for bankruptcy")])
    assert (told.alert.title, told.alert.severity) == ("Aldermoor Airways: bankruptcy", 5)
    assert told.reasons == ["new alert"]


def test_a_report_then_withdrawn(tmp_path: Path) -> None:
    told = replay(
        tmp_path,
        [
            Item(0, "wire", "Aldermoor Airways files for bankruptcy"),
            Item(30, "wire", "(ADVISORY) Aldermoor Airways bankruptcy story withdrawn"),
            Item(35, "mirror", "Aldermoor Airways files for bankruptcy"),
            Item(40, "daily", "Wire withdraws its report on Aldermoor Airways bankruptcy"),
        ],
    )
    alert = told.alert
    assert (alert.title, alert.severity) == ("Aldermoor Airways: bankruptcy", 5)
    assert alert.details["stage"] == "withdrawn"
    assert (alert.items, alert.publishers) == (4, 1)  # the mirror is no second voice
    assert marks(alert) == ["", "revoked", "", "revoked"]
    assert told.reasons == ["new alert", "a report of it is withdrawn"]


def test_a_withdrawal_alone_is_no_alert(tmp_path: Path) -> None:
    title = "(ADVISORY) Aldermoor Airways bankruptcy story withdrawn"
    assert replay(tmp_path, [Item(0, "wire", title)]) == Desk((), ())


def test_a_severe_rumour_later_confirmed(tmp_path: Path) -> None:
    rumour = [Item(0, "wire", "Aldermoor Airways may file for bankruptcy - sources")]
    first = replay(tmp_path, rumour, "rumour")
    assert first.alert.title == "Aldermoor Airways: bankruptcy (unconfirmed)"
    assert first.alert.details["stage"] == "rumour"
    assert first.reasons == ["new alert"]

    told = replay(tmp_path, [*rumour, Item(50, "daily", "Aldermoor Airways files for bankruptcy")])
    alert = told.alert
    assert (alert.title, alert.severity) == ("Aldermoor Airways: bankruptcy", 5)
    assert alert.details["stage"] == "confirmed"
    assert (alert.items, alert.publishers) == (2, 2)
    assert publishers(alert) == ["wire.example", "daily.example"]
    assert marks(alert) == ["rumour", ""]
    assert told.reasons == ["new alert", "the rumour is confirmed"]


def test_fifty_copies_of_one_text_within_an_hour(tmp_path: Path) -> None:
    title = "Aldermoor Airways files for bankruptcy"
    told = replay(tmp_path, [Item(number, f"outlet{number}", title) for number in range(50)])
    alert = told.alert
    assert (alert.title, alert.severity) == ("Aldermoor Airways: bankruptcy", 5)
    assert alert.details["stage"] == "confirmed"
    assert alert.items == len(alert.evidence) == 50
    assert alert.publishers == 1  # who speaks for himself
    assert publishers(alert) == [f"outlet{number}.example" for number in range(50)]
    assert told.reasons == ["new alert"]


FEED = [
    Item(0, "wire", "Aldermoor Airways may file for bankruptcy - sources"),
    Item(2, "daily", "Aldermoor Airways files for bankruptcy"),
    Item(3, "herald", "UPDATE 1-Aldermoor Airways files for bankruptcy"),
    Item(4, "wire", "Explosion at Corvane Motors plant kills three workers"),
    Item(5, "post", "Corvane Motors accused of accounting fraud by prosecutors"),
    Item(6, "daily", "CORRECTED-Explosion at Corvane Motors plant kills two workers"),
    Item(40, "wire", "Aldermoor Airways denies it has filed for bankruptcy"),
    Item(41, "post", "Corvane Motors chief executive arrested in accounting fraud probe"),
]


def kept(desk: Desk) -> set[tuple[str, int, frozenset[tuple[str, str]]]]:
    """What must not depend on the order: fingerprint, final severity, evidence."""
    return {
        (
            alert.fingerprint,
            alert.severity,
            frozenset((item.article_id, item.mark) for item in alert.evidence),
        )
        for alert in desk.alerts
    }


def test_the_same_alerts_shuffled_twice_or_slower(tmp_path: Path) -> None:
    expected = replay(tmp_path, FEED, "once")
    assert len(kept(expected)) == len(expected.alerts) >= 3

    chance = random.Random(11)
    due = {item: item.minute + chance.uniform(0, GRACE_MIN) for item in FEED}
    shuffled = sorted(FEED, key=lambda item: due[item])
    assert shuffled != FEED
    assert kept(replay(tmp_path, shuffled, "shuffled")) == kept(expected)

    twice = [item for item in FEED for _ in range(2)]
    doubled = replay(tmp_path, twice, "twice")
    assert kept(doubled) == kept(expected)
    assert doubled.told_of == expected.told_of

    paced = replay(tmp_path, FEED, "paced", "--speed", "3600")
    assert kept(paced) == kept(expected)
    assert paced.told_of == expected.told_of
