"""Augmentations: deterministic, and what the label hangs on is kept."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from models.dataset.augment import REGISTRY, SAMPLES, augmented, by_name
from models.dataset.back_translation import BackTranslation
from models.dataset.entity_swap import Company, EntitySwap
from models.dataset.number_change import NumberChange
from models.dataset.synonyms import Synonyms
from models.errors import BundleError, DataError

NUMBER = re.compile(r"\d+(?:,\d{2,3})*(?:\.\d+)?")


def test_every_entry_has_a_sample() -> None:
    assert set(SAMPLES) == set(REGISTRY)


@pytest.mark.parametrize("name", REGISTRY)
def test_an_entry_changes_its_sample_and_keeps_its_name(name: str) -> None:
    augmentation = REGISTRY[name]()
    assert augmentation.name == name
    assert augmented([SAMPLES[name]], [augmentation])


@pytest.mark.parametrize("name", REGISTRY)
@settings(max_examples=60, deadline=None)
@given(
    text=st.one_of(st.text(), st.sampled_from(list(SAMPLES.values()))), seed=st.integers(0, 2**32)
)
def test_a_seed_fixes_the_outcome_for_any_text(name: str, text: str, seed: int) -> None:
    augmentation = REGISTRY[name]()
    first = augmentation.augment(text, random.Random(seed))
    assert augmentation.augment(text, random.Random(seed)) == first
    assert REGISTRY[name]().augment(text, random.Random(seed)) == first


def test_neither_order_nor_number_of_texts_matters() -> None:
    texts = [*SAMPLES.values(), "Nothing here to change"]
    chain = by_name(list(REGISTRY))
    forward = {texts[i]: new for i, new in augmented(texts, chain)}
    backward = {texts[::-1][i]: new for i, new in augmented(texts[::-1], chain)}
    assert forward == backward
    assert set(forward) == set(SAMPLES.values())
    assert augmented(texts, chain, seed=1) != augmented(texts, chain, seed=2)
    several = [new for i, new in augmented(texts[:1], chain, copies=5) if i == 0]
    assert len(several) == len(set(several)) > 1
    with pytest.raises(DataError, match="no augmentation 'noise'; there are 'entities'"):
        by_name(["noise"])


# Numbers.


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["$", "€", "Rs ", "", "-", "+"]),
            st.one_of(
                st.decimals(0, 10_000, places=2).map(str),
                st.integers(0, 5_000).map(str),
                st.integers(1_000, 10**8).map("{:,}".format),
            ),
            st.sampled_from(["%", " million", "bn", " crore", "", " points"]),
        ),
        min_size=1,
        max_size=5,
    ),
    st.integers(0, 2**32),
)
@example([("$", "99,999,995", "%")], 0)  # rounds to the next power of ten
def test_order_sign_form_and_power_of_ten_stay(
    parts: list[tuple[str, str, str]], seed: int
) -> None:
    text = " vs ".join("".join(part) for part in parts)
    new = NumberChange().augment(text, random.Random(seed))
    assert NUMBER.sub("#", new) == NUMBER.sub("#", text)
    old_written, new_written = NUMBER.findall(text), NUMBER.findall(new)
    old = [float(n.replace(",", "")) for n in old_written]
    changed = [float(n.replace(",", "")) for n in new_written]
    for a, b in zip(old_written, new_written, strict=True):
        assert len(a) == len(b)
    for i, j in combinations(range(len(old)), 2):
        assert (old[i] > old[j], old[i] < old[j]) == (
            changed[i] > changed[j], changed[i] < changed[j]
        )  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "Acme to report Q3 2024 results on Nov 12",
        "S&P 500 and Nasdaq 100 close flat; COVID-19 and 737 in focus",
        "Acme now owns 100% of Orion",
        "Rates at 0.00%",
        "On 12.05.2019 at 10.30am",
        "$AAPL in 3 charts",
    ],
)
def test_what_is_no_amount_stays(text: str) -> None:
    assert {NumberChange().augment(text, random.Random(i)) for i in range(20)} == {text}


def test_a_beat_stays_a_beat_and_a_range_a_range() -> None:
    for seed in range(50):
        new = NumberChange().augment("Acme EPS $1.23 vs $1.20 consensus", random.Random(seed))
        one, other = map(float, NUMBER.findall(new))
        assert one > other
        low, high = map(
            int, NUMBER.findall(NumberChange().augment("falls 10-12%", random.Random(seed)))
        )
        assert low < high


# Companies.

COMPANIES = (
    Company(("Acme Corp", "Acme"), "tools", "ACME"),
    Company(("Brightwater Inc", "Brightwater"), "tools", "BRW"),
    Company(("Cobalt", ), "tools"),
    Company(("Orion Bank", "Orion"), "banks", "ORN"),
    Company(("Delta Bank",), "banks", "DLB"),
)  # fmt: skip


def test_a_mention_stays_one_mention() -> None:
    swap = EntitySwap(COMPANIES)
    text = "$ACME - Acme Corp sues Orion; ACME's shares fall, Orion Bank says, Acmeson mum"
    for seed in range(30):
        new = swap.augment(text, random.Random(seed))
        # The only other of its sector with a cashtag; the bank's only fellow.
        assert new == (
            "$BRW - Brightwater Inc sues Delta Bank; BRIGHTWATER's shares fall, Delta Bank says, "
            "Acmeson mum"
        )


def test_two_companies_stay_two_and_a_lonely_one_stays() -> None:
    swap = EntitySwap(COMPANIES[:3])
    for seed in range(30):
        new = swap.augment("Acme buys Brightwater", random.Random(seed))
        left, right = new.split(" buys ")
        assert left != right
    assert EntitySwap(COMPANIES[:1]).augment("Acme up", random.Random(1)) == "Acme up"
    assert EntitySwap(()).augment("Acme up", random.Random(1)) == "Acme up"


# Lists.


def test_a_bad_list_is_told_with_its_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("- [rises, climbs]\n- [Climbs, soars]\n")
    with pytest.raises(DataError, match="'Climbs' is in two groups"):
        Synonyms.built_in(path)
    for content in ("- rises\n", "a: [b]\n", "- [rises]\n"):
        path.write_text(content)
        with pytest.raises(DataError, match=r"mine\.yaml: expected a list of groups"):
            Synonyms.built_in(path)
    path.write_text("a: [\n")
    with pytest.raises(DataError, match=r"mine\.yaml: not YAML"):
        Synonyms.built_in(path)
    path.write_text("banks:\n  - {ticker: A}\n")
    with pytest.raises(DataError, match="banks, company 1: expected names"):
        EntitySwap.built_in(path)
    with pytest.raises(DataError, match="cannot be read"):
        EntitySwap.built_in(tmp_path / "absent.yaml")


def test_synonyms_keep_case_and_leave_cashtags_alone() -> None:
    synonyms = Synonyms([["soars", "surges"], ["job cuts", "layoffs"]])
    assert synonyms.augment("Soars on $soars", random.Random(1)) == "Surges on $soars"
    assert synonyms.augment("SOARS", random.Random(1)) == "SURGES"
    assert synonyms.augment("Job Cuts", random.Random(1)) == "Layoffs"


# Back-translation.


def test_back_translation_asks_once_and_keeps_what_counts(tmp_path: Path) -> None:
    asked: list[str] = []

    def away(texts: Sequence[str]) -> list[str]:
        asked.extend(texts)
        return [text.upper() for text in texts]

    def back(texts: Sequence[str]) -> list[str]:
        return [t.lower().replace("$acme", "$ACME").replace("rises", "climbs") for t in texts]

    rng = random.Random(1)
    there = BackTranslation(away, back, "one", tmp_path)
    assert there.augment("$ACME rises 3%", rng) == "$ACME climbs 3%"
    assert BackTranslation(away, back, "one", tmp_path).augment("$ACME rises 3%", rng) == (
        "$ACME climbs 3%"
    )
    assert asked == ["$ACME rises 3%"]
    BackTranslation(away, back, "two", tmp_path).augment("$ACME rises 3%", rng)
    assert len(asked) == 2
    for wrong in ("acme up 4%", "acme not up 3%", ""):
        lossy = BackTranslation(away, lambda _, w=wrong: [w], f"x{wrong}", tmp_path)  # type: ignore[misc]
        assert lossy.augment("acme up 3%", rng) == "acme up 3%"
    assert there.augment(" ", rng) == " "


def test_a_translation_that_says_nothing_leaves_the_text(tmp_path: Path) -> None:
    def back(texts: Sequence[str]) -> list[str]:
        raise AssertionError("asked to translate nothing")

    there = BackTranslation(lambda texts: ["" for _ in texts], back, "empty", tmp_path)
    assert there.augment("oil falls", random.Random(1)) == "oil falls"


def test_back_translation_by_local_folders(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer, models, pre_tokenizers

    with pytest.raises(BundleError, match="name the folder of a local translation model"):
        BackTranslation.from_folders(tmp_path, tmp_path, tmp_path)
    words = {w: i for i, w in enumerate(["<pad>", "</s>", "<unk>", "oil", "falls", "drops"])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    folder = tmp_path / "model"
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder)
    config = transformers.T5Config(
        vocab_size=6, d_model=8, d_ff=8, d_kv=4, num_layers=1, num_heads=2,
        decoder_start_token_id=0, pad_token_id=0, eos_token_id=1,
    )  # fmt: skip
    transformers.T5ForConditionalGeneration(config).save_pretrained(folder)
    cache = tmp_path / "cache"
    there = BackTranslation.from_folders(folder, folder, cache)
    first = there.augment("oil falls", random.Random(1))
    assert there.augment("oil falls", random.Random(2)) == first
    (answer,) = cache.rglob("*.txt")
    assert first in (answer.read_text(), "oil falls")
    json.loads((folder / "config.json").read_text())
