"""Surge rule: the negative news of a company or topic leaves its own baseline.

At every minute in which a key got an item, the trailing windows (a short one for what breaks, a long one
for what builds up) are compared with what the key's baseline expects of those hours
(`monitor.aggregate.baselines`). A surge has ``min_negative`` negative items at least, ``negative_z`` more
of them than usual, and a greater share of them among all items than usual: a day of many reports of the
usual mood (an earnings day) is no risk, and volume alone never fires.

Minutes that are out of bounds in the buckets are decided again with copies counted once
(`monitor.alert.reports`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from monitor.aggregate.baselines import Baselines, Rate, surprise
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


@dataclass(frozen=True, slots=True)
class SurgeRule:
    """Settings of the surge rule."""

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
    expected: float  # negative items
    usual_share: float  # of negative items
    z: float
    items: int
    score: float | None
    window_us: int

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
        Minute buckets of this dimension from the longest window before ``after_us`` on: columns key,
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
        part = part.sort_values("start_us")
        start = part["start_us"].to_numpy()
        deciding = (start >= after_us) & (start < until_us)
        if deciding.any():
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
                found += _clearest(_without_copies(rule, rate, noticed, reports_of))
    return found


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
    expected = rate.negative_per_hour * weight
    z = _z(rate, negative, expected, width_us)
    scores = _trailing(part["score_sum"].to_numpy(), first)
    # Copies may lower the share or raise it: it is asked for where they are counted once.
    unusual = (z >= rule.negative_z) & (negative >= rule.min_negative)
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
        expected = np.array([surge.expected])
        z = float(_z(rate, np.array([negative]), expected, surge.window_us)[0])
        if (
            z >= rule.negative_z
            and negative >= rule.min_negative
            and negative >= rule.least_share(rate) * read
        ):
            yield replace(surge, negative=negative, items=items, z=z)


def _z(
    rate: Rate, negative: Counts, expected: NDArray[np.float64], width_us: int
) -> NDArray[np.float64]:
    return surprise(negative.astype(np.float64), expected, rate.negative_dispersion(width_us))


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
