"""The clock of a replay: which recorded dates it may believe.

A replay's clock follows the dates of its rows. One row dated far ahead must not drag it forward:
every later row would look months late. So a date after the wall clock is never believed, and a jump
of more than ``max_jump`` only when most of the next rows have made it too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice

from monitor.collect.dates import parse_date, to_utc
from monitor.collect.raw import RawItem
from monitor.domain import DeadItem

_Item = RawItem | DeadItem


class ReplayTimes:
    """Says, row by row, what time a replay's clock should show before the row is handed over.

    Parameters
    ----------
    wall_now
        The real time, aware UTC: nothing recorded can be later.
    max_jump
        A step forward up to this is believed at once (a weekend, a holiday).
    look_ahead
        Dated rows that are asked about a larger jump.
    naive_zone
        As in `monitor.collect.dates.DateRules`.

    Examples
    --------
    >>> def row(date): return RawItem("s", "f:1", "T", "", None, None, date)
    >>> days = ["2014-05-01", "2019-01-01", "2014-05-02", "2014-05-03"]
    >>> times = ReplayTimes(datetime(2026, 1, 1, tzinfo=UTC))
    >>> [f"{clock:%m-%d}" for clock, _ in times.follow(map(row, days))]
    ['05-01', '05-01', '05-02', '05-03']
    """

    def __init__(
        self,
        wall_now: datetime,
        max_jump: timedelta = timedelta(days=3),
        look_ahead: int = 20,
        naive_zone: tzinfo = UTC,
    ) -> None:
        self.wall_now = wall_now
        self.max_jump = max_jump
        self.look_ahead = look_ahead
        self.naive_zone = naive_zone

    def follow(self, items: Iterable[_Item]) -> Iterator[tuple[datetime, _Item]]:
        """Yield (clock, item): the clock never goes back and reaches every date it believes.

        An item without a believable date leaves the clock as it is; where no row has one, the clock
        says ``wall_now``. Reads ``look_ahead`` items ahead, no more.
        """
        source = iter(items)
        window: deque[tuple[datetime | None, _Item]] = deque(
            (self._date(item), item) for item in islice(source, self.look_ahead + 1)
        )
        clock = self._start([date for date, _ in window if date is not None])
        while window:
            date, item = window.popleft()
            following = next(source, None)
            if following is not None:
                window.append((self._date(following), following))
            if date is not None and date > clock and self._believes(date, clock, window):
                clock = date
            yield clock, item

    def _start(self, dates: list[datetime]) -> datetime:
        """The first date that most of the first rows follow and that does not stand alone."""
        if not dates:
            return self.wall_now
        followed = [date for date in dates if self._agree(date, dates)]
        for date in followed:
            if sum(abs(date - other) <= self.max_jump for other in dates) > 1:
                return date
        return followed[0]

    def _believes(
        self, date: datetime, clock: datetime, window: Iterable[tuple[datetime | None, _Item]]
    ) -> bool:
        if date - clock <= self.max_jump:
            return True
        dates = [following for following, _ in window if following is not None]
        return self._agree(date, dates)

    def _agree(self, date: datetime, dates: list[datetime]) -> bool:
        return 2 * sum(other >= date - self.max_jump for other in dates) > len(dates)

    def _date(self, item: _Item) -> datetime | None:
        """The row's date, ``None`` when it has none that could be true."""
        if isinstance(item, DeadItem) or item.published is None:
            return None
        try:
            if isinstance(item.published, datetime):
                date = to_utc(item.published, self.naive_zone)
            else:
                date = parse_date(item.published, self.naive_zone)
        except (ValueError, OverflowError, OSError):
            return None
        return date if date <= self.wall_now else None
