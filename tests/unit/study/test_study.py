"""A study finds the lead that was put in, nothing where there is none, and never looks ahead."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from monitor.aggregate.stage import count
from monitor.aggregate.weights import Scale
from monitor.cli import app
from monitor.domain import EPOCH, Company, to_micros
from monitor.errors import ConfigError
from monitor.store import Store, companies
from monitor.study.days import closes_us, daily_index, day_of
from monitor.study.events import event_study
from monitor.study.leads import lead_lag
from monitor.study.prices import load_prices
from tests.support.make import classified

NEW_YORK = ZoneInfo("America/New_York")
CLOSE = time(16)
NAMES = ["acme", "zenith", "orbit"]
WATCHED = tuple(Company(name, name.title(), ticker=name[:3].upper()) for name in NAMES)
DAYS = pd.bdate_range("2025-01-01", periods=250, name="day")


def index_of(seed: int) -> pd.DataFrame:
    steps = np.random.default_rng(seed).normal(0, 0.05, (len(DAYS), 3))
    return pd.DataFrame(np.cumsum(steps, axis=0), index=DAYS, columns=NAMES)


def returns_of(seed: int) -> pd.DataFrame:
    """Returns with a factor that all share: companies of a day are not independent."""
    rng = np.random.default_rng(10_000 + seed)
    values = rng.normal(0, 0.01, (len(DAYS), 1)) + rng.normal(0, 0.01, (len(DAYS), 3))
    return pd.DataFrame(values, index=DAYS, columns=NAMES)


@pytest.mark.parametrize("lag", [-4, 0, 3])
def test_a_lead_that_was_put_in_is_found_where_it_is(lag: int) -> None:
    right = 0
    for seed in range(10):
        index = index_of(seed)
        returns = returns_of(seed) + 0.1 * index.diff().shift(lag).fillna(0.0)
        table = lead_lag(index, returns, draws=300)
        best = table.iloc[int(np.argmax(np.abs(table["correlation"].to_numpy(dtype=float))))]
        right += bool(best["lag"] == lag and best["beyond_chance"])
    assert right >= 9


def test_where_nothing_is_the_joint_bounds_say_so() -> None:
    """At 95% confidence one study in twenty is wrong; 60 studies give more than 8 such in 1% of runs."""
    wrong = [
        lead_lag(index_of(s), returns_of(s), draws=300)["beyond_chance"].any() for s in range(60)
    ]
    assert sum(wrong) <= 8


def test_few_days_say_nothing() -> None:
    table = lead_lag(index_of(1).head(20), returns_of(1).head(20), draws=50)
    assert table["correlation"].isna().all()
    assert not table["beyond_chance"].any()


def test_the_same_seed_gives_the_same_bounds() -> None:
    one, other = (lead_lag(index_of(1), returns_of(1), seed=5, draws=100) for _ in range(2))
    pd.testing.assert_frame_equal(one, other)


def cell(table: pd.DataFrame, day: object, name: str) -> float:
    return float({row["day"]: row[name] for row in table.to_dict("records")}[day])


def test_a_fall_after_alerts_is_found_and_its_day_is_right() -> None:
    values, rows = returns_of(3).to_numpy(copy=True), range(12, 230, 12)
    for row in rows:
        values[row + 1, 0] -= 0.03
    returns = pd.DataFrame(values, index=DAYS, columns=NAMES)
    table = event_study(returns, [(row, "acme") for row in rows])
    assert cell(table, 1, "low") < -0.03 < cell(table, 1, "high") < 0
    assert cell(table, "after", "high") < 0
    assert cell(table, "before", "low") < 0 < cell(table, "before", "high")
    assert cell(table, "day", "low") < 0 < cell(table, "day", "high")
    assert (table["events"] == len(rows)).all()


def test_few_alerts_have_a_mean_and_no_interval() -> None:
    table = event_study(returns_of(3), [(50, "acme"), (90, "acme"), (2, "acme")])
    assert cell(table, 0, "events") == 2  # the days before the third are not known
    assert not np.isnan(cell(table, 0, "mean")) and np.isnan(cell(table, 0, "low"))
    assert event_study(returns_of(3), [])["mean"].isna().all()


@given(st.lists(st.integers(0, 40 * 24 * 60), min_size=1, max_size=30))
def test_an_item_belongs_to_the_first_close_that_is_not_before_it(minutes: list[int]) -> None:
    closes = closes_us(DAYS[:20], CLOSE, NEW_YORK)
    moments = np.array([closes[0] - 2 * 86_400_000_000 + m * 60_000_000 for m in minutes])
    for moment, row in zip(moments, day_of(moments, closes), strict=True):
        if row >= 0 and row < len(closes):
            assert moment <= closes[row] and (row == 0 or moment > closes[row - 1])


def put(store: Store, at: datetime, score: float) -> None:
    with store.write() as connection:
        name = at.isoformat()
        count(connection, [classified(name, name, published_at=at, score=score)], Scale())


def test_what_is_published_after_the_close_is_in_the_next_day(sqlite_store: Store) -> None:
    days = pd.DatetimeIndex(["2026-01-08", "2026-01-09", "2026-01-12"], name="day")
    thursday = datetime(2026, 1, 8, 16, 0, tzinfo=NEW_YORK)
    put(sqlite_store, thursday - timedelta(minutes=1), -0.5)
    put(sqlite_store, thursday, 0.25)
    put(sqlite_store, thursday + timedelta(days=2), 0.75)  # Saturday
    with sqlite_store.read() as connection:
        index = daily_index(connection, days, ["acme"], CLOSE, NEW_YORK)
    assert index["acme"].tolist() == [-0.5, 0.25, 0.75]


def test_the_close_follows_summer_time() -> None:
    winter, summer = closes_us(pd.DatetimeIndex(["2026-01-05", "2026-07-06"]), CLOSE, NEW_YORK)
    assert winter % 86_400_000_000 == 21 * 3_600_000_000
    assert summer % 86_400_000_000 == 20 * 3_600_000_000
    assert winter == to_micros(datetime(2026, 1, 5, 21, tzinfo=ZoneInfo("UTC")))


def prices_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "prices.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_closes_become_returns_of_the_watched(tmp_path: Path) -> None:
    path = prices_file(
        tmp_path,
        "Date,Ticker,Close\n2026-01-06,ACM,110\n2026-01-05,acm,100\n2026-01-05,XYZ,5\n",
    )
    prices = load_prices(path, WATCHED)
    assert prices.unknown == ("XYZ",)
    assert prices.returns["acme"].iloc[1] == pytest.approx(np.log(1.1))
    assert np.isnan(prices.returns["acme"].iloc[0])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("date,close\n", ":1: columns are date, close; write date, one of company"),
        ("date,ticker,close\n05/01/2026,ACM,1\n", ":2: date '05/01/2026' is not a day"),
        ("date,ticker,close\n2026-01-05,ACM,0\n", ":2: close '0' is no price"),
        ("date,ticker,close\n2026-01-05,XYZ,1\n", "no price of a watched company; it names XYZ"),
        (
            "date,ticker,close\n2026-01-05,ACM,1\n2026-01-05,ACM,1\n",
            ":3: ACM has a second close on 2026-01-05",
        ),
    ],
)
def test_a_wrong_price_is_told_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_prices(prices_file(tmp_path, text), WATCHED)
    assert said in str(caught.value)


@pytest.fixture
def studied(tmp_path: Path) -> Callable[..., str]:
    """A store whose news goes two days before prices, and the command over it."""
    store = Store(f"sqlite:///{tmp_path}/store.db")
    days, index = DAYS[:80], index_of(2).head(80).clip(-1, 1)
    with store.write() as connection:
        companies.replace(connection, WATCHED, EPOCH)
        items = [
            classified(
                *(f"{name} {day}", f"{name} {day:%Y%m%d}"),
                published_at=datetime.combine(day.date(), time(10), NEW_YORK),
                companies=(name,),
                score=float(index[name].to_numpy()[at]),
            )
            for at, day in enumerate(days)
            for name in NAMES
        ]
        count(connection, items, Scale())
    store.close()
    returns = 0.02 * returns_of(2).head(80) + 0.1 * index.diff().shift(2).fillna(0.0)
    long = returns.reset_index(names="date").melt("date", var_name="company", value_name="return")
    long.to_csv(tmp_path / "prices.csv", index=False)

    def run(*options: str) -> str:
        base = [
            "study",
            "--prices",
            f"{tmp_path}/prices.csv",
            "--db",
            f"sqlite:///{tmp_path}/store.db",
        ]
        result = CliRunner().invoke(app, [*base, *options])
        assert result.exit_code == 0, result.output
        return result.output

    return run


def test_the_command_tells_the_lead_and_that_it_is_no_advice(
    studied: Callable[..., str], tmp_path: Path
) -> None:
    text = studied("--lags", "5", "--html", f"{tmp_path}/study.html")
    assert "the index changed 2 trading days before the return" in text
    assert "no advice" in text
    page = (tmp_path / "study.html").read_text("utf-8")
    assert "<svg" in page and "no advice" in page
    found = json.loads(studied("--lags", "5", "--json"))
    assert [row["lag"] for row in found["leads"] if row["beyond_chance"]] == [2]
    assert found["events"][0]["mean"] is None
