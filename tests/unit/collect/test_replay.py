"""Replay files: whole, torn and hostile; and the clock they move."""

from __future__ import annotations

import csv
import gzip
import io
import tracemalloc
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.collect import records
from monitor.collect.raw import RawItem
from monitor.collect.replay import ReplaySource
from monitor.collect.replay_times import ReplayTimes
from monitor.collect.source import SourceConfig, SourceError
from monitor.domain import DeadItem, DeadReason

NOW = datetime(2026, 1, 5, tzinfo=UTC)
HEADER = b"published_at,section,id,title\n"
GOOD = b"2014-05-01T04:00:00Z,s,i1,Fine\n"


def read(path: Path, **config: str) -> list[RawItem | DeadItem]:
    return list(ReplaySource(SourceConfig("r", "replay", str(path), **config)).poll(NOW))  # type: ignore[arg-type]


def read_bytes(folder: Path, data: bytes, name: str = "x.csv") -> list[RawItem | DeadItem]:
    path = folder / name
    path.write_bytes(data)
    return read(path)


def outline(items: list[RawItem | DeadItem]) -> list[tuple[int, str]]:
    """(line, title or reason) of every item."""
    return [
        (int(i.origin.rpartition(":")[2]), i.title if isinstance(i, RawItem) else i.reason.value)
        for i in items
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"2014-05-01,s,i2\n", [(3, "torn_row")]),
        (b"2014-05-01,s,i2,a,b\n", [(3, "torn_row")]),
        (b'2014-05-01,s,i2,"a"b\n', [(3, "torn_row")]),
        (b'2014-05-01,s,i2,"never closed\n', [(3, "torn_row")]),
        (b'2014-05-01,s,i2,"never closed\nnor a row\n', [(3, "torn_row"), (4, "torn_row")]),
        (
            b'2014-05-01,s,i2,"never closed\n2014-05-01,s,i3,"so, good"\n',
            [(3, "torn_row"), (4, "so, good")],
        ),
        (b'2014-05-01,s,i2,"two\nlines, ""quoted"""\n', [(3, 'two\nlines, "quoted"')]),
        (b'2014-05-01,s,i2,a "stray" quote\n', [(3, 'a "stray" quote')]),
        (b"2014-05-01,s,i2,caf\xe9\n", [(3, "not_utf8")]),
        (b"2014-05-01,s,i2,a\0b\n", [(3, "torn_row")]),
        (b"\n \n2014-05-01,s,i2,after blanks\r\n", [(5, "after blanks")]),
        (b"2014-05-01,s,i2," + b"x" * (records.MAX_LINE_BYTES * 3) + b"\n", [(3, "too_large")]),
        (b'2014-05-01,s,i2,"' + b"x" * 200_000 + b'"\n', [(3, "too_large")]),
    ],
    ids=range(13),
)
@pytest.mark.parametrize("limit", [131_072, 2**31 - 1])  # others in this process may set it
def test_a_bad_row_costs_its_lines_only(
    tmp_path: Path, line: bytes, expected: list[tuple[int, str]], limit: int
) -> None:
    csv.field_size_limit(limit)
    last = 3 + line.count(b"\n")
    found = outline(read_bytes(tmp_path, HEADER + GOOD + line + GOOD.replace(b"i1", b"i9")))
    assert found == [(2, "Fine"), *expected, (last, "Fine")]


def test_unclosed_quote_on_the_last_line(tmp_path: Path) -> None:
    found = outline(read_bytes(tmp_path, HEADER + GOOD + b'2014-05-01,s,i2,"the end'))
    assert found == [(2, "Fine"), (3, "torn_row")]


def test_a_quote_open_for_ever_is_given_up(tmp_path: Path) -> None:
    filler = b"no row\n" * 300
    found = outline(read_bytes(tmp_path, HEADER + b'2014-05-01,s,i2,"open\n' + filler + GOOD))
    assert len(found) == 302
    assert found[-1] == (303, "Fine")


