"""Augmentation in a run: a share of each epoch's rows, by seed, in training only, with label and company."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.dataset.augment import Augmentation, by_name
from models.dataset.back_translation import BackTranslation
from models.dataset.entity_swap import Company, EntitySwap
from models.labels import EMBEDDING, Head, HeadKind
from models.tables import Labelled
from models.targets import mark_target
from models.training.batches import Rows
from models.training.config import DataConfig, TrainConfig, make_config
from models.training.data import Source, texts_of
from models.training.vary import Vary, change, varying

MOOD = Head("mood", HeadKind.SINGLE, ("down", "up"))
TARGET = Head("target", HeadKind.TARGET, ("down", "up"))


def source(head: Head, texts: Sequence[str], targets: Sequence[str] = (), **more: Any) -> Source:
    part = Labelled(tuple(texts), np.arange(len(texts)) % 2, tuple(targets))
    held_out = Labelled(("Acme soars 11%",), np.array([1]), tuple(targets[:1]))
    entry = DataConfig(head=head.name, file="f", target="t" if targets else None, **more)
    splits = {"train": part, "valid": held_out}
    return Source(head.name, head, Path("f"), "", entry, splits)


def config(**augment: Any) -> TrainConfig:
    table: dict[str, Any] = {"heads": {"mood": {}, "target": {"kind": "target"}}}
    table["data"] = [
        {"head": "mood", "file": "f"},
        {"head": "target", "file": "f", "target": "t"},
    ]
    return make_config(table | {"augment": augment}, "test")


def read(sources: Sequence[Source]) -> dict[str, Rows]:
    """Rows whose tokens are the characters, and a teacher who counts them."""
    found = {}
    for head in dict.fromkeys(source.head.name for source in sources):
        texts = [t for s in sources if s.head.name == head for t in texts_of(s, "train")]
        ids = tuple([ord(c) for c in text] for text in texts)
        count = np.array([[len(text), 0] for text in texts], dtype=np.float32)
        zeros = np.zeros(len(texts), dtype=np.int64)
        shared = {EMBEDDING: 2 * count}
        found[head] = Rows(ids, zeros, zeros, {"mood": count}, shared, {"mood": -count})
    return found


def texts(rows: Rows) -> list[str]:
    return ["".join(map(chr, ids)) for ids in rows.ids]


def vary_of(chosen: TrainConfig, sources: Sequence[Source]) -> Vary:
    made = varying(chosen, sources, Path("unused"), read)
    assert made is not None
    return made


NEWS = [f"Acme {i} shares surge {10 + i / 8}% on profit of ${i}.25 million" for i in range(80)]
DULL = ["Nothing here to change" for _ in range(20)]


def test_a_share_of_each_epochs_rows_is_changed_by_seed_with_their_soft_labels() -> None:
    sources = [source(MOOD, [*NEWS, *DULL])]
    plain = read(sources)
    # Another head that knows some of these texts.
    known = {**plain["mood"].shared, "risk": np.arange(100, dtype=np.float32)[:, None]}
    plain["mood"] = replace(plain["mood"], shared=known)
    vary = vary_of(config(share=0.5), sources)
    epochs = [vary(number, plain)["mood"] for number in (0, 1)]
    for rows in epochs:
        changed = [i for i, text in enumerate(texts(rows)) if text != texts(plain["mood"])[i]]
        assert 25 <= len(changed) <= 50  # half of the rows, less those that have nothing to change
        assert max(changed) < 80
        # Teachers' answers are about the text that is read, not the one it was made from.
        assert [n for n, _ in rows.soft["mood"]] == [len(text) for text in texts(rows)]
        assert [-n for n, _ in rows.before["mood"]] == [len(text) for text in texts(rows)]
        assert [n / 2 for n, _ in rows.shared[EMBEDDING]] == [len(text) for text in texts(rows)]
        assert rows.shared["risk"] is known["risk"]
        assert rows.labels is plain["mood"].labels
    assert texts(epochs[0]) != texts(epochs[1])
    assert texts(vary(0, plain)["mood"]) == texts(epochs[0])
    other = make_config(config(share=0.5).model_dump() | {"fit": {"seed": 1}}, "test")
    assert texts(vary_of(other, sources)(0, plain)["mood"]) != texts(epochs[0])
    assert texts(plain["mood"]) == [*NEWS, *DULL]


def test_per_head_and_per_set() -> None:
    assert varying(config(share=0.0), [source(MOOD, NEWS)], Path("unused"), read) is None
    first, second = source(MOOD, NEWS), source(MOOD, NEWS, augment=0.0)
    target = source(TARGET, NEWS, ["Acme"] * len(NEWS))
    sources = [second, first, target]
    plain = read(sources)

    def changed(chosen: TrainConfig) -> Mapping[str, list[bool]]:
        rows = vary_of(chosen, sources)(0, plain)
        return {
            head: [a != b for a, b in zip(found.ids, plain[head].ids, strict=True)]
            for head, found in rows.items()
        }

    everywhere = changed(config(share=0.9, kinds=["numbers"]))
    assert not any(everywhere["mood"][:80])  # the set that wants none
    assert sum(everywhere["mood"][80:]) > 50
    assert sum(everywhere["target"]) > 50
    one = changed(config(share=0.9, kinds=["numbers"], heads=["target"]))
    assert not any(one["mood"])
    assert sum(one["target"]) > 50


COMPANIES = (
    Company(("Acme Corp", "Acme"), "tools"),
    Company(("Brightwater",), "tools"),
    Company(("Cobalt",), "tools"),
)


def test_the_company_asked_about_stays_and_no_other_takes_its_name() -> None:
    chain: list[Augmentation] = [EntitySwap(COMPANIES), *by_name(["numbers", "synonyms"])]
    news = ["Acme beats Cobalt as shares surge 12.5%", "Brightwater sues Acme Corp (Acme)"] * 20
    asked = ["Acme", "Brightwater"] * 20
    seen = set()
    for seed in range(10):
        made = change(source(TARGET, news, asked), range(40), chain, frozenset(), seed)
        part = made.source.splits["train"]
        assert len(part) > 10
        for text, company, at in zip(part.texts, part.targets, made.positions, strict=True):
            assert company == asked[at]
            before, after = (mark_target(t, [company]) for t in (news[at], text))
            assert after.count("[unused1]") == before.count("[unused1]") == 1
            # Who wins and who loses is as before, seen from the company asked about.
            assert after.index("[unused1]") == before.index("[unused1]") == 0
            seen.add(text.split()[2])
        assert np.array_equal(part.labels, (np.arange(40) % 2)[made.positions])
    assert {"Brightwater", "Cobalt"} <= seen  # the other company is another one now and then


def test_no_row_becomes_a_text_the_head_is_measured_by() -> None:
    class Copies:
        name = "copies"

        def augment(self, text: str, rng: object) -> str:
            return "ACME soars 11%"

    rows = source(MOOD, ["Acme soars 12%"])
    assert len(change(rows, [0], [Copies()], frozenset(), 1).positions) == 1
    assert len(change(rows, [0], [Copies()], frozenset({"acme soars 11%"}), 1).positions) == 0
    sources = [rows]
    plain = read(sources)
    vary = vary_of(config(share=1.0, kinds=["numbers"]), sources)
    found = {texts(vary(epoch, plain)["mood"])[0] for epoch in range(60)}
    assert len(found) > 3
    assert "Acme soars 11%" not in found


@pytest.mark.parametrize(
    ("back", "expected"),
    [
        (lambda text: text.replace("rises", "climbs"), "Orion climbs 3% as Acme falls"),
        (lambda text: text.replace("Orion", "the firm"), None),  # nobody is left to ask about
    ],
)
def test_back_translation_reads_the_name_and_must_give_it_back(
    tmp_path: Path, back: Callable[[str], str], expected: str | None
) -> None:
    asked: list[str] = []

    def away(texts: Sequence[str]) -> list[str]:
        asked.extend(texts)
        return list(texts)

    chain = [BackTranslation(away, lambda texts: [back(t) for t in texts], "x", tmp_path)]
    rows = source(TARGET, ["Orion rises 3% as Acme falls"], ["Orion"])
    for _ in range(2):
        made = change(rows, [0], chain, frozenset(), 1).source.splits["train"]
        assert list(made.texts) == ([expected] if expected else [])
    assert asked == ["Orion rises 3% as Acme falls"]  # once, and by name
