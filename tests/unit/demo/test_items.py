"""The demo's content: complete, consistent, and nobody's real name."""

import csv
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from monitor.demo.feed import CAP, END, START, WATCHLIST, DemoItem, load_items
from monitor.demo.items import visible
from monitor.demo.outlets import OUTLETS
from monitor.demo.page import load_backgrounds, plain_text
from monitor.errors import ConfigError

ITEMS = load_items()
BY_ID = {item.id: item for item in ITEMS}
COMPANIES = list(csv.DictReader(WATCHLIST.read_text(encoding="utf-8").splitlines()))
EXPECTED = yaml.safe_load(WATCHLIST.with_name("expected.yaml").read_text(encoding="utf-8"))

# Listed companies, banks, regulators, agencies and outlets whose names must not slip in.
REAL_NAMES = """
Alphabet,Amazon,Apple,Barclays,Bear Stearns,Bloomberg,Boeing,Brinker,Citigroup,Credit Suisse,CNBC
Delta Air,Deutsche Bank,Dow Jones,Equifax,Ericsson,Exxon,FDIC,Federal Reserve,Ferrari,Ferro,Fitch
Financial Times,First Republic,General Motors,Goldman,HSBC,Halfords,Havells,Huawei,Infineon,Intel
JPMorgan,Kraft,Lehman,Lufthansa,Lumen,Marketwired,Meta,Microsoft,Mondelez,Moody's,Morgan Stanley
Nasdaq,Nestle,Nikkei,Northern Rock,Novartis,Nvidia,Peloton,Pfizer,PR Newswire,Business Wire,Reuters
Qualcomm,Ryanair,S&P,Samsung,SEC,Shell,Siemens,Signature Bank,Silicon Valley Bank,Sony,Sundance
Tefal,Tesla,Toyota,UBS,Unilever,United Airlines,UnitedHealth,Velodyne,Verizon,Vodafone,Volkswagen
Wells Fargo,Wall Street Journal,Xinhua,新华社,比亚迪,蔚来,华为,中芯国际,财新,东方财富,宁德时代
"""


def names_of(row: dict[str, str]) -> list[str]:
    return [row["name"], *row["aliases"].split(";")]


def words_of(item: DemoItem) -> str:
    return f"{item.title} {plain_text(item.summary)}"


def test_about_three_hundred_items_with_unique_ids_in_the_two_weeks() -> None:
    assert len(ITEMS) == len(BY_ID) == 300
    assert all(START <= item.published < END for item in ITEMS)
    assert timedelta(days=14) == END - START
    assert START.strftime("%A") == "Monday"


def test_storylines_and_outlets() -> None:
    counts = Counter(item.storyline for item in ITEMS)
    assert set(counts) == {
        *("bank_run", "recall", "breach", "fine", "old_story", "takeovers"),
        *("denied_rumour", "patent", "chinese", "hostile", "routine"),
    }
    assert counts["routine"] >= 120
    assert {item.feed for item in ITEMS} == set(OUTLETS)
    chinese = [item for item in ITEMS if OUTLETS[item.feed].language == "zh"]
    assert 8 <= len(chinese) <= 12
    assert all(re.search("[一-鿿]", item.title) for item in chinese)


def test_the_first_week_is_calm_and_the_bank_run_surges_in_the_second() -> None:
    middle = START + timedelta(days=7)
    run = [item for item in ITEMS if item.storyline == "bank_run"]
    assert sum(item.published < middle for item in run) <= 3
    assert sum(item.published.day in (11, 12, 13) for item in run) >= 40
    assert any(item.update_of for item in run) and any(item.copy_of for item in run)
    assert {item.title[:9] for item in run} >= {"UPDATE 1-", "UPDATE 2-", "UPDATE 3-"}
    routine = [item for item in ITEMS if item.storyline == "routine"]
    weekday = [item for item in routine if item.published.weekday() < 5]
    assert len(weekday) / 10 > 3 * (len(routine) - len(weekday)) / 4


def test_update_chains_point_back_in_time() -> None:
    for item in ITEMS:
        for earlier in (item.update_of, item.copy_of, item.revises, item.repeats):
            assert earlier is None or BY_ID[earlier].published < item.published
        if item.copy_of:
            original = BY_ID[item.copy_of]
            assert original.feed != item.feed
            assert (original.title, original.summary) == (item.title, item.summary)


@pytest.mark.parametrize("name", [name for row in COMPANIES for name in names_of(row)])
def test_every_alias_is_used(name: str) -> None:
    assert any(name in words_of(item) for item in ITEMS)


