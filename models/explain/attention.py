"""Where the encoder looks, in torch: not why a label was given, the same for every label."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from models.errors import ModelError
from models.explain.question import Answer, Question
from models.explain.words import merge
from models.prompts import PREFIX_ATTENTION


def attention(question: Question) -> Answer:
    """Attention rollout: how much of each token reaches the pooled output.

    Abnar and Zuidema 2020, "Quantifying Attention Flow in Transformers", section 3: heads are
    averaged, the residual way is half of each layer's mix, layers are multiplied. The rows are
    averaged as the model pools its tokens. Shares are in [0, 1]; with those of the special tokens
    and of a prompt, which are left out, they add up to 1.

    Raises
    ------
    ModelError
        When the encoder has prefixes: the way through them is in no layer's attention over tokens.
    """
    network = question.subject.network().eval()
    encoder: Any = network.encoder
    ids = torch.tensor([question.ids])
    inputs = {"input_ids": ids}
    if getattr(encoder.config, "type_vocab_size", 0):
        inputs["token_type_ids"] = torch.zeros_like(ids)
    before = encoder.config._attn_implementation
    if before == PREFIX_ATTENTION:
        raise ModelError(
            "attention cannot be followed through the prefixes this model was trained with; use "
            "--method ig or --method occlusion"
        )
    encoder.set_attn_implementation("eager")  # the fused kernels do not keep their weights
    try:
        with torch.no_grad():
            layers = encoder(**inputs, output_attentions=True).attentions
    finally:
        encoder.set_attn_implementation(before)
    tokens = slice(-len(question.ids), None)  # a trained prompt stands before them
    shares = rollout([layer[0].double() for layer in layers])[tokens, tokens].mean(dim=0)
    return Answer(merge(shares.numpy(), question.owners, len(question.words)))


def rollout(layers: list[Tensor]) -> Tensor:
    """Rows: how much of each token (column) is in each output, ``(tokens, tokens)``.

    Parameters
    ----------
    layers
        Attention of each layer, first to last, ``(heads, tokens, tokens)``; rows add up to 1.
    """
    tokens = layers[0].shape[-1]
    identity = torch.eye(tokens, dtype=layers[0].dtype)
    mixed = identity
    for layer in layers:
        mixed = (0.5 * layer.mean(dim=0) + 0.5 * identity) @ mixed
    return mixed
