"""Near-duplicates: what is found is right, and little is missed."""

from __future__ import annotations

import random
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.dataset.near import SHINGLE_CHARS, jaccard, minhash, near_duplicates, shingles

WORDS = [
    "oil", "gold", "bank", "shares", "profit", "loss", "cuts", "raises", "outlook", "dividend",
    "merger", "deal", "probe", "fed", "rates", "euro", "bond", "tech", "chips", "strike", "opec",
]  # fmt: skip
headlines = st.lists(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=8).map(" ".join),
    min_size=2,
    max_size=25,
    unique=True,
)


def shingle_set(text: str) -> frozenset[str]:
    text = text.ljust(SHINGLE_CHARS, "\0")
    return frozenset(text[i : i + SHINGLE_CHARS] for i in range(len(text) - SHINGLE_CHARS + 1))


def similarity(first: str, second: str) -> float:
    one, other = shingle_set(first), shingle_set(second)
    return len(one & other) / len(one | other)


@settings(max_examples=60, deadline=None)
@given(headlines, st.sampled_from([0.5, 0.7, 0.8, 0.95]), st.integers(0, 2**32))
def test_found_is_right_and_everything_well_above_the_threshold_is_found(
    texts: list[str], threshold: float, seed: int
) -> None:
    found = {
        (p.first, p.second): p.similarity for p in near_duplicates(texts, threshold, seed=seed)
    }
    for i, j in combinations(range(len(texts)), 2):
        true = similarity(texts[i], texts[j])
        if (i, j) in found:
            assert found[i, j] == pytest.approx(true)
            assert true >= threshold
        else:
            assert true < min(1.0, threshold + 0.15)


def test_planted_near_duplicates_are_recalled() -> None:
    rng = random.Random(5)
    texts: list[str] = []
    planted: list[tuple[int, int]] = []
    while len(planted) < 1_000:
        text = " ".join(rng.choices(WORDS, k=12)) + f" {rng.getrandbits(32):x}"
        at = rng.randrange(len(text) - 1)
        changed = text[:at] + "#" + text[at + 1 :]
        if similarity(text, changed) >= 0.8:
            planted.append((len(texts), len(texts) + 1))
            texts += [text, changed]
    found = {(p.first, p.second) for p in near_duplicates(texts)}
    assert len(set(planted) - found) <= 3


def test_signatures_estimate_jaccard() -> None:
    first, second = "shares of acme rise on profit outlook", "shares of acme fall on profit outlook"
    hashes, starts = shingles([first, second])
    whole = [frozenset(hashes[starts[i] : starts[i + 1]].tolist()) for i in (0, 1)]
    assert jaccard(*whole) == pytest.approx(similarity(first, second))
    estimates = [(np.equal(*minhash(hashes, starts, seed))).mean() for seed in range(30)]
    assert np.mean(estimates) == pytest.approx(similarity(first, second), abs=0.03)


@given(st.lists(st.text(max_size=12), max_size=6))
@settings(max_examples=60, deadline=None)
def test_any_text_has_its_own_shingles(texts: list[str]) -> None:
    hashes, starts = shingles(texts)
    assert [starts[i + 1] - starts[i] for i in range(len(texts))] == [
        len(shingle_set(text)) for text in texts
    ]
    assert len(hashes) == starts[-1]


def test_few_texts_and_a_wrong_threshold() -> None:
    assert list(near_duplicates([])) == list(near_duplicates(["one"])) == []
    assert list(near_duplicates(["ab", "cd"])) == []
    with pytest.raises(ValueError, match=r"\(0, 1\], got 0"):
        list(near_duplicates(["a", "b"], 0.0))
