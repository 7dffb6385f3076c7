"""How good alerts were: what was seen of what had to be, how late, and how often people were told."""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from monitor.backtest.expected import ExpectedEvent
from monitor.backtest.told import Told

DAY = timedelta(hours=24)
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Window:
    """One feed as it was replayed, and what came of it."""

    name: str
    began_at: datetime
    ended_at: datetime
    articles: int
    told: tuple[Told, ...]
    events: tuple[ExpectedEvent, ...]

    @property
    def days(self) -> float:
        return (self.ended_at - self.began_at).total_seconds() / DAY_S


@dataclass(frozen=True, slots=True)
class Detection:
    """One known event and the notification that answered it; ``told`` is ``None`` where none did."""

    event: ExpectedEvent
    told: Told | None

    @property
    def delay_s(self) -> float | None:
        """Seconds from the first headline to the decisive item; 0 when it was earlier."""
        if self.told is None:
            return None
        return max(0.0, (_moment(self.told) - self.event.first_headline_at).total_seconds())


@dataclass(frozen=True, slots=True)
class Score:
    """The figures of one window or of several together. Delays are in seconds; ``None`` is no data."""

    days: float
    articles: int
    events: int
    detected: int
    delay_median_s: float | None
    delay_p90_s: float | None
    alerts: int
    alerts_per_day_per_100: float
    notifications: int
    repeats: int
    per_company_family_day_median: float | None
    per_company_family_day_max: int
    alerts_by_family: Mapping[str, int]
    missed: tuple[str, ...]
    unmapped_kinds: tuple[str, ...]

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def detections(window: Window) -> list[Detection]:
    """Return each event of a window with the first notification that answers it.

    A notification answers when its alert is a story alert on that company, of a family that the event's
    kind is mapped to, and its decisive item is in time. An alert that was open before answers with what it
    told anew (an escalation), not by being open.
    """
    return [
        Detection(event, next((told for told in window.told if _answers(told, event)), None))
        for event in window.events
    ]


def score(windows: Sequence[Window], watched: int) -> Score:
    """Return the figures of windows together.

    Parameters
    ----------
    watched
        Number of companies on the watchlist.
    """
    found = [each for window in windows for each in detections(window)]
    delays = [delay for each in found if (delay := each.delay_s) is not None]
    fired = [told for window in windows for told in window.told if told.reason == "fired"]
    days = sum(window.days for window in windows)
    busy = [count for window in windows for count in _busy_days(window.told)]
    return Score(
        days=round(days, 2),
        articles=sum(window.articles for window in windows),
        events=len(found),
        detected=len(delays),
        delay_median_s=statistics.median(delays) if delays else None,
        delay_p90_s=_quantile(delays, 0.9),
        alerts=len(fired),
        alerts_per_day_per_100=round(len(fired) / days / (watched / 100), 3) if days else 0.0,
        notifications=sum(len(window.told) for window in windows),
        repeats=sum(len(repeats(window.told)) for window in windows),
        per_company_family_day_median=statistics.median(busy) if busy else None,
        per_company_family_day_max=max(
            (most for window in windows for most in _most_in_a_day(window.told)), default=0
        ),
        alerts_by_family=dict(Counter(told.family for told in fired).most_common()),
        missed=tuple(
            f"{each.event.entity}: {each.event.kind}" for each in found if each.told is None
        ),
        unmapped_kinds=tuple(
            sorted({each.event.kind for each in found if not each.event.families})
        ),
    )


def side_by_side(scores: Mapping[str, Score], total: Score) -> dict[str, Score]:
    """Return the columns of a table of windows: each, and all together where there are several."""
    return {**scores, "all": total} if len(scores) > 1 else dict(scores)


def repeats(told: Iterable[Told]) -> list[tuple[Told, Told]]:
    """Return pairs of notifications of one story within 24 h of which the second says nothing new.

    One story: the same fingerprint, or the same company and the same text of the decisive item. Something
    new is any reason but "fired".
    """
    found = []
    before: dict[tuple[str, str], Told] = {}
    for each in told:
        text = "" if each.decisive is None else each.decisive.title.casefold()
        keys = [("fingerprint", each.alert.fingerprint)]
        keys += [(each.alert.key, text)] if text else []
        earlier = [before[key] for key in keys if key in before]
        if each.reason == "fired" and any(each.at - other.at <= DAY for other in earlier):
            found.append((earlier[0], each))
        before |= dict.fromkeys(keys, each)
    return found


def _answers(told: Told, event: ExpectedEvent) -> bool:
    return (
        told.story
        and told.alert.key == event.company_id
        and told.family in event.families
        and event.holds(_moment(told))
    )


def _moment(told: Told) -> datetime:
    return told.at if told.decisive is None else told.decisive.published_at


def _by_company_family(told: Iterable[Told]) -> Iterable[list[datetime]]:
    times: dict[tuple[str, str], list[datetime]] = defaultdict(list)
    for each in told:
        times[each.alert.key, each.family].append(each.at)
    return times.values()


def _busy_days(told: Iterable[Told]) -> Iterable[int]:
    """Yield the notifications of each spell of 24 h that begins with one, per company and family."""
    for times in _by_company_family(told):
        began, count = times[0], 0
        for at in times:
            if at - began >= DAY:
                yield count
                began, count = at, 0
            count += 1
        yield count


def _most_in_a_day(told: Iterable[Told]) -> Iterable[int]:
    """Yield the most notifications within any 24 h, per company and family."""
    for times in _by_company_family(told):
        first = 0
        most = 0
        for last, at in enumerate(times):
            while at - times[first] >= DAY:
                first += 1
            most = max(most, last - first + 1)
        yield most


def _quantile(values: Sequence[float], share: float) -> float | None:
    """The least value that at least a share of all are no greater than (nearest rank)."""
    if not values:
        return None
    ranked = sorted(values)
    return ranked[math.ceil(share * len(ranked)) - 1]
