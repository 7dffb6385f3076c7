"""What the queue asks: mixed as it was told, the same for the same, no text twice, reasons that hold."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.domain import digest
from monitor.relabel.queue import KNOWN, SECOND, choose
from monitor.relabel.samplers import BY_CHANCE, SAMPLERS, SHARES, Candidate
from tests.support.make import T0

TOPICS = ("Earnings", "Macro", "IPO")


def candidate(number: int, **fields: object) -> Candidate:
    found = Candidate(
        key=(digest(f"n{number}"), "0"),
        text=f"text {number}",
        words=frozenset({"profit", f"word{number}"}),
        at=T0 + timedelta(minutes=number),
        doubt=(number * 37 % 100) / 100,
        classes={"topic": TOPICS[0 if number % 10 else 1 + number // 10 % 2]},
        quarrels=("they differ",) if number % 7 == 0 else (),
        verdict="false" if number % 11 == 0 else "",
    )
    return replace(found, **fields)  # type: ignore[arg-type]


POOL = [candidate(number) for number in range(300)]


@given(st.randoms(use_true_random=False), st.integers(0, 5), st.sampled_from(["ann", "bob"]))
def test_a_queue_depends_on_store_person_and_seed_alone(
    chance: random.Random, seed: int, who: str
) -> None:
    mixed = POOL[:]
    chance.shuffle(mixed)
    asked = choose(mixed, SHARES, 40, who, seed, second=mixed[:30], second_share=0.2)
    assert asked == choose(POOL, SHARES, 40, who, seed, second=mixed[:30], second_share=0.2)


def test_another_person_and_another_seed_are_asked_otherwise() -> None:
    queues = [choose(POOL, SHARES, 40, *of) for of in (("ann", 1), ("bob", 1), ("ann", 2))]
    assert len({tuple(queue) for queue in queues}) == 3


SHARE = st.dictionaries(
    st.sampled_from(["uncertain", "rare", "random"]), st.integers(1, 9), min_size=1
)


@given(SHARE, st.floats(0, 0.4), st.floats(0, 0.3))
def test_every_beginning_of_a_queue_is_mixed_as_told(
    shares: dict[str, float], second: float, known: float
) -> None:
    others = [candidate(1000 + n) for n in range(60)]
    asked = choose(
        POOL, shares, 60, "ann", 1, second=others[:30], second_share=second, known=others[30:],
        known_share=known,
    )  # fmt: skip
    assert len({choice.key for choice in asked}) == len(asked) == 60
    whole = sum(shares.values())
    due = {name: (1 - second - known) * share / whole for name, share in shares.items()}
    due |= {SECOND: second, KNOWN: known}
    for length in (20, 40, 60):
        counts = Counter(choice.sampler for choice in asked[:length])
        for name, share in due.items():
            # Largest deficit first: never further from the share than the number of reasons.
            assert abs(counts[name] - share * length) <= len(due)


def test_a_text_is_asked_once_and_what_runs_out_leaves_its_turns() -> None:
    copies = [candidate(n, text=f"text {n % 5}") for n in range(50)]
    asked = choose(copies, {"random": 0.5, "wrong": 0.5}, 40, "ann", 1)
    texts = {copies[n].key: copies[n].text for n in range(50)}
    assert sorted(texts[choice.key] for choice in asked) == [f"text {n}" for n in range(5)]
    few = choose(POOL, {"wrong": 9, "random": 1}, 100, "ann", 1)
    counts = Counter(choice.sampler for choice in few)
    assert counts == {"wrong": 28, "random": 72}
    assert choose([], SHARES, 5, "ann", 1) == []


def test_checks_and_second_opinions_look_like_any_sample() -> None:
    asked = choose(
        POOL[:10], {"random": 1}, 12, "ann", 1, second=POOL[20:30], second_share=0.3,
        known=POOL[40:50], known_share=0.3,
    )  # fmt: skip
    assert {choice.sampler for choice in asked} == {"random", SECOND, KNOWN}
    assert {choice.why for choice in asked} == {BY_CHANCE}


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_orders_some_places_once_and_says_why(name: str) -> None:
    sampler = SAMPLERS[name]
    assert sampler.order([], lambda _: 0.5) == []
    order = sampler.order(POOL, _dice)
    assert order and len(set(order)) == len(order)
    assert order == sampler.order(POOL, _dice)
    why = sampler.why(POOL[order[0]])
    assert why and not any(topic in why for topic in TOPICS)
    assert sampler.__doc__


def test_the_unsure_the_rare_and_the_new_come_first() -> None:
    doubts = [POOL[place].doubt for place in SAMPLERS["uncertain"].order(POOL, _dice)[:30]]
    assert sum(doubts) / 30 > 0.9  # type: ignore[arg-type]
    kinds = Counter(POOL[p].classes["topic"] for p in SAMPLERS["rare"].order(POOL, _dice)[:30])
    assert kinds["Macro"] + kinds["IPO"] >= 15  # a tenth of all are
    assert all(POOL[place].verdict for place in SAMPLERS["wrong"].order(POOL, _dice))
    odd = [replace(POOL[299], words=frozenset({"krill", "quota"}), key=("odd", "0")), *POOL[:280]]
    assert SAMPLERS["drift"].order(odd, lambda _: 0.5)[0] == 0
    assert [
        POOL[p].doubt for p in SAMPLERS["uncertain"].order([candidate(1, doubt=None)], _dice)
    ] == []


def _dice(each: Candidate) -> float:
    return (int(digest(each.key[0])[:8], 16) + 0.5) / 16**8
