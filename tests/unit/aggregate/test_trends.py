"""Laws of trends: what is not known is not 0, the past alone says what is usual, noise has no changes."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from monitor.aggregate.changes import change_points
from monitor.aggregate.stage import count
from monitor.aggregate.trends import HISTORY, key_trend, peers, ranking, trend
from monitor.aggregate.weights import Scale, lists_of
from monitor.cli import app
from monitor.domain import EPOCH, ClassifiedArticle, Company, Dimension, Grain, to_micros
from monitor.store import Store, companies
from monitor.store.schema import SCORE_UNIT, WEIGHT_UNIT
from tests.support.make import T0, classified

DAY = timedelta(days=1)
MIDNIGHT = T0.replace(hour=0)
WATCHED = (
    Company("acme", "Acme", sector="Banks"),
    Company("zenith", "Zenith", sector="Banks"),
    Company("lone", "Lone Star"),
)


def rows(scores: list[float | None], reports: int = 5, first: int = 0) -> pd.DataFrame:
    """Day buckets of one key from `first` days after T0 on; ``None`` is a day without news."""
    found = []
    for at, score in enumerate(scores, first):
        if score is None:
            continue
        units, weight = round(score * SCORE_UNIT), reports * WEIGHT_UNIT
        found.append(
            {
                "dimension": "company",
                "key": "acme",
                "start_us": to_micros(MIDNIGHT + at * DAY),
                "items": reports,
                "weight": weight,
                "weighted_sum": weight * units,
                "weighted_squares": weight * (units * units // SCORE_UNIT),
            }
        )
    names = ["dimension", "key", "start_us", "items", "weight", "weighted_sum", "weighted_squares"]
    return pd.DataFrame(found, columns=names)


def of(scores: list[float | None]) -> pd.DataFrame:
    return trend(rows(scores), Grain.DAY, MIDNIGHT, MIDNIGHT + len(scores) * DAY)


scores = st.lists(st.none() | st.floats(-1, 1), min_size=1, max_size=60)


@given(scores)
def test_a_day_without_news_has_no_index_and_no_figure_beyond_its_bounds(
    given_scores: list[float | None],
) -> None:
    table = of(given_scores)
    assert len(table) == len(given_scores)
    assert (table["index"].isna() == [score is None for score in given_scores]).all()
    for name in ("index", "usual", "low", "high", "fast", "slow"):
        assert table[name].dropna().abs().le(1 + 1e-6).all()
    assert table["expected"].isna().all() and table["volume_z"].isna().all()


@given(scores, scores)
def test_what_comes_later_changes_nothing_before_it(
    past: list[float | None], future: list[float | None]
) -> None:
    alone, together = of(past), of([*past, *future]).head(len(past))
    pd.testing.assert_frame_equal(alone, together)


def test_a_steady_key_is_warming_up_then_usual_then_surprised() -> None:
    swing: list[float | None] = [0.1 * (-1) ** day for day in range(20)]
    table = of([*swing, -0.9])
    assert table["index_z"].head(10).isna().all()
    assert table["index_z"].iloc[10:20].abs().max() < 2
    assert table["index_z"].iloc[20] < -5
    assert table["momentum"].iloc[20] < -0.2


def test_two_reports_are_too_few_to_be_unusual() -> None:
    table = trend(
        pd.concat([rows([0.1 * (-1) ** day for day in range(20)]), rows([-0.9], 2, first=20)]),
        Grain.DAY,
        MIDNIGHT,
        MIDNIGHT + 21 * DAY,
    )
    assert table["index"].iloc[20] == pytest.approx(-0.9)
    assert np.isnan(table["index_z"].iloc[20])


def test_momentum_counts_time_and_not_items() -> None:
    few, many = rows([0.5, None, None, -0.5]), rows([0.5, None, None, -0.5], reports=50)
    end = MIDNIGHT + 4 * DAY
    one, other = (trend(each, Grain.DAY, MIDNIGHT, end)["momentum"] for each in (few, many))
    np.testing.assert_allclose(one, other)


@pytest.mark.parametrize("place", [10, 30, 50])
def test_a_change_of_level_is_found_where_it_is(place: int) -> None:
    found = []
    for seed in range(20):
        noise = np.random.default_rng(seed).normal(0, 0.1, 60)
        found.append(change_points(noise + np.where(np.arange(60) >= place, -0.4, 0.0)))
    assert sum(len(each) == 1 and abs(each[0] - place) <= 1 for each in found) >= 18


def test_noise_has_a_change_point_in_one_series_of_twenty_at_most() -> None:
    found = [bool(change_points(np.random.default_rng(s).normal(0, 0.1, 90))) for s in range(200)]
    assert sum(found) <= 10


def test_days_without_news_neither_make_nor_hide_a_change() -> None:
    series = np.full(80, np.nan)
    series[::2] = np.random.default_rng(1).normal(0, 0.05, 40) - 0.5 * (np.arange(40) >= 20)
    assert change_points(series) == [40]


def news() -> list[ClassifiedArticle]:
    """Forty days of Acme (bad at the end), Zenith (good) and Lone Star."""
    return [
        classified(
            f"{company} {day} {at}",
            f"{company} report {day} {at}",
            published_at=MIDNIGHT + day * DAY + at * timedelta(hours=2),
            companies=(company,),
            score=(-0.8 if company == "acme" and day >= 35 else tone) + 0.05 * (-1) ** day,
        )
        for day in range(40)
        for company, tone, often in (("acme", 0.0, 4), ("zenith", 0.4, 3), ("lone", -0.1, 3))
        for at in range(often)
    ]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trends") / "store.db"
    store = Store(f"sqlite:///{path}")
    with store.write() as connection:
        companies.replace(connection, WATCHED, EPOCH)
        count(connection, news(), Scale(lists=lists_of(WATCHED)))
    store.close()
    return path


def test_the_sector_is_the_mean_of_its_reports_and_peers_are_ranked(filled: Path) -> None:
    store = Store(f"sqlite:///{filled}")
    start, end = MIDNIGHT + 35 * DAY, MIDNIGHT + 40 * DAY
    with store.read() as connection:
        ranked = ranking(connection, Dimension.COMPANY, Grain.DAY, start, end)
        sector = key_trend(connection, Dimension.SECTOR, "Banks", Grain.DAY, start, end)
        acme = key_trend(connection, Dimension.COMPANY, "acme", Grain.DAY, start, end)
    store.close()
    assert ranked["key"].tolist() == ["acme", "lone", "zenith"]
    found = peers(ranked, {"acme": "Banks", "zenith": "Banks"}, "acme")
    assert found[["key", "index_rank", "volume_rank"]].values.tolist() == [
        ["acme", 1, 1],
        ["zenith", 2, 2],
    ]
    assert peers(ranked, {"acme": "Banks"}, "lone").empty
    assert sector["items"].tolist() == [7] * 5
    assert sector["index"].iloc[0] == pytest.approx((4 * -0.85 + 3 * 0.35) / 7)
    assert acme["index_z"].iloc[0] < -5
    assert (MIDNIGHT + 35 * DAY) - HISTORY > MIDNIGHT


def test_the_command_shows_ranks_and_one_key(filled: Path) -> None:
    run = CliRunner().invoke
    db = ["--db", f"sqlite:///{filled}"]
    ranked = run(app, ["trends", *db, "--since", "7d"])
    assert ranked.exit_code == 0, ranked.output
    assert ranked.output.splitlines()[1].startswith("Acme")
    one = run(app, ["trends", *db, "--key", "ACME", "--json"])
    table = json.loads(one.output)
    assert table["changes"] == [(MIDNIGHT + 35 * DAY).date().isoformat()]
    assert [peer["key"] for peer in table["peers"]] == ["acme", "zenith"]
    assert table["rows"][-1]["index_z"] is not None
    assert table["rows"][-1]["volume_z"] is not None
    young = run(app, ["trends", *db, "--key", "acme", "--since", "40d", "--json"])
    assert json.loads(young.output)["rows"][0]["index_z"] is None
    listed = run(app, ["trends", *db, "--dimension", "sector", "--csv"])
    assert listed.output.startswith("key,items,reports,index")
    assert "Banks" in listed.output


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--dimension", "mood"], "--dimension mood: write one of market"),
        (["--grain", "minute"], "by the hour or by the day"),
        (["--since", "soon"], "--since soon: write a date"),
        (["--since", "2030-01-01"], "go further back"),
    ],
)
def test_a_wrong_option_is_told(filled: Path, options: list[str], said: str) -> None:
    result = CliRunner().invoke(app, ["trends", "--db", f"sqlite:///{filled}", *options])
    assert said in str(result.exception)