text = st.text(st.characters(exclude_characters="\0\r", exclude_categories=["Cs"]), max_size=30)


@given(st.lists(st.tuples(text, text, text.filter(str.strip)), max_size=8))
def test_what_csv_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, titles: list[tuple[str, str, str]]
) -> None:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(["date", "section", "id", "title"])
    for section, guid, title in titles:
        writer.writerow(["2014-05-01", section, guid, title])
    path = tmp_path_factory.mktemp("csv") / "x.csv"
    path.write_bytes(out.getvalue().encode())
    items = read(path)
    assert [i.title for i in items if isinstance(i, RawItem)] == [title for _, _, title in titles]


@given(st.binary(max_size=400))
def test_any_bytes_give_items_or_one_source_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    folder = tmp_path_factory.mktemp("any")
    for name in ("a.csv", "a.jsonl", "a.dat"):
        (folder / name).write_bytes(HEADER + data)
        try:
            lines = [line for line, _ in outline(read(folder / name))]
        except SourceError:
            continue
        assert lines == sorted(set(lines))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"when,what\n1,2\n", "published_at"),
        (b"published_at,text\n", "no title in the header"),
        (b'"published_at\n', "published_at"),
        (b"\xff\xfep\0u\0b\0\n\0", "NUL"),
        (gzip.compress(HEADER + GOOD * 9000)[:-30], r"damaged after line \d{4} "),
        (b"\x1f\x8b\x08\x00nonsense", "damaged"),
    ],
)
def test_a_bad_file_is_one_clear_error(tmp_path: Path, data: bytes, says: str) -> None:
    with pytest.raises(SourceError, match=says) as caught:
        read_bytes(tmp_path, data)
    assert str(tmp_path / "x.csv") in str(caught.value)


def test_a_folder_is_not_a_replay_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="directory"):
        read(tmp_path)


def test_columns_by_their_other_names(tmp_path: Path) -> None:
    data = b"\xef\xbb\xbfHeadline,Date,Link,Summary,Source,Lang\nT,2014-05-01,http://a.example/1,L,P,\n"
    [item] = read_bytes(tmp_path, data)
    assert item == RawItem(
        "r", f"{tmp_path}/x.csv:2", "T", "L", "http://a.example/1", None, "2014-05-01", "P", None
    )


def test_id_that_is_an_address(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(HEADER + b"2014-05-01,s,http://a.example/1,T\n2014-05-01,s,idUS1,U\n")
    first, second = read(path, publisher="wire.example", language="en")
    assert isinstance(first, RawItem) and isinstance(second, RawItem)
    assert (first.url, second.url, second.guid) == ("http://a.example/1", None, "idUS1")
    assert (first.publisher, first.language) == ("wire.example", "en")


def test_jsonl(tmp_path: Path) -> None:
    data = (
        b'{"title": "A", "published": 1398916800, "link": "http://a.example/1", "x": [1]}\n'
        b'{"title": "torn\n["a"]\n{"title": {"b": 1}}\n{"published": "2014-05-01"}\n'
    )
    found = outline(read_bytes(tmp_path, data, "x.jsonl"))
    assert found == [(1, "A"), (2, "torn_row"), (3, "schema"), (4, "schema"), (5, "")]


def test_progress_reaches_the_end(tmp_path: Path) -> None:
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress(HEADER + GOOD * 50_000))
    source = ReplaySource(SourceConfig("r", "replay", str(path)))
    assert source.progress() == (0, 0)
    visit = source.poll(NOW)
    next(visit)
    read_bytes_, total = source.progress()
    assert 0 < read_bytes_ <= total == path.stat().st_size
    assert sum(1 for _ in visit) == 49_999
    assert source.progress() == (total, total)


