"""Which words are hidden, and how."""

from __future__ import annotations

import numpy as np
from tokenizers import Tokenizer, models, pre_tokenizers

from models.pretraining.masking import IGNORED, LONGEST_WORD, Masking, Row, make_masking, rows_of
from tests.unit.models.compress import tiny

MASK = 99
ROW = Row(
    np.arange(1, 42),  # the first is special; then 20 words of two pieces
    tuple(np.array([1 + 2 * i, 2 + 2 * i]) for i in range(20)),
)


def test_a_word_is_hidden_whole_and_its_pieces_share_one_fate() -> None:
    words = tiny.tokenizer()
    rows = rows_of(words, ["rises rising 2008 ab", "deal [MASK]"])
    pieces = [[words.id_to_token(int(rows[0].ids[i])) for i in word] for word in rows[0].words]
    assert pieces == [["rises"], ["r", "##i", "##s", "##ing"], ["2008"], ["a", "##b"]]
    assert len(rows[1].words) == 1  # a mask that a text brings itself is nothing to learn
    masking = Masking(MASK, np.arange(200, 300), 0.15)
    for epoch in range(50):
        found = masking.apply([ROW], np.random.default_rng(epoch))
        for word in ROW.words:
            asked = found.labels[0, word] != IGNORED
            assert asked.all() or not asked.any()
            masked = found.ids[0, word] == MASK
            assert masked.all() or not masked.any()


def test_shares_are_those_of_the_paper() -> None:
    masking = Masking(MASK, np.arange(200, 300), 0.15)
    found = masking.apply([ROW] * 4_000, np.random.default_rng(0))
    asked = found.labels != IGNORED
    assert abs(asked.sum() / (40 * 4_000) - 0.15) < 0.005
    assert (found.labels[asked] == np.tile(ROW.ids, (4_000, 1))[asked]).all()
    assert not asked[:, 0].any()  # a special token
    shown = found.ids[asked]
    assert abs((shown == MASK).mean() - 0.8) < 0.02
    assert abs((shown >= 200).mean() - 0.1) < 0.02
    assert abs((shown == found.labels[asked]).mean() - 0.1) < 0.02
    assert (found.ids[~asked] == np.tile(ROW.ids, (4_000, 1))[~asked]).all()


def test_other_words_every_time_and_the_same_by_seed() -> None:
    masking = Masking(MASK, np.arange(200, 300), 0.15)
    first, again, other = (
        masking.apply([ROW] * 20, np.random.default_rng([13, epoch])).labels for epoch in (1, 1, 2)
    )
    assert (first == again).all()
    assert (first != other).any()


def test_a_long_word_of_a_short_text_is_asked_about_too() -> None:
    row = Row(np.arange(6), (np.array([1, 2, 3]), np.array([4])))
    masking = Masking(MASK, np.arange(200, 300), 0.15)
    labels = masking.apply([row] * 200, np.random.default_rng(0)).labels
    assert 0.3 < (labels[:, 1] != IGNORED).mean() < 0.7
    assert ((labels != IGNORED).any(axis=1)).all()


def test_a_text_without_spaces_is_not_one_word() -> None:
    made = Tokenizer(models.WordPiece({"[UNK]": 0, "x": 1, "##x": 2}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    (row,) = rows_of(made, ["x" * (LONGEST_WORD + 1)])
    assert [len(word) for word in row.words] == [1] * (LONGEST_WORD + 1)


def test_a_token_by_chance_is_no_special_one() -> None:
    words = tiny.tokenizer()
    hidden = words.token_to_id("[MASK]")
    assert hidden is not None
    masking = make_masking(words, hidden, 0.15)
    drawn = {str(words.id_to_token(int(i))) for i in masking.others}
    assert "profit" in drawn
    assert not any(token.startswith("[") for token in drawn)
