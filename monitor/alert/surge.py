"""Surge rule: the news of a company or topic leaves its own baseline.

At every minute in which a key got an item, the trailing windows (a short one for what breaks, a long one
for what builds up) are compared with what the key's baseline expects of those hours
(`monitor.aggregate.baselines`). A surge has ``min_negative`` negative items at least, ``negative_z`` more
of them than usual, and a greater share of them among all items than usual: a day of many reports of the
usual mood (an earnings day) is no risk, and volume alone never fires.

That is the measure "negative". A rule may ask for another: "share" looks at how much of what the model read
is negative, however many items there are (`share_surprise`), "volume" at the number of items, whatever
their mood. With ``hold_minutes`` a surge counts only when it has held, without a break, for so long.

Minutes that are out of bounds in the buckets are decided again with copies counted once
(`monitor.alert.reports`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from monitor.aggregate.baselines import Baselines, Rate
from monitor.aggregate.deviations import surprise
from monitor.alert.reports import ReportsOf
from monitor.alert.states import Life
from monitor.domain import Dimension, Grain
from monitor.store.schema import SCORE_UNIT

MINUTE_US = Grain.MINUTE.seconds * 1_000_000
# A share this far on the way from the usual one to one is unusual for any key. So negative items that are
# half as many as all others of the window always pass, however the share swings.
UNMISTAKABLE = 1 / 3

Counts = NDArray[np.int64]


def whole_minute(moment: datetime) -> datetime:
    """Return the start of a minute: what surges are decided up to."""
    return moment.replace(second=0, microsecond=0)


class Measure(StrEnum):
    """What of the news surges."""

    NEGATIVE = "negative"
    SHARE = "share"
    VOLUME = "volume"


@dataclass(frozen=True, slots=True)
class SurgeRule:
    """One surge rule. ``companies`` and ``topics`` narrow it; ``None`` is no bound."""

    name: str = "negative-surge"
    description: str = "Negative news, and its share of all news, leaves its own baseline."
    measure: Measure = Measure.NEGATIVE
    companies: frozenset[str] | None = None
    topics: frozenset[str] | None = None
    hold_minutes: int = 0
    min_items: int = 20  # of the measures "share" (items that the model read) and "volume"
    volume_z: float = 4.5
    dimensions: tuple[Dimension, ...] = (Dimension.COMPANY, Dimension.TOPIC)
    windows_minutes: tuple[int, ...] = (180, 1440)
    min_negative: int = 5
    negative_z: float = 4.5
    share_z: float = 2.0
    warmup_days: float = 7.0
    history_days: float = 28.0
    quiet_hours: float = 12.0
    cooldown_hours: float = 24.0

    @property
    def life(self) -> Life:
        return Life(timedelta(hours=self.quiet_hours), timedelta(hours=self.cooldown_hours))

    @property
    def widths_us(self) -> tuple[int, ...]:
        return tuple(minutes * MINUTE_US for minutes in self.windows_minutes)

    @property
    def longest_us(self) -> int:
        return max(self.widths_us)

    @property
    def hold_us(self) -> int:
        return self.hold_minutes * MINUTE_US

    @property
    def lookback_us(self) -> int:
        """How much before the first minute that is decided has to be known."""
        return self.longest_us if not self.hold_us else 2 * (self.longest_us + self.hold_us)

    def watches(self, dimension: Dimension, key: str) -> bool:
        watched = {Dimension.COMPANY: self.companies, Dimension.TOPIC: self.topics}.get(dimension)
        return watched is None or key in watched

    def least_share(self, rate: Rate) -> float:
        """Return the negative share of a window from which on it is unusual for a key.

        Examples
        --------
        >>> rule = SurgeRule(share_z=2)
        >>> round(rule.least_share(Rate(1.0, 0.4, 1.0, None, share=0.4, share_spread=0.05)), 3)
        0.5
        >>> round(rule.least_share(Rate(1.0, 0.4, 1.0, None, share=0.4, share_spread=0.3)), 3)
        0.6
        """
        return rate.share + min(self.share_z * rate.share_spread, (1 - rate.share) * UNMISTAKABLE)


@dataclass(frozen=True, slots=True)
class Surge:
    """One key at one minute: what was seen against what was expected in the window that ends there."""

    dimension: Dimension
    key: str
    end_us: int
    negative: int
    expected: float  # of what is measured: negative items, or all items for a volume
    usual_share: float  # of negative items
    z: float
    items: int
    score: float | None
    window_us: int
    measure: Measure = Measure.NEGATIVE

    @property
    def start_us(self) -> int:
        return self.end_us - self.window_us


def surges(
    rule: SurgeRule,
    baselines: Baselines,
    dimension: Dimension,
    minutes: pd.DataFrame,
    after_us: int,
    until_us: int,
    reports_of: ReportsOf,
) -> list[Surge]:
    """Return every minute with a surge, by key and time, each in its clearest window.

    Parameters
    ----------
    minutes
        Minute buckets of this dimension from ``rule.lookback_us`` before ``after_us`` on: columns key,
        start_us, items, negative, positive, neutral, score_sum.
    after_us, until_us
        The minutes that start in ``[after_us, until_us)`` are decided.
    reports_of
        Gives the reports of a key; asked only for keys that are out of bounds in the buckets.
    """
    found: list[Surge] = []
    if baselines.days < rule.warmup_days:
        return found
    for key, part in minutes.groupby("key", sort=True):
        if not rule.watches(dimension, str(key)):
            continue
        part = part.sort_values("start_us")
        if rule.hold_us:
            part = _with_ends_of_hold(part, rule.hold_us, until_us)
        start = part["start_us"].to_numpy()
        deciding = (start >= after_us) & (start < until_us)
        if deciding.any():
            if rule.hold_us:
                deciding = start >= after_us - rule.hold_us - rule.longest_us
            rate = baselines.rate(dimension, str(key))
            noticed = [
                surge
                for width_us in rule.widths_us
                for surge in _out_of_bounds(
                    rule,
                    rate,
                    baselines.weight(start + MINUTE_US, width_us),
                    (dimension, str(key)),
                    part,
                    deciding,
                    width_us,
                )
            ]
            if noticed:
                clear = _clearest(_without_copies(rule, rate, noticed, reports_of))
                found += _held(rule, clear, start, after_us) if rule.hold_us else clear
    return found


def share_surprise(negative: Counts, read: Counts, rate: Rate) -> NDArray[np.float64]:
    """Return how far negative shares are above the usual one, in standard deviations.

    The variance is that of the share from day to day and that of a sample of ``read`` items. Where the day
    to day swing is not known, nothing is surprising.

    Examples
    --------
    >>> rate = Rate(1.0, 0.4, 1.0, None, share=0.4, share_spread=0.05)
    >>> share_surprise(np.array([16, 28]), np.array([40, 40]), rate).round(1)
    array([0. , 3.3])
    """
    sampled = rate.share * (1 - rate.share) / np.maximum(read, 1)
    spread = np.sqrt(rate.share_spread**2 + sampled)
    return np.asarray((negative / np.maximum(read, 1) - rate.share) / spread, dtype=np.float64)


def _with_ends_of_hold(part: pd.DataFrame, hold_us: int, until_us: int) -> pd.DataFrame:
    """Add the minutes at which what began in a minute has held for long enough: nothing new has to come."""
    ends = part["start_us"].to_numpy() + hold_us
    ends = np.setdiff1d(ends[ends < until_us], part["start_us"].to_numpy())
    sums = ["items", "negative", "positive", "neutral", "score_sum"]
    added = pd.DataFrame({"start_us": ends}).assign(**dict.fromkeys(sums, 0))
    return pd.concat([part[["start_us", *sums]], added]).sort_values("start_us")


def _held(
    rule: SurgeRule, found: list[Surge], looked_at: NDArray[np.int64], after_us: int
) -> list[Surge]:
    """Return the surges that go on, without a break, since the length of the hold at least.

    ``looked_at`` are the starts of all minutes that were looked at: one without a surge is a break, and so is
    a pause longer than any window.
    """
    surging = {surge.end_us - MINUTE_US for surge in found}
    began_us = last_us = None
    held: dict[int, bool] = {}
    for start_us in map(int, looked_at):
        if start_us not in surging:
            last_us = None
            continue
        if last_us is None or began_us is None or start_us - last_us > rule.longest_us:
            began_us = start_us
        last_us = start_us
        held[start_us] = start_us - began_us >= rule.hold_us
    return [
        surge
        for surge in found
        if surge.end_us - MINUTE_US >= after_us and held[surge.end_us - MINUTE_US]
    ]


def _out_of_bounds(
    rule: SurgeRule,
    rate: Rate,
    weight: NDArray[np.float64],
    place: tuple[Dimension, str],
    part: pd.DataFrame,
    deciding: NDArray[np.bool_],
    width_us: int,
) -> Iterator[Surge]:
    """Yield the minutes of one key that are out of bounds in one window, copies and all."""
    start = part["start_us"].to_numpy()
    end = start + MINUTE_US
    first = np.searchsorted(start, end - width_us, side="left")
    items = _trailing(part["items"].to_numpy(), first)
    negative = _trailing(part["negative"].to_numpy(), first)
    read = _trailing((part["positive"] + part["neutral"]).to_numpy(), first) + negative
    per_hour = rate.items_per_hour if rule.measure is Measure.VOLUME else rate.negative_per_hour
    expected = per_hour * weight
    z, unusual = _unusual(rule, rate, items, read, negative, expected, width_us)
    scores = _trailing(part["score_sum"].to_numpy(), first)
    for at in np.flatnonzero(deciding & unusual):
        yield Surge(
            dimension=place[0],
            key=place[1],
            end_us=int(end[at]),
            negative=int(negative[at]),
            expected=float(expected[at]),
            usual_share=rate.share,
            z=float(z[at]),
            items=int(items[at]),
            score=float(scores[at]) / SCORE_UNIT / int(read[at]) if read[at] else None,
            window_us=width_us,
            measure=rule.measure,
        )


def _without_copies(
    rule: SurgeRule, rate: Rate, noticed: list[Surge], reports_of: ReportsOf
) -> Iterator[Surge]:
    """Yield what is still a surge of one key when every report counts once."""
    reports = reports_of(
        noticed[0].dimension,
        noticed[0].key,
        min(surge.start_us for surge in noticed),
        max(surge.end_us for surge in noticed),
    )
    for surge in noticed:
        items, read, negative = reports.count(surge.start_us, surge.end_us)
        z, unusual = _unusual(
            rule,
            rate,
            np.array([items]),
            np.array([read]),
            np.array([negative]),
            np.array([surge.expected]),
            surge.window_us,
        )
        # Copies may lower the share or raise it: it is asked for where they are counted once.
        bad = rule.measure is not Measure.NEGATIVE or negative >= rule.least_share(rate) * read
        if unusual[0] and bad:
            yield replace(surge, negative=negative, items=items, z=float(z[0]))


def _unusual(
    rule: SurgeRule,
    rate: Rate,
    items: Counts,
    read: Counts,
    negative: Counts,
    expected: NDArray[np.float64],
    width_us: int,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return how surprising windows are by the rule's measure, and which are out of its bounds."""
    if rule.measure is Measure.SHARE:
        z = share_surprise(negative, read, rate)
        return z, (z >= rule.share_z) & (read >= rule.min_items)
    if rule.measure is Measure.VOLUME:
        z = surprise(items.astype(np.float64), expected, rate.dispersion)
        return z, (z >= rule.volume_z) & (items >= rule.min_items)
    z = surprise(negative.astype(np.float64), expected, rate.negative_dispersion(width_us))
    return z, (z >= rule.negative_z) & (negative >= rule.min_negative)


def _clearest(found: Iterable[Surge]) -> list[Surge]:
    """Return each minute's surge once, in the window where it is clearest, in order of time."""
    best: dict[int, Surge] = {}
    for surge in found:
        if surge.end_us not in best or surge.z > best[surge.end_us].z:
            best[surge.end_us] = surge
    return [best[end_us] for end_us in sorted(best)]


def _trailing(values: Counts, first: NDArray[np.intp]) -> Counts:
    """Return, at each place, the sum from place ``first`` on up to it."""
    total = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(values)])
    return np.asarray(total[1:] - total[first], dtype=np.int64)
