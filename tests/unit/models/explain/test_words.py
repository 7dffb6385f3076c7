"""Words, their places, and the span of evidence."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from models.bundle import TOKENIZER, shipped_bundle
from models.explain import Explanation, Word, evidence_span
from models.explain.html import as_html
from models.explain.words import merge, word_of_pieces, word_spans
from models.text import model_input
from models.tokens import load_tokenizer

TOKENS = load_tokenizer(shipped_bundle() / TOKENIZER)


@given(st.text())
def test_every_character_is_in_one_word(text: str) -> None:
    at, covered = 0, ""
    for start, end in word_spans(text):
        assert at <= start < end
        assert not text[at:start].strip()
        covered += text[start:end]
        at = end
    assert covered == "".join(text.split())


@given(st.text(max_size=60))
def test_every_piece_has_its_word(raw: str) -> None:
    import numpy as np

    text = model_input(raw)
    encoding = TOKENS.encode(text)
    words = word_spans(text)
    owners = word_of_pieces(encoding.offsets, words)
    for (start, end), owner, special in zip(
        encoding.offsets, owners, encoding.special_tokens_mask, strict=True
    ):
        if special:
            continue
        assert owner is not None
        assert words[owner][0] < end
        assert words[owner][1] > start
    inner = sum(owner is not None for owner in owners)
    assert merge(np.ones(len(owners)), owners, len(words)).sum() == inner


def explanation(text: str, values: list[float]) -> Explanation:
    words = tuple(
        Word(text[a:b], a, b, value) for (a, b), value in zip(word_spans(text), values, strict=True)
    )
    return Explanation(text, "topic", "IPO", "occlusion", "m 1", words, 1.0, 0.0, None)


def test_the_span_is_the_strongest_run() -> None:
    found = explanation("one two three four five six", [0.1, 3.0, -0.2, 2.0, 0.3, 0.3])
    start, end = evidence_span(found)
    assert found.text[start:end] == "two three four"
    weak = explanation("one two three", [0.2, 5.0, 0.2])
    assert evidence_span(weak) == (4, 7)


def test_nothing_speaks_for_it() -> None:
    assert evidence_span(explanation("one two", [-1.0, 0.0])) == (0, 0)


def test_a_page_holds_no_foreign_markup() -> None:
    text = "<script>alert(1)</script>"
    page = as_html(explanation(text, [1.0] * len(word_spans(text))))
    assert "<script" not in page
    assert "&lt;" in page
