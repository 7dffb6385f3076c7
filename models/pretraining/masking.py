"""Whole words hidden from a text, other ones each time (numpy)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

Ints = NDArray[np.int64]

#: A run of more pieces is no word but a text without spaces: its pieces are hidden one by one.
LONGEST_WORD = 8
#: Of the words chosen: share that becomes the mask, and share that becomes another token.
_MASKED, _REPLACED = 0.8, 0.1
#: Label of a token that is not asked about.
IGNORED = -100


@dataclass(frozen=True, slots=True)
class Row:
    """One text: its token ids ``(tokens,)``, and the positions of each of its words."""

    ids: Ints
    words: tuple[Ints, ...]


@dataclass(frozen=True, slots=True)
class Masked:
    """Rows with words hidden, padded with zeros: ``(rows, tokens) int64`` each.

    `labels` holds the ids that were there, and `IGNORED` where nothing is asked.
    """

    ids: Ints
    attention: Ints
    labels: Ints


@dataclass(frozen=True, slots=True)
class Masking:
    """How words are hidden.

    Parameters
    ----------
    mask_id
        Of the mask token.
    others
        Ids a word's pieces may become by chance: no special tokens, no unused ones.
    share
        Of a text's tokens that are asked about.
    """

    mask_id: int
    others: Ints
    share: float

    def apply(self, rows: Sequence[Row], rng: np.random.Generator) -> Masked:
        """Hide words of each row (Devlin et al. 2019, section 3.1; pieces of a word together).

        Of the words chosen 80% become masks, 10% other tokens, and 10% stay to be predicted from
        themselves, so that a token that is no mask carries meaning too.
        """
        width = max(len(row.ids) for row in rows)
        ids = np.zeros((len(rows), width), dtype=np.int64)
        attention, labels = np.zeros_like(ids), np.full_like(ids, IGNORED)
        for line, row in enumerate(rows):
            ids[line, : len(row.ids)] = row.ids
            attention[line, : len(row.ids)] = 1
            for word in self._chosen(row, rng):
                labels[line, word] = row.ids[word]
                fate = rng.random()
                if fate < _MASKED:
                    ids[line, word] = self.mask_id
                elif fate < _MASKED + _REPLACED:
                    ids[line, word] = rng.choice(self.others, len(word))
        return Masked(ids, attention, labels)

    def _chosen(self, row: Row, rng: np.random.Generator) -> list[Ints]:
        budget = max(1, round(self.share * sum(map(len, row.words))))
        chosen: list[Ints] = []
        for number in rng.permutation(len(row.words)):
            word = row.words[number]
            # The first is always taken, else short texts would never ask about a long word.
            if not chosen or len(word) <= budget:
                chosen.append(word)
                budget -= len(word)
            if budget <= 0:
                break
        return chosen


def make_masking(tokenizer: Tokenizer, mask_id: int, share: float) -> Masking:
    """Masking over a tokenizer's vocabulary."""
    special = set(tokenizer.get_added_tokens_decoder())
    others = sorted(
        number
        for token, number in tokenizer.get_vocab().items()
        if number not in special and not token.startswith("[unused")
    )
    return Masking(mask_id, np.array(others, dtype=np.int64), share)


def rows_of(tokenizer: Tokenizer, texts: Sequence[str]) -> list[Row]:
    """Texts as rows; those without a word are left out."""
    special = set(tokenizer.get_added_tokens_decoder())
    rows = []
    for encoding in tokenizer.encode_batch(list(texts)):
        places: dict[int, list[int]] = {}
        for place, (number, word) in enumerate(zip(encoding.ids, encoding.word_ids, strict=True)):
            if word is not None and number not in special:
                places.setdefault(word, []).append(place)
        words = [
            np.array(part)
            for found in places.values()
            for part in ([found] if len(found) <= LONGEST_WORD else [[p] for p in found])
        ]
        if words:
            rows.append(Row(np.array(encoding.ids, dtype=np.int64), tuple(words)))
    return rows
