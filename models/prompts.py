"""Trained vectors beside a text's tokens: prompt tuning and prefix tuning (torch).

Both start as what the encoder makes of random words of its vocabulary (Lester et al. 2021, section
3.2; Li and Liang 2021, section 7.5), stand outside the positions, so that a text can be as long as
before, and are no part of any mean over tokens. They stay in the encoder, and in the graph.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from models.errors import ModelError
from models.parts import self_attentions

#: The attention of an encoder with prefixes, as transformers calls it.
PREFIX_ATTENTION = "foreshock_prefix"


def add_prompt(encoder: Any, length: int) -> None:
    """Put `length` trained vectors before the embeddings of every text.

    Lester et al. 2021, "The Power of Scale for Parameter-Efficient Prompt Tuning", section 2. T5
    has neither positions nor a norm in its embeddings: here the vectors come after both.

    Raises
    ------
    ModelError
        When the encoder's embeddings are not where we know them.
    """
    embeddings = getattr(encoder, "embeddings", None)
    if not isinstance(embeddings, nn.Module):
        raise ModelError(
            "adapter.kind prompt: this encoder's embeddings are not where BERT's are; use "
            "kind = 'lora', which goes on any linear layer"
        )
    with _still(encoder):
        start = embeddings(input_ids=_words(encoder, length))[:, 0]
    embeddings.prompt_vectors = nn.Parameter(start.clone())
    embeddings.register_forward_hook(_prepend)
    encoder.register_forward_pre_hook(_let_see, with_kwargs=True)
    encoder.register_forward_hook(_drop)


def add_prefixes(encoder: Any, length: int) -> None:
    """Let every layer's tokens attend to `length` trained keys and values of its own.

    Li and Liang 2021, "Prefix-Tuning", section 4, without its reparameterisation, in every layer of
    an encoder (Liu et al. 2022, "P-Tuning v2", section 3).

    Raises
    ------
    ModelError
        When the encoder does not attend through transformers' attention interface.
    """
    sites = self_attentions(encoder)
    if not sites or not encoder._supports_attention_backend:
        raise ModelError(
            f"adapter.kind prefix: {type(encoder).__name__} does not attend through transformers' "
            "attention interface, by which prefixes come in; use kind = 'prompt' or 'lora'"
        )
    made: dict[nn.Module, Tensor] = {}

    def keep(projection: nn.Module, inputs: Any, output: Tensor) -> None:
        made[projection] = output[:, 0].clone()

    hooks = [p.register_forward_hook(keep) for _, *pair in sites.values() for p in pair]
    with _still(encoder):
        encoder(input_ids=_words(encoder, length))
    for hook in hooks:
        hook.remove()
    for attention, key, value in sites.values():
        attention.prefix_keys = nn.Parameter(made[key])
        attention.prefix_values = nn.Parameter(made[value])
    AttentionInterface.register(PREFIX_ATTENTION, _attend)
    AttentionMaskInterface.register(PREFIX_ATTENTION, sdpa_mask)
    encoder.set_attn_implementation(PREFIX_ATTENTION)


def _attend(
    attention: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, **options: Any
) -> tuple[Tensor, None]:
    """As transformers' sdpa, with the layer's prefixes before its ``(batch, heads, tokens, size)``."""
    key = torch.cat([_by_head(attention.prefix_keys, key), key], dim=2)
    value = torch.cat([_by_head(attention.prefix_values, value), value], dim=2)
    if mask is not None:  # (batch, 1, queries, keys) bool
        mask = functional.pad(mask, (len(attention.prefix_keys), 0), value=True)
    return sdpa_attention_forward(attention, query, key, value, mask, **options)


def _by_head(prefix: Tensor, states: Tensor) -> Tensor:
    """``(length, width)`` as the rows of `states` have it."""
    split = prefix.view(len(prefix), -1, states.shape[3]).transpose(0, 1).to(states.dtype)
    return split.unsqueeze(0).expand(states.shape[0], -1, -1, -1)


def _prepend(embeddings: Any, inputs: Any, output: Tensor) -> Tensor:
    vectors = embeddings.prompt_vectors.to(output.dtype)
    return torch.cat([vectors.unsqueeze(0).expand(output.shape[0], -1, -1), output], dim=1)


def _let_see(encoder: Any, inputs: Any, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    mask = options.get("attention_mask")
    if mask is None:
        return inputs, options
    mask = functional.pad(mask, (len(encoder.embeddings.prompt_vectors), 0), value=1)
    return inputs, options | {"attention_mask": mask}


def _drop(encoder: Any, inputs: Any, output: Any) -> Any:
    output.last_hidden_state = output.last_hidden_state[:, len(encoder.embeddings.prompt_vectors) :]
    return output


def _words(encoder: Any, length: int) -> Tensor:
    """Random tokens as texts of one token each, ``(length, 1) int64``: any length has positions."""
    return torch.randint(encoder.config.vocab_size, (length, 1), device=encoder.device)


@contextmanager
def _still(encoder: nn.Module) -> Iterator[None]:
    """Neither dropout nor gradients while this lasts."""
    training = encoder.training
    encoder.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        encoder.train(training)
