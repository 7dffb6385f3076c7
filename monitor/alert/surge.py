"""Surge rule: a company's or topic's volume or negativity leaves its own baseline.

At every minute in which a key got an item, the trailing windows (a short one for what breaks, a long one
for what builds up) are compared with what the key's baseline expects of those hours
(`monitor.aggregate.baselines`). Negative items fire at ``negative_z`` with at least ``min_negative`` of
them; volume alone has to be far out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from monitor.aggregate.baselines import Baselines, Rate, z_score
from monitor.alert.states import Life
from monitor.domain import Dimension, Grain
from monitor.store.schema import SCORE_UNIT

MINUTE_US = Grain.MINUTE.seconds * 1_000_000


def whole_minute(moment: datetime) -> datetime:
    """Return the start of a minute: what surges are decided up to."""
    return moment.replace(second=0, microsecond=0)


@dataclass(frozen=True, slots=True)
class SurgeRule:
    """Settings of the surge rule."""

    dimensions: tuple[Dimension, ...] = (Dimension.COMPANY, Dimension.TOPIC)
    windows_minutes: tuple[int, ...] = (180, 1440)
    min_negative: int = 5
    negative_z: float = 3.5
    min_items: int = 12
    volume_z: float = 6.0
    warmup_days: float = 3.0
    history_days: float = 28.0
    quiet_hours: float = 12.0
    cooldown_hours: float = 24.0

    @property
    def life(self) -> Life:
        return Life(timedelta(hours=self.quiet_hours), timedelta(hours=self.cooldown_hours))

    @property
    def longest_us(self) -> int:
        return max(self.windows_minutes) * MINUTE_US


@dataclass(frozen=True, slots=True)
class Surge:
    """One key at one minute: what was seen against what was expected in the window that ends there."""

    dimension: Dimension
    key: str
    end_us: int
    measure: str  # "negative" or "volume"
    observed: int
    expected: float
    z: float
    items: int
    negative: int
    score: float | None
    window_us: int


def surges(
    rule: SurgeRule,
    baselines: Baselines,
    dimension: Dimension,
    minutes: pd.DataFrame,
    after_us: int,
    until_us: int,
) -> Iterator[Surge]:
    """Yield every minute that is out of bounds, by key, then window, then time.

    Parameters
    ----------
    minutes
        Minute buckets of this dimension from the longest window before ``after_us`` on: columns key,
        start_us, items, negative, positive, neutral, score_sum.
    after_us, until_us
        The minutes that start in ``[after_us, until_us)`` are decided.
    """
    if baselines.days < rule.warmup_days:
        return
    for key, part in minutes.groupby("key", sort=True):
        part = part.sort_values("start_us")
        start = part["start_us"].to_numpy()
        deciding = (start >= after_us) & (start < until_us)
        if deciding.any():
            rate = baselines.rate(dimension, str(key))
            for minutes_wide in rule.windows_minutes:
                width_us = minutes_wide * MINUTE_US
                weight = baselines.weight(start + MINUTE_US, width_us)
                yield from _out_of_bounds(
                    rule, rate, weight, dimension, str(key), part, deciding, width_us
                )


def _out_of_bounds(
    rule: SurgeRule,
    rate: Rate,
    weight: NDArray[np.float64],
    dimension: Dimension,
    key: str,
    part: pd.DataFrame,
    deciding: NDArray[np.bool_],
    width_us: int,
) -> Iterator[Surge]:
    """Yield the minutes of one key that are out of bounds in one window."""
    start = part["start_us"].to_numpy()
    end = start + MINUTE_US
    first = np.searchsorted(start, end - width_us, side="left")
    items = _trailing(part["items"].to_numpy(), first)
    negative = _trailing(part["negative"].to_numpy(), first)
    expected_items = rate.items_per_hour * weight
    expected_negative = rate.negative_per_hour * weight
    volume_z = z_score(items.astype(np.float64), expected_items, rate.dispersion)
    negative_z = z_score(negative.astype(np.float64), expected_negative, rate.negative_dispersion)
    by_negative = (negative_z >= rule.negative_z) & (negative >= rule.min_negative)
    by_volume = (volume_z >= rule.volume_z) & (items >= rule.min_items)
    scores = _trailing(part["score_sum"].to_numpy(), first)
    read = _trailing((part["positive"] + part["neutral"]).to_numpy(), first) + negative
    for at in np.flatnonzero(deciding & (by_negative | by_volume)):
        negative_leads = bool(by_negative[at])
        yield Surge(
            dimension=dimension,
            key=key,
            end_us=int(end[at]),
            measure="negative" if negative_leads else "volume",
            observed=int(negative[at] if negative_leads else items[at]),
            expected=float(expected_negative[at] if negative_leads else expected_items[at]),
            z=float(negative_z[at] if negative_leads else volume_z[at]),
            items=int(items[at]),
            negative=int(negative[at]),
            score=float(scores[at]) / SCORE_UNIT / int(read[at]) if read[at] else None,
            window_us=width_us,
        )


def _trailing(values: NDArray[np.int64], first: NDArray[np.intp]) -> NDArray[np.int64]:
    """Return, at each place, the sum from place ``first`` on up to it."""
    total = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(values)])
    return np.asarray(total[1:] - total[first], dtype=np.int64)