def test_memory_is_bounded_on_one_endless_line(tmp_path: Path) -> None:
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress(HEADER + b"x" * 60_000_000, compresslevel=1))
    tracemalloc.start()
    [found] = read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(found, DeadItem) and found.reason is DeadReason.TOO_LARGE
    assert peak < 16_000_000


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("reuters_2007q3.csv.gz", 89_146),
        ("reuters_2010q2.csv.gz", 106_770),
        ("reuters_2013q2.csv.gz", 93_786),
        ("reuters_2014-05.csv.gz", 79_341),
        ("reuters_2016q2.csv.gz", 51_902),
        ("rss_archive_2025_2026.jsonl.gz", 3_373),
    ],
)
def test_real_replay_files_read_whole(shared_data: Path, name: str, rows: int) -> None:
    source = ReplaySource(SourceConfig("r", "replay", str(shared_data / "replay" / name)))
    counts = {RawItem: 0, DeadItem: 0}
    for item in source.poll(NOW):
        counts[type(item)] += 1
    assert counts == {RawItem: rows, DeadItem: 0}


def row(date: str | None) -> RawItem:
    return RawItem("r", "x:1", "T", "", None, None, date)


def clocks(dates: list[str | None]) -> list[str]:
    times = ReplayTimes(datetime(2020, 1, 1, tzinfo=UTC))
    return [f"{clock:%Y-%m-%d}" for clock, _ in times.follow(map(row, dates))]


def days(first: int, last: int) -> list[str | None]:
    return [f"2014-05-{day:02d}" for day in range(first, last + 1)]


def test_a_far_date_in_the_middle_does_not_move_the_clock() -> None:
    for odd in ("2019-12-31", "2030-01-01", "9999-12-31", "nonsense", None, "1970-01-01"):
        found = clocks([*days(1, 9), odd, *days(10, 20)])
        assert found == [*days(1, 9), "2014-05-09", *days(10, 20)]


def test_a_far_date_at_either_end_does_not_move_the_clock() -> None:
    assert clocks(["2019-12-31", *days(1, 9)]) == ["2014-05-01", *days(1, 9)]
    assert clocks([*days(1, 9), "2019-12-31"]) == [*days(1, 9), "2014-05-09"]


def test_a_jump_that_the_following_rows_make_too_is_believed() -> None:
    later = [f"2014-08-{day:02d}" for day in range(1, 9)]
    assert clocks([*days(1, 9), *later]) == [*days(1, 9), *later]


def test_a_first_row_from_long_ago_does_not_start_the_clock() -> None:
    assert clocks(["1970-01-01", *days(1, 9)]) == ["2014-05-01", *days(1, 9)]


def test_sparse_files_follow_their_dates() -> None:
    months = [f"2014-{month:02d}-01" for month in range(1, 13)]
    assert clocks([*months, "2014-12-02"]) == [*months, "2014-12-02"]


def test_without_dates_the_wall_clock_counts() -> None:
    assert clocks([None, "x"]) == ["2020-01-01"] * 2
    assert clocks([]) == []


@given(st.lists(st.datetimes(datetime(2014, 1, 1), datetime(2019, 1, 1)), max_size=60))
def test_the_clock_never_goes_back_and_loses_nothing(dates: list[datetime]) -> None:
    items = [row(date.isoformat()) for date in dates]
    found = list(ReplayTimes(datetime(2020, 1, 1, tzinfo=UTC)).follow(items))
    assert [item for _, item in found] == items
    assert all(a <= b for (a, _), (b, _) in pairwise(found))


@given(st.lists(st.integers(0, 200_000), max_size=60))
def test_sorted_dates_without_gaps_are_the_clock(steps: list[int]) -> None:
    moment, dates = datetime(2014, 1, 1, tzinfo=UTC), []
    for step in steps:
        moment += timedelta(seconds=step)
        dates.append(moment)
    items = [row(date.isoformat()) for date in dates]
    found = ReplayTimes(datetime(2020, 1, 1, tzinfo=UTC)).follow(items)
    # The start is the first date near the middle of the first rows: never before the first date.
    for (clock, _), date in zip(found, dates, strict=True):
        assert clock >= date
