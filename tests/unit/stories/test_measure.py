import json
from pathlib import Path

import pytest

from monitor.errors import ConfigError
from monitor.stories import RiskPack
from monitor.stories.measure import MAPS, load_map, measure_events, predict_events, read_gold

PACK = RiskPack.load()


def sets(*cells: str) -> list[frozenset[str]]:
    return read_gold(cells)


def test_counts_by_hand() -> None:
    gold = sets("a", "a|b", "", "b")
    told = sets("a", "b", "a", "c")
    report = measure_events(told, gold, ["a", "b"])
    first, second = report.types
    assert (first.precision, first.recall, first.f1) == (0.5, 0.5, 0.5)
    assert (second.precision, second.recall) == (1.0, 0.5)
    assert second.f1 == pytest.approx(2 / 3)
    assert report.macro_f1 == pytest.approx((0.5 + 2 / 3) / 2)
    assert (first.support, first.predicted, report.texts) == (2, 2, 4)


def test_all_right_and_all_wrong() -> None:
    gold = sets("a", "b", "a")
    assert measure_events(gold, gold, ["a", "b"]).macro_f1 == 1.0
    wrong = measure_events(sets("b", "a", "b"), gold, ["a", "b"])
    assert wrong.macro_f1 == 0.0 and wrong.macro_high == 0.0


def test_a_type_nobody_has_is_undefined_and_not_averaged() -> None:
    report = measure_events(sets("a"), sets("a"), ["a", "z"])
    assert report.types[1].f1 is None and report.types[1].precision is None
    assert report.macro_f1 == 1.0


def test_intervals_hold_the_point_and_follow_the_seed() -> None:
    gold = sets(*["a", "a", "b", "", "b", "a"] * 30)
    told = sets(*["a", "b", "b", "", "a", "a"] * 30)
    one, two = (measure_events(told, gold, ["a", "b"], seed=7) for _ in range(2))
    assert one == two
    assert one != measure_events(told, gold, ["a", "b"], seed=8)
    assert one.macro_low is not None and one.macro_f1 is not None and one.macro_high is not None
    assert one.macro_low < one.macro_f1 < one.macro_high


def test_the_report_is_json_and_a_table() -> None:
    report = measure_events(sets("a", ""), sets("a", "a"), ["a"])
    assert json.loads(json.dumps(report.as_json()))["types"][0]["support"] == 2
    assert "macro" in report.as_text() and "2 texts" in report.as_text()


@pytest.mark.parametrize(("told", "gold", "types"), [(1, 2, 1), (0, 0, 1), (1, 1, 0)])
def test_nothing_to_measure_is_refused(told: int, gold: int, types: int) -> None:
    with pytest.raises(ValueError, match="one set per text"):
        measure_events(sets(*["a"] * told), sets(*["a"] * gold), ["a"] * types)


@pytest.mark.parametrize("path", sorted(MAPS.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_maps_fit_the_pack(path: Path) -> None:
    events = load_map(path, PACK)
    assert set(events.types) == set(events.events.values())


def test_texts_to_types() -> None:
    events = load_map(MAPS / "sentivent.yaml", PACK)
    texts = ["Investors sue lender over bonds", "Bank raises dividend by 5%", "Acme opens a store"]
    assert predict_events(PACK, texts, events) == sets("Legal", "Dividend", "")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("types: [A]", "has the keys"),
        ("types: []\nevents: {fine: A}", "must be a list"),
        ("types: [A]\nevents: {fines: A}", "no event `fines`"),
        ("types: [A, B]\nevents: {fine: A}", "no event speaks of type `B`"),
        ("types: [", "cannot read the map"),
    ],
)
def test_a_wrong_map_is_named(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "map.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=says) as error:
        load_map(path, PACK)
    assert str(path) in str(error.value)


def test_a_missing_map_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read the map"):
        load_map(tmp_path / "none.yaml", PACK)


# What the rules reach on labelled news they were not tuned on (test splits), less a margin.
@pytest.mark.parametrize(
    ("data", "column", "least"),
    [("sentivent_events", "event_types", 0.50), ("zh_finese", "risk_event", 0.70)],
)
def test_quality_is_kept(shared_data: Path, data: str, column: str, least: float) -> None:
    import csv
    import gzip

    path = shared_data / "labelled" / f"{data}.csv.gz"
    if not path.is_file():
        pytest.skip(f"no {path}")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "test"]
    events = load_map(MAPS / f"{data.removesuffix('_events')}.yaml", PACK)
    told = predict_events(PACK, [row["text"] for row in rows], events)
    report = measure_events(
        told, read_gold(row[column] for row in rows), events.types, resamples=10
    )
    assert report.macro_f1 is not None and report.macro_f1 >= least
