"""A trimmed vocabulary reads the texts it was made for as before, and every word there is."""

from __future__ import annotations

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from models.base import Base
from models.compress.trained import outputs
from models.compress.vocabulary import (
    kept_tokens,
    likely_tokens,
    trim_embeddings,
    trimmed_tokenizer,
)
from models.errors import ModelError
from models.targets import MARKER
from tests.unit.models.compress import tiny

pytestmark = pytest.mark.filterwarnings("ignore")
WHOLE = tiny.tokenizer()
KEPT = kept_tokens(WHOLE.to_str(), tiny.TEXTS)
SMALL = Tokenizer.from_str(trimmed_tokenizer(WHOLE.to_str(), KEPT))


def test_texts_of_kept_tokens_give_the_same_logits(tiny_base: Base) -> None:
    whole, small = tiny.model(tiny_base), tiny.model(tiny_base)
    trim_embeddings(small.encoder, KEPT)
    for text in tiny.TEXTS:
        before, after = WHOLE.encode(text), SMALL.encode(text)
        assert before.tokens == after.tokens
        with torch.inference_mode():
            expected = outputs(whole, torch.tensor([before.ids]))
            found = outputs(small, torch.tensor([after.ids]))
        for head, logits in expected.items():
            assert torch.equal(logits, found[head])


def test_what_stays_and_what_goes() -> None:
    vocabulary = SMALL.get_vocab()
    assert {"profit", "2008", "##08", "a", "##z", *tiny.SPECIAL} <= set(vocabulary)
    assert not {"##ing", "##es"} & set(vocabulary)
    assert sorted(vocabulary.values()) == list(range(len(KEPT)))
    assert SMALL.token_to_id("[PAD]") == WHOLE.token_to_id("[PAD]")
    assert SMALL.encode("oil").tokens == ["[CLS]", "oil", "[SEP]"]


@given(st.text("abcxyzing0189 .,", max_size=30))
def test_no_word_becomes_unknown(text: str) -> None:
    before, after = WHOLE.encode(text).tokens, SMALL.encode(text).tokens
    assert ("[UNK]" in before) == ("[UNK]" in after)
    assert [t.removeprefix("##") for t in before if len(t) == 1] or after
    assert "".join(t.removeprefix("##") for t in before) == "".join(
        t.removeprefix("##") for t in after
    )


def test_a_piece_that_characters_cannot_spell_stays() -> None:
    content = json.loads(WHOLE.to_str())
    vocabulary = content["model"]["vocab"]
    vocabulary["ñandu"] = len(vocabulary)
    kept = kept_tokens(json.dumps(content), ["profit"])
    assert vocabulary["ñandu"] in kept


def test_another_kind_of_tokenizer_is_refused() -> None:
    with pytest.raises(ModelError, match="only WordPiece"):
        kept_tokens(json.dumps({"model": {"type": "BPE", "vocab": {}}}), [])


def test_a_limited_vocabulary_takes_what_the_texts_need_and_then_the_lowest_numbers() -> None:
    content = WHOLE.to_str()
    need = len(likely_tokens(content, tiny.TEXTS, WHOLE.get_vocab_size()))
    names = {number: token for token, number in WHOLE.get_vocab().items()}
    with pytest.raises(ModelError, match=r"of 3 tokens is too small: .* need \d+"):
        likely_tokens(content, tiny.TEXTS, 3)
    small = likely_tokens(content, tiny.TEXTS[:1], need - 1)
    assert len(small) == need - 1
    reader = Tokenizer.from_str(trimmed_tokenizer(content, small))
    assert reader.encode(tiny.TEXTS[0]).tokens == WHOLE.encode(tiny.TEXTS[0]).tokens
    assert {"[PAD]", "[UNK]", "[CLS]", "[SEP]"} <= {names[number] for number in small}
    unused = {name for number in small if (name := names[number]).startswith("[unused")}
    assert unused <= {MARKER}
