"""Perturbations: deterministic, each changes something, none changes much."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.robustness import PERTURBATIONS, perturb
from models.text import model_input, normalise

TEXT = (
    'Halden\'s CEO resigns as regulator opens "probe"; outlook falls 12% to $3.2 https://t.co/aB1'
)


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_each_changes_the_text_the_same_way_every_time(name: str) -> None:
    changed = perturb(name, TEXT, 3)
    assert changed != TEXT
    assert changed == perturb(name, TEXT, 3)
    assert PERTURBATIONS[name].__doc__
    assert "https://t.co/aB1" in changed


@pytest.mark.parametrize("name", ["typo_swap", "typo_drop", "typo_key", "synonyms", "whitespace"])
def test_seeds_differ(name: str) -> None:
    assert len({perturb(name, TEXT, seed) for seed in range(10)}) > 1


@pytest.mark.parametrize("name", PERTURBATIONS)
@given(text=st.text(max_size=80), seed=st.integers(0, 3))
def test_none_swells_or_eats_a_text(name: str, text: str, seed: int) -> None:
    plain = normalise(text)
    read = normalise(perturb(name, plain, seed))
    assert len(read) <= 3 * len(plain) + 20
    assert len(read.split()) >= len(plain.split()) - 1


@pytest.mark.parametrize("name", ["full_width", "invisible", "whitespace"])
def test_normalising_undoes_what_is_only_typography(name: str) -> None:
    assert model_input(perturb(name, TEXT)) == model_input(TEXT)


@pytest.mark.parametrize("name", ["typo_swap", "typo_drop", "typo_key", "homoglyphs"])
def test_figures_tickers_and_names_in_capitals_are_left_alone(name: str) -> None:
    text = "$TSLA Q3 EPS 1.25 vs IBM 10-K @reuters up 3.5% #gold"
    assert perturb(name, text) == text


def test_synonyms_keep_their_case() -> None:
    assert perturb("synonyms", "Halden Lowers 2020 view") == "Halden Reduces 2020 view"
    assert perturb("synonyms", "HALDEN LOWERS VIEW") == "HALDEN REDUCES VIEW"
    assert perturb("synonyms", "Halden CEO leaves") == "Halden chief executive leaves"
    assert perturb("synonyms", "its chief executive leaves") == "its CEO leaves"
    assert perturb("synonyms", "Fed decides") == "Federal Reserve decides"
    assert perturb("synonyms", "unlowers $LOWERS #probe") == "unlowers $LOWERS #probe"
