"""Dates as feeds write them, and how far they are believed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.collect.dates import DateRules, parse_date
from monitor.domain import DateStatus

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "utc"),
    [
        ("2014-05-01T04:00:00Z", "2014-05-01T04:00:00"),
        ("2014-05-01 04:00:00", "2014-05-01T04:00:00"),
        ("2014-05-01", "2014-05-01T00:00:00"),
        ("2014-05-01T04:00:00.123+02:00", "2014-05-01T02:00:00.123000"),
        ("2014-5-1 4:05", "2014-05-01T04:05:00"),
        ("2014/05/01 04:05:06 GMT", "2014-05-01T04:05:06"),
        ("2014-05-01 04:00:00 +0800", "2014-04-30T20:00:00"),
        ("Thu, 01 May 2014 04:00:00 GMT", "2014-05-01T04:00:00"),
        ("Thu, 1 May 14 04:00 EDT", "2014-05-01T08:00:00"),
        ("01 May 2014 23:59:60 +0000", "2014-05-01T23:59:59"),
        ("Thu, 01 May 2014 04:00:00 -0400 (EDT)", "2014-05-01T08:00:00"),
        ("Qui, 06 Set 2018 13:38:00 -0300", "2018-09-06T16:38:00"),
        ("6. März 2018", None),
        ("May 1, 2014 3:04 PM EST", "2014-05-01T20:04:00"),
        ("September 29, 2025 at 12:30 AM UTC", "2025-09-29T00:30:00"),
        ("2025年9月29日", "2025-09-28T16:00:00"),
        ("2025年09月29日 21:05", "2025-09-29T13:05:00"),
        ("2025年9月29日21时05分", "2025-09-29T13:05:00"),
        ("1398916800", "2014-05-01T04:00:00"),
        ("1398916800123", "2014-05-01T04:00:00.123000"),
        ("Monday", None),
        ("10:30", None),
        ("2014-13-01", None),
        ("Thu, 31 Feb 2014 04:00:00 GMT", None),
        ("Thu, 01 May 2014 04:00:00 XYZ", None),
        ("13:30 PM May 1, 2014", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("9" * 99, None),
        ("", None),
    ],
)
def test_parse_date(written: str, utc: str | None) -> None:
    if utc is None:
        with pytest.raises(ValueError):
            parse_date(written)
    else:
        assert parse_date(written) == datetime.fromisoformat(utc).replace(tzinfo=UTC)


@given(st.text(max_size=120))
def test_parse_date_raises_nothing_but_value_error(text: str) -> None:
    try:
        moment = parse_date(text)
    except (ValueError, OverflowError, OSError):
        return
    assert moment.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("ago", "named_ago", "status"),
    [
        (timedelta(hours=1), None, DateStatus.OK),
        (timedelta(minutes=-5), None, DateStatus.OK),
        (timedelta(minutes=-5, seconds=-1), None, DateStatus.FUTURE),
        (timedelta(days=7), None, DateStatus.OK),
        (timedelta(days=7, seconds=1), None, DateStatus.STALE),
        (timedelta(hours=1), timedelta(days=29), DateStatus.OK),
        (timedelta(hours=1), timedelta(days=2190), DateStatus.STALE),
    ],
)
def test_judge(ago: timedelta, named_ago: timedelta | None, status: DateStatus) -> None:
    published = NOW - ago
    at, found = DateRules().judge(published, NOW - named_ago if named_ago else None, NOW)
    assert found is status
    assert at == min(published, NOW)


def test_no_date_takes_ingest_time() -> None:
    assert DateRules().judge(None, None, NOW) == (NOW, DateStatus.MISSING)
