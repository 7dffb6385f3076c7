"""Tokens that no text of ours holds, left out, with their embedding rows.

In a small BERT half of all weights are word embeddings. What stays: every token seen in the given
texts, special and ``[unused]`` tokens, numbers, and all single characters with and without the
continuation prefix. WordPiece takes the longest piece that fits (Wu et al. 2016, section 4.1), so a
word whose piece is gone falls apart into shorter ones, at worst characters, and not into [UNK].
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import nn

from models.errors import ModelError
from models.targets import MARKER

_CHUNK = 1_000


def kept_tokens(tokenizer: str, texts: Iterable[str]) -> list[int]:
    """Old ids of the tokens that stay, ascending; a token's new id is its place in this list.

    Parameters
    ----------
    tokenizer
        Content of ``tokenizer.json``, with a WordPiece model.
    texts
        As the model will read them; the more, the better.

    Raises
    ------
    ModelError
        When the tokenizer is of another kind.
    """
    content = json.loads(tokenizer)
    model = _wordpiece(content)
    vocabulary: dict[str, int] = model["vocab"]
    prefix: str = model["continuing_subword_prefix"]
    added = {token["id"] for token in content.get("added_tokens", [])}
    kept = added | _seen(tokenizer, texts)
    for token, number in vocabulary.items():
        if _special(token) or _basic(token, prefix) or not _spellable(token, vocabulary, prefix):
            kept.add(number)
    return sorted(kept)


def likely_tokens(tokenizer: str, texts: Iterable[str], most: int) -> list[int]:
    """Old ids of at most so many tokens that stay, ascending: for a model of one script.

    Tokens of the texts, special tokens, printable ASCII characters and numbers stay; then those that the
    characters kept can spell, lowest number first: BERT's vocabularies are ordered by frequency. Other
    ``[unused]`` tokens than the marker go, and so do scripts the texts do not hold.

    Parameters
    ----------
    tokenizer, texts
        As of `kept_tokens`.
    most
        Tokens that stay, at most.

    Raises
    ------
    ModelError
        When the tokenizer is of another kind, or `most` is less than what has to stay.
    """
    content = json.loads(tokenizer)
    model = _wordpiece(content)
    vocabulary: dict[str, int] = model["vocab"]
    prefix: str = model["continuing_subword_prefix"]
    kept = {token["id"] for token in content.get("added_tokens", [])} | _seen(tokenizer, texts)
    for token, number in vocabulary.items():
        plain = token.isascii() and _basic(token, prefix)
        if plain or token == MARKER or (_special(token) and not token.startswith("[unused")):
            kept.add(number)
    if len(kept) > most:
        raise ModelError(
            f"a vocabulary of {most} tokens is too small: the texts and the characters need {len(kept)}"
        )
    names = {number: token for token, number in vocabulary.items()}
    spelt = {names[number]: number for number in kept if number in names}
    for token, number in sorted(vocabulary.items(), key=lambda item: item[1]):
        if len(kept) == most:
            break
        if not _special(token) and _spellable(token, spelt, prefix):
            kept.add(number)
    return sorted(kept)


def trimmed_tokenizer(tokenizer: str, kept: Sequence[int]) -> str:
    """The tokenizer with only some tokens, renumbered; its content as ``tokenizer.json``."""
    content = json.loads(tokenizer)
    model = _wordpiece(content)
    new = {old: number for number, old in enumerate(kept)}
    model["vocab"] = {
        token: new[old]
        for token, old in sorted(model["vocab"].items(), key=lambda item: item[1])
        if old in new
    }
    for token in content.get("added_tokens", []):
        token["id"] = new[token["id"]]
    post = content.get("post_processor") or {}
    for token in (post.get("special_tokens") or {}).values():
        token["ids"] = [new[old] for old in token["ids"]]
    for side in ("sep", "cls"):  # BertProcessing: [token, id]
        if isinstance(post.get(side), list):
            post[side][1] = new[post[side][1]]
    if content.get("padding"):
        content["padding"]["pad_id"] = new[content["padding"]["pad_id"]]
    return json.dumps(content, ensure_ascii=False)


def trim_embeddings(encoder: Any, kept: Sequence[int]) -> None:
    """Keep only some rows of a BERT's word embeddings, in place.

    Raises
    ------
    ModelError
        When the tokenizer has a token that the encoder has no row for.
    """
    old = encoder.embeddings.word_embeddings
    if max(kept) >= old.num_embeddings:
        raise ModelError(
            f"the tokenizer has token id {max(kept)}, the encoder {old.num_embeddings} rows: they "
            "do not belong together"
        )
    pad = encoder.config.pad_token_id
    new = nn.Embedding(len(kept), old.embedding_dim)
    with torch.no_grad():
        new.weight.copy_(old.weight[torch.tensor(list(kept))])
    # Set after the rows, which nn.Embedding would otherwise fill with zeros for the padding.
    new.padding_idx = kept.index(pad) if pad in kept else None
    encoder.embeddings.word_embeddings = new
    encoder.config.vocab_size = len(kept)
    encoder.config.pad_token_id = new.padding_idx


def _seen(tokenizer: str, texts: Iterable[str]) -> set[int]:
    reader = Tokenizer.from_str(tokenizer)
    reader.no_padding()
    reader.no_truncation()
    seen: set[int] = set()
    part: list[str] = []
    for text in texts:
        part.append(text)
        if len(part) == _CHUNK:
            seen.update(*(found.ids for found in reader.encode_batch_fast(part)))
            part = []
    seen.update(*(found.ids for found in reader.encode_batch_fast(part)))
    return seen


def _special(token: str) -> bool:
    return token.startswith("[") and token.endswith("]") and len(token) > 2


def _basic(token: str, prefix: str) -> bool:
    """A single character, or a number."""
    bare = token.removeprefix(prefix) if len(token) > len(prefix) else token
    return len(bare) == 1 or bare.isdigit()


def _spellable(token: str, vocabulary: dict[str, int], prefix: str) -> bool:
    """Whether characters alone could spell it; a token they cannot spell has to stay whole."""
    inside = token.startswith(prefix) and len(token) > len(prefix)
    bare = token.removeprefix(prefix) if inside else token
    first = prefix + bare[0] if inside else bare[0]
    return first in vocabulary and all(prefix + letter in vocabulary for letter in bare[1:])


def _wordpiece(content: dict[str, Any]) -> dict[str, Any]:
    model: dict[str, Any] = content.get("model") or {}
    if model.get("type", "WordPiece") != "WordPiece" or "vocab" not in model:
        raise ModelError(
            f"the tokenizer is of type {model.get('type')!r}; only WordPiece vocabularies "
            "(BERT's) can be trimmed"
        )
    model.setdefault("continuing_subword_prefix", "##")
    return model
