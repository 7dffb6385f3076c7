"""A base with its masked-language head: what stands under a mask (torch)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForMaskedLM
from transformers.utils import logging

from models.base import Base
from models.errors import ModelError
from models.tokens import load_tokenizer

_MASKS = ("[MASK]", "<mask>")


@dataclass(frozen=True, slots=True)
class MaskedLanguage:
    """An encoder that says which token stands under a mask.

    Parameters
    ----------
    model
        Of transformers, in float32.
    fresh_head
        Whether the base had no such head: this one is random, tied to the word embeddings.
    tokenizer
        Cuts to the length asked for.
    mask, mask_id
        The mask token and its number.
    """

    model: Any
    fresh_head: bool
    tokenizer: Tokenizer
    mask: str
    mask_id: int

    def logits(self, ids: Tensor, attention: Tensor, places: Tensor) -> Tensor:
        """Logits of some tokens.

        Parameters
        ----------
        ids, attention
            ``(batch, tokens) int64``; `attention` is 0 for padding.
        places
            ``(batch, tokens) bool``, the tokens asked about. The head reads no other: over a whole
            vocabulary it costs more than the encoder does.

        Returns
        -------
        Tensor
            ``(asked about, vocabulary)``, row by row.
        """

        def pick(module: nn.Module, inputs: Any, output: Any) -> Any:
            output.last_hidden_state = output.last_hidden_state[places].unsqueeze(0)
            return output

        hook = self.model.base_model.register_forward_hook(pick)
        try:
            found: Tensor = self.model(input_ids=ids, attention_mask=attention).logits
        finally:
            hook.remove()
        return found.squeeze(0)


def load_masked(base: Base, max_tokens: int) -> MaskedLanguage:
    """Load a base with its masked-language head, or with a random one where it has none.

    Raises
    ------
    ModelError
        When the architecture or the tokenizer has no place for a mask.
    """
    tokenizer = load_tokenizer(base.folder / "tokenizer.json", max_tokens)
    masks = [(mask, tokenizer.token_to_id(mask)) for mask in _MASKS]
    mask, mask_id = next(((m, i) for m, i in masks if i is not None), ("", -1))
    if not mask:
        raise ModelError(
            f"base {base.name!r}: its tokenizer has no mask token ({' or '.join(_MASKS)}); "
            "take a base of the BERT, RoBERTa, DistilBERT or XLM-R family"
        )
    config = AutoConfig.from_pretrained(base.folder, trust_remote_code=False)
    loud = logging.get_verbosity()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call] # a base without the head is no "corrupted checkpoint"
    try:
        model, found = AutoModelForMaskedLM.from_pretrained(
            base.folder,
            config=config,
            use_safetensors=True,
            trust_remote_code=False,
            dtype=torch.float32,
            output_loading_info=True,
        )
    except ValueError as error:  # an architecture that transformers has no such head for
        raise ModelError(
            f"base {base.name!r}: {config.model_type!r} has no masked-language head; "
            "take a base of the BERT, RoBERTa, DistilBERT or XLM-R family"
        ) from error
    finally:
        logging.set_verbosity(loud)
    inner = f"{model.base_model_prefix}."
    # Biases may be stored under one of two tied names; a head without its matrices is no head.
    missing = [k for k in found["missing_keys"] if k.endswith("weight") and not k.startswith(inner)]
    if missing:
        model.config.tie_word_embeddings = True
        model.tie_weights()
    return MaskedLanguage(model.eval(), bool(missing), tokenizer, mask, mask_id)
