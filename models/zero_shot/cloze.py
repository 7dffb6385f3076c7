"""A text belongs to the label whose word fits best under the mask (torch)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Encoding

from models.errors import DataError
from models.masked import MaskedLanguage
from models.metrics import softmax
from models.zero_shot.labels import MASK, SLOT, DescribedHead, Label, Score

_BATCH = 64


@dataclass(frozen=True, slots=True)
class ByCloze:
    """Scores by the masked-language head (Schick and Schuetze 2021, section 3.1).

    Parameters
    ----------
    language
        With a head that was trained.
    name
        Of the base, for people.
    max_tokens
        Of pattern and text; the text is cut, never the pattern.
    """

    language: MaskedLanguage
    name: str
    max_tokens: int

    def scores(self, head: DescribedHead) -> Score:
        """See `models.zero_shot.scorer.Scorer`; a softmax over the labels' words, not calibrated.

        A label's score is the mean logit of its words; the patterns' probabilities are averaged.

        Raises
        ------
        DataError
            When the labels file has no pattern, or no word of a label is one token of the base.
        """
        if not head.patterns:
            raise DataError("the labels file has no patterns for this head, which cloze needs")
        words = {
            pattern: [self._token_ids(pattern, name, label) for name, label in head.labels.items()]
            for pattern in head.patterns
        }

        def score(texts: Sequence[str]) -> NDArray[np.float64]:
            found = [self._by_pattern(texts, *pair) for pair in words.items()]
            mean: NDArray[np.float64] = np.mean(found, axis=0)
            return mean

        return score

    def _by_pattern(
        self, texts: Sequence[str], pattern: str, words: Sequence[Sequence[int]]
    ) -> NDArray[np.float64]:
        rows = [self._filled(pattern, text) for text in texts]
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
        scores = np.empty((len(rows), len(words)), dtype=np.float32)
        for start in range(0, len(order), _BATCH):
            chosen = order[start : start + _BATCH]
            logits = self._under_mask([rows[i] for i in chosen])
            scores[chosen] = np.stack([logits[:, list(ids)].mean(axis=1) for ids in words], axis=1)
        return softmax(scores)

    def _under_mask(self, rows: Sequence[list[int]]) -> NDArray[np.float32]:
        """Logits of the one mask of each row, ``(rows, vocabulary)``."""
        ids = np.zeros((len(rows), max(map(len, rows))), dtype=np.int64)
        attention = np.zeros_like(ids)
        for line, row in enumerate(rows):
            ids[line, : len(row)] = row
            attention[line, : len(row)] = 1
        tokens, mask = torch.from_numpy(ids), torch.from_numpy(attention)
        places = (tokens == self.language.mask_id) & (mask > 0)
        with torch.inference_mode():
            found: NDArray[np.float32] = self.language.logits(tokens, mask, places).float().numpy()
        return found

    def _filled(self, pattern: str, text: str) -> list[int]:
        """Token ids of the pattern around a text that brings no mask of its own."""
        text = text.replace(self.language.mask, " ")
        room = self.max_tokens - len(self._encoded(pattern, "").ids)
        offsets = self.language.tokenizer.encode(text, add_special_tokens=False).offsets
        if len(offsets) > room:
            text = text[: offsets[room - 1][1]] if room > 0 else ""
        ids: list[int] = self._encoded(pattern, text).ids
        return ids

    def _encoded(self, pattern: str, text: str, word: str | None = None) -> Encoding:
        shown = pattern.replace(MASK, word or self.language.mask)
        return self.language.tokenizer.encode(shown.replace(SLOT, text).strip())

    def _token_ids(self, pattern: str, name: str, label: Label) -> list[int]:
        """Ids of the words that stand for a label and are one token in the mask's place."""
        masked = self._encoded(pattern, "").ids
        unknown = {self.language.tokenizer.token_to_id(token) for token in ("[UNK]", "<unk>")}
        place = masked.index(self.language.mask_id)
        found = []
        for word in label.words:
            ids = self._encoded(pattern, "", word).ids
            if len(ids) == len(masked) and ids[place] not in unknown:
                found.append(ids[place])
        if not found:
            raise DataError(
                f"label {name!r}: none of its words ({', '.join(label.words) or 'there are none'}) is one "
                f"token of {self.name}; name others under words in the labels file"
            )
        return found
