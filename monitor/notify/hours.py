"""Hours of the week in a time zone: when a route is on, when a desk wants quiet, when a digest is due."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class Hours:
    """From a time of day to another, on some days of the week; past midnight where the end is not later.

    Examples
    --------
    >>> from datetime import UTC
    >>> night = Hours(frozenset(range(7)), time(19), time(7), ZoneInfo("Europe/London"))
    >>> summer, winter = (datetime(2026, month, 1, 18, 30, tzinfo=UTC) for month in (7, 1))
    >>> night.holds(summer), night.holds(winter)
    (True, False)
    >>> night.ends(summer).isoformat()
    '2026-07-02T07:00:00+01:00'
    """

    days: frozenset[int]  # 0 is Monday; the day on which they begin
    begin: time
    end: time
    zone: ZoneInfo

    def holds(self, moment: datetime) -> bool:
        return self._span(moment) is not None

    def ends(self, moment: datetime) -> datetime:
        """Return when the hours that hold at a moment end; the moment itself when none do."""
        span = self._span(moment)
        return moment if span is None else span[1]

    def next(self, moment: datetime) -> datetime:
        """Return when the hours hold next: the moment itself when they do."""
        if self.holds(moment):
            return moment
        local = moment.astimezone(self.zone)
        starts = (self._at(local + timedelta(days=ahead), self.begin) for ahead in range(9))
        return next(start for start in starts if start >= moment and start.weekday() in self.days)

    def _span(self, moment: datetime) -> tuple[datetime, datetime] | None:
        local = moment.astimezone(self.zone)
        for back in (0, 1):
            day = local - timedelta(days=back)
            begin, end = self._at(day, self.begin), self._at(day, self.end)
            if self.end <= self.begin:
                end = self._at(day + timedelta(days=1), self.end)
            if day.weekday() in self.days and begin <= moment < end:
                return begin, end
        return None

    def _at(self, day: datetime, clock: time) -> datetime:
        return datetime.combine(day.date(), clock, self.zone)


@dataclass(frozen=True, slots=True)
class Daily:
    """A time of day in a zone."""

    at: time
    zone: ZoneInfo

    def next(self, moment: datetime) -> datetime:
        """Return the first such time after a moment.

        Examples
        --------
        >>> from datetime import UTC
        >>> Daily(time(7, 30), ZoneInfo("UTC")).next(datetime(2026, 1, 5, 7, 30, tzinfo=UTC)).isoformat()
        '2026-01-06T07:30:00+00:00'
        """
        today = moment.astimezone(self.zone).date()
        due = datetime.combine(today, self.at, self.zone)
        if due > moment:
            return due
        return datetime.combine(today + timedelta(days=1), self.at, self.zone)


def read_clock(text: object) -> time:
    """Return a time of day from ``07:30``; a ValueError says what is wrong."""
    found = re.fullmatch(r"([01]?\d|2[0-4]):([0-5]\d)", str(text).strip())
    if found is None or (found[1] == "24" and found[2] != "00"):
        raise ValueError(f'{text!r} is no time of day; write it as "07:30", in quotes')
    return time(int(found[1]) % 24, int(found[2]))


def read_zone(text: object) -> ZoneInfo:
    """Return a time zone from its IANA name; a ValueError says what is wrong."""
    try:
        return ZoneInfo(str(text))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{text!r} is no time zone; write one such as Europe/London") from None


def read_days(texts: object) -> frozenset[int]:
    """Return days of the week from ``[mon-fri, sun]``; a ValueError says what is wrong.

    Examples
    --------
    >>> sorted(read_days(["sat-mon", "wed"]))
    [0, 2, 5, 6]
    """
    days: set[int] = set()
    for text in texts if isinstance(texts, list) else [texts]:
        first, _, last = str(text).strip().casefold().partition("-")
        if first not in DAYS or (last and last not in DAYS):
            raise ValueError(f"{text!r} is no day; write mon, tue, ... or mon-fri")
        start, stop = DAYS.index(first), DAYS.index(last or first)
        days |= {(start + ahead) % 7 for ahead in range((stop - start) % 7 + 1)}
    return frozenset(days)


def read_duration(text: object) -> timedelta:
    """Return a duration from ``30s``, ``5m``, ``4h``, ``2d`` or several; a ValueError says what is wrong.

    Examples
    --------
    >>> read_duration("1h30m"), read_duration(0)
    (datetime.timedelta(seconds=5400), datetime.timedelta(0))
    """
    written = str(text).strip().lower()
    if written == "0":
        return timedelta(0)
    parts = re.fullmatch(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", written)
    if not written or parts is None:
        raise ValueError(f"{text!r} is no duration; write it as 30s, 5m, 4h or 2d")
    days, hours, minutes, seconds = (int(part or 0) for part in parts.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