def test_watchlist_is_well_formed() -> None:
    assert list(COMPANIES[0]) == ["name", "aliases", "ticker", "isin"]
    assert len(COMPANIES) == 13
    for row in COMPANIES:
        if row["isin"]:  # ISO 6166: ZZ is nobody's country; the last digit is a Luhn check
            assert re.fullmatch(r"ZZ[0-9A-Z]{9}[0-9]", row["isin"])
            digits = "".join(str(int(char, 36)) for char in row["isin"])
            doubled = (int(d) * (1 + place % 2) for place, d in enumerate(reversed(digits)))
            assert sum(n // 10 + n % 10 for n in doubled) % 10 == 0
        assert any(name in load_backgrounds() for name in names_of(row))


def test_no_real_name() -> None:
    real = re.split("[,\n]", REAL_NAMES.strip())
    pattern = re.compile("|".join(rf"(?<![A-Za-z]){re.escape(name)}(?![A-Za-z])" for name in real))
    for text in [*map(words_of, ITEMS), *load_backgrounds().values()]:
        assert not pattern.search(text)
    for row in COMPANIES:
        assert not pattern.search(row["name"])


def test_hostile_items() -> None:
    assert BY_ID["hostile-no-date"].dated is None
    assert BY_ID["hostile-no-title"].title == ""
    future = BY_ID["hostile-future"]
    assert future.dated is not None and future.dated > END
    assert "<script>" in BY_ID["hostile-script"].title
    assert BY_ID["hostile-formula"].title.startswith("=") and "![" in BY_ID["hostile-formula"].title
    assert "@" in BY_ID["hostile-contact"].summary
    repeat, revision = BY_ID["sundvale-fibre-repeat"], BY_ID["grevold-field-revised"]
    assert (repeat.guid, repeat.summary) == (
        BY_ID["sundvale-fibre-pr"].guid,
        BY_ID["sundvale-fibre-pr"].summary,
    )
    assert revision.guid == BY_ID["grevold-field"].guid
    assert revision.summary != BY_ID["grevold-field"].summary
    assert "/2020/03/11/" in BY_ID["transkeld-old"].path


def test_paths_and_guids_are_shared_by_versions_only() -> None:
    first = [item for item in ITEMS if not (item.revises or item.repeats)]
    assert len({item.path for item in first}) == len({item.guid for item in first}) == len(first)
    assert all(re.fullmatch(r"/articles/[a-z0-9/-]+", item.path) for item in ITEMS)


def test_a_revision_takes_the_place_of_its_item() -> None:
    shown = {
        hour: [i.id for i in visible(ITEMS, "halvard-wire", datetime(2026, 3, 4, hour, tzinfo=UTC))]
        for hour in (12, 15)
    }
    assert "grevold-field" in shown[12]
    assert "grevold-field" not in shown[15] and "grevold-field-revised" in shown[15]


def test_no_outlet_fills_half_a_document_in_a_day() -> None:
    for feed in OUTLETS:
        times = [item.published for item in ITEMS if item.feed == feed]
        for begin in times:
            assert sum(begin <= t < begin + timedelta(days=1) for t in times) <= CAP // 2


def test_expected_events_name_companies_and_items() -> None:
    names = {row["name"] for row in COMPANIES}
    for entry in [*EXPECTED["must"], *EXPECTED["may"]]:
        assert entry["company"] in names
        first = BY_ID[entry["first"]]
        assert first.published < datetime.fromisoformat(entry.get("latest") or entry["until"])
    for entry in EXPECTED["must_not"]:
        assert entry["company"] in names and entry["why"]
        assert all(name in BY_ID for name in entry["items"])


GOOD = "{id: a, feed: cmcs, published: '2026-03-02T08:00Z', title: T, summary: S}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no items|a list"),
        ("- {", "not readable as YAML"),
        ("- just words", "item 1 has no id"),
        (f"- {GOOD}\n- {GOOD}", "'a' is used twice"),
        (f"- {GOOD.replace('cmcs', 'nobody')}", "item 'a': no outlet 'nobody'"),
        (f"- {GOOD.replace('title: T, ', '')}", "item 'a': title is missing"),
        (f"- {GOOD.replace('title', 'tilte')}", "item 'a': unknown field 'tilte'"),
        (f"- {GOOD.replace('08:00Z', '08:00')}", "item 'a': published has no time zone"),
        (f"- {GOOD.replace('2026-03-02', '2026-13-02')}", "item 'a': published: .*write"),
        (f"- {GOOD.replace('2026', '2025')}", "item 'a': published .* is not in the demo's weeks"),
        (f"- {GOOD[:-1]}, copy_of: b}}", "copy_of: there is no other item 'b'"),
        (
            f"- {GOOD[:-1]}, revises: b}}\n- {GOOD.replace('id: a', 'id: b')}",
            "'b' must be an earlier item",
        ),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "story.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        load_items(tmp_path)
