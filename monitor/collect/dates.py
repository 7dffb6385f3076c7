"""Reading publication dates, and how far to believe them.

A date without a zone is UTC (`DateRules.naive_zone` changes that for a source), except the form
``2025年9月29日``, which is read as China Standard Time. Zone names follow RFC 822 section 5.1
(CST is US Central) and a short list of unambiguous others; an unknown zone makes a date unreadable
rather than silently wrong.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from monitor.domain import DateStatus

MAX_DATE_CHARS = 100
CHINA = timezone(timedelta(hours=8), "CST+8")

_EPOCH_NUMBER = re.compile(r"-?\d{10}(?:\d{3})?")
_TIME = (
    r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.\d+)?)?\s*"
    r"(?P<half>[AaPp]\.?[Mm]\.?)?"
)
_ZONE = r"\s*\(?(?P<zone>[+-]\d\d:?\d\d|[A-Za-z]{1,5})?\)?(?:\s*\([A-Za-z ]+\))?"
_DAY_FIRST = re.compile(
    r"(?:[^\W\d_]+\.?,?\s+)?(?P<day>\d{1,2})"
    r"[ \-](?P<month>[^\W\d_]{3,10})\.?[ \-](?P<year>\d{4}|\d\d)"
    rf"(?:,?\s+{_TIME}{_ZONE})?"
)
_MONTH_FIRST = re.compile(
    r"(?:[^\W\d_]+\.?,?\s+)?(?P<month>[^\W\d_]{3,10})\.?\s+(?P<day>\d{1,2}),?\s+(?P<year>\d{4})"
    rf"(?:,?\s+(?:at\s+)?{_TIME}{_ZONE})?"
)
_YEAR_FIRST = re.compile(
    r"(?P<year>\d{4})(?:-|/|\.|年\s?)(?P<month>\d{1,2})(?:-|/|\.|月\s?)(?P<day>\d{1,2})日?"
    rf"(?:[ T]*{_TIME}{_ZONE})?"
)
# "CHICAGO, Dec. 9, 2002 (Agency) -", "LONDON (Agency) - Dec 9, 2002 -", "Dec. 9, 2002 /Newswire/ --"
_DATELINE = re.compile(
    r"(?:[A-Z][A-Z.'/ ]{1,30}(?:, [A-Z][\w.]{1,15})?(?:(?:,|,? \([A-Z][\w ]{1,20}\)) ?| )(?:--? ?)?"
    r"|[A-Z ]{3,30}--)?"
    r"(?:(?P<month>(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*)\.? (?P<day>\d{1,2}),? )"
    r"(?P<year>(?:19|20)\d\d)\s*(?:[(/][\w. ]{2,30}[)/]\s*)?(?:--|(?:-|\u2013|\u2014)\s)"
)
_DATELINE_ZH = re.compile(
    r"[^\d,。,;]{0,16}(?P<year>(?:19|20)\d\d)年(?P<month>\d{1,2})月(?P<day>\d{1,2})日(?:电|讯|電|訊)"
)
_CHINESE_TIME = re.compile(r"(\d{1,2})[时時点點](?:(\d{1,2})分)?(?:(\d{1,2})秒)?")
_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan gen ene", "feb fev fév", "mar mär mrz", "apr abr avr", "may mai mag mei",
            "jun juin giu", "jul juil lug", "aug ago aoû", "sep set", "oct out okt ott", "nov",
            "dec dez dic déc",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
_ZONE_HOURS = {
    "UT": 0, "UTC": 0, "GMT": 0, "Z": 0, "WET": 0, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5,
    "MST": -7, "MDT": -6, "PST": -8, "PDT": -7, "BST": 1, "WEST": 1, "CET": 1, "CEST": 2, "EET": 2,
    "EEST": 3, "MSK": 3, "IST": 5.5, "SGT": 8, "HKT": 8, "JST": 9, "KST": 9, "AEST": 10,
    "AEDT": 11, "NZST": 12, "NZDT": 13,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class DateRules:
    """What makes a date unbelievable.

    Parameters
    ----------
    tolerance
        A date up to this far ahead of ingest time is a publisher's fast clock: taken as ingest
        time.
    stale_after
        An item that reaches us later than this after its date is old news.
    republished_after
        An item whose URL or dateline carries a date this much older than its stated date is an old
        story given a new date.
    naive_zone
        Zone of dates that name none.
    """

    tolerance: timedelta = timedelta(minutes=5)
    stale_after: timedelta = timedelta(days=7)
    republished_after: timedelta = timedelta(days=30)
    naive_zone: tzinfo = UTC

    def judge(
        self, published: datetime | None, named: datetime | None, now: datetime
    ) -> tuple[datetime, DateStatus]:
        """Return the event time to use, never after ``now``, and how far it can be believed.

        Parameters
        ----------
        published
            The stated date, aware; ``None`` when there is none.
        named
            A date inside the item's URL or guid, or that its text begins with, if there is one.
        now
            Ingest time.
        """
        if published is None:
            return now, DateStatus.MISSING
        if published - now > self.tolerance:
            return now, DateStatus.FUTURE
        if now - published > self.stale_after:
            return published, DateStatus.STALE
        if named is not None and published - named > self.republished_after:
            return min(published, now), DateStatus.STALE
        return min(published, now), DateStatus.OK


def parse_date(text: str, naive_zone: tzinfo = UTC) -> datetime:
    """Read a date as feeds and files write it: ISO 8601, RFC 822, Unix seconds, Chinese forms.

    Parameters
    ----------
    text
        The date as written.
    naive_zone
        Zone of a date that names none.

    Returns
    -------
    datetime
        Aware UTC.

    Raises
    ------
    ValueError
        It is not a date this function is sure about. Words such as "Monday" are never guessed at.

    Examples
    --------
    >>> parse_date("Mon, 29 Sep 2025 21:00:00 +0800").isoformat()
    '2025-09-29T13:00:00+00:00'
    >>> parse_date("2025年9月29日 21:05").isoformat()
    '2025-09-29T13:05:00+00:00'
    """
    if len(text) > MAX_DATE_CHARS:
        raise ValueError(f"a date of {len(text)} characters")
    text = text.strip()
    if _EPOCH_NUMBER.fullmatch(text):
        seconds = int(text) / (1000 if len(text.lstrip("-")) == 13 else 1)
        return datetime.fromtimestamp(seconds, UTC)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = _parse_loosely(text)
    return to_utc(moment, naive_zone)


def dateline(text: str) -> datetime | None:
    """Return the date that a report begins with, as agencies write it; ``None`` where it begins otherwise.

    A date without a year is none: it says nothing of how old the report is.

    Examples
    --------
    >>> dateline("CHICAGO, Dec. 9, 2002 (Wire) - The airline filed for bankruptcy.").isoformat()
    '2002-12-09T00:00:00+00:00'
    >>> dateline("\u65b0\u534e\u793e\u5317\u4eac2015\u5e743\u67082\u65e5\u7535 ...").isoformat()
    '2015-03-02T00:00:00+00:00'
    >>> dateline("Shares have not been as low since Dec. 9, 2002.") is None
    True
    """
    for pattern in (_DATELINE, _DATELINE_ZH):
        match = pattern.match(text[:MAX_DATE_CHARS])
        if match is None:
            continue
        try:
            return datetime(
                int(match["year"]), _month(match["month"]), int(match["day"]), tzinfo=UTC
            )
        except ValueError:
            return None
    return None


def to_utc(moment: datetime, naive_zone: tzinfo = UTC) -> datetime:
    """Return ``moment`` in UTC; `ValueError` when that leaves the years datetime can hold."""
    if moment.tzinfo is UTC:
        return moment
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=naive_zone)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"no such moment in UTC: {moment}") from None


def _parse_loosely(text: str) -> datetime:
    chinese = "年" in text
    if chinese:
        text = _CHINESE_TIME.sub(
            lambda m: f" {m[1]}:{int(m[2] or 0):02d}:{int(m[3] or 0):02d}", text
        )
    for pattern in (_DAY_FIRST, _YEAR_FIRST, _MONTH_FIRST):
        match = pattern.fullmatch(text)
        if match is not None:
            break
    else:
        raise ValueError(f"not a date: {text!r}")
    moment = datetime(
        _year(match["year"]),
        _month(match["month"]),
        int(match["day"]),
        _hour(int(match["hour"] or 0), match["half"]),
        int(match["minute"] or 0),
        min(int(match["second"] or 0), 59),  # RFC 822 allows the leap second :60
    )
    zone = match["zone"]
    if zone:
        return moment.replace(tzinfo=_zone(zone))
    return moment.replace(tzinfo=CHINA) if chinese else moment


def _year(text: str) -> int:
    year = int(text)
    if len(text) == 4:
        return year
    return year + (2000 if year < 70 else 1900)


def _month(text: str) -> int:
    if text.isdigit():
        return int(text)
    name = text.lower()
    number = _MONTHS.get(name[:4]) or _MONTHS.get(name[:3])
    if number is None:
        raise ValueError(f"not a month: {text!r}")
    return number


def _hour(hour: int, half: str | None) -> int:
    if half is None:
        return hour
    if not 1 <= hour <= 12:
        raise ValueError(f"not an hour of a half day: {hour}")
    return hour % 12 + (12 if half[0] in "pP" else 0)


def _zone(text: str) -> tzinfo:
    if text[0] in "+-":
        minutes = int(text[1:3]) * 60 + int(text[-2:])
        return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))
    hours = _ZONE_HOURS.get(text.upper())
    if hours is None:
        raise ValueError(f"unknown time zone {text!r}")
    return timezone(timedelta(hours=hours))
