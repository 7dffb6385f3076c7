"""The trainable model: one BERT encoder, mean pooling, one linear head per task (torch)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel

from models.base import Base

ADAPTER_PREFIX = "adapter."
HEAD_PREFIX = "head."
ENCODER_PREFIX = "encoder."


class MultiHead(nn.Module):
    """Encoder with several classification heads over its mean-pooled last layer.

    Mean pooling over tokens as in Reimers and Gurevych 2019 (Sentence-BERT, section 3), which is
    how the default base was pretrained.

    Parameters
    ----------
    encoder
        A transformers encoder.
    heads
        Number of labels of each head.
    dropout
        Before each head, in training only.
    """

    def __init__(self, encoder: nn.Module, heads: Mapping[str, int], dropout: float = 0.1) -> None:
        super().__init__()
        self.encoder = encoder
        self.width = int(encoder.config.hidden_size)  # type: ignore[union-attr, arg-type]
        self.dropout = nn.Dropout(dropout)
        self.heads = nn.ModuleDict({name: nn.Linear(self.width, n) for name, n in heads.items()})

    def pooled(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """Mean of the last layer over the tokens.

        Parameters
        ----------
        ids
            ``(batch, tokens) int64``.
        mask
            ``(batch, tokens)``, 1 for a token and 0 for padding; None when nothing is padded.

        Returns
        -------
        Tensor
            ``(batch, width) float32``.
        """
        hidden: Tensor = self.encoder(
            input_ids=ids, attention_mask=mask, token_type_ids=torch.zeros_like(ids)
        ).last_hidden_state
        if mask is None:
            return hidden.mean(dim=1)
        weights = mask.unsqueeze(-1).to(hidden.dtype)
        return (hidden * weights).sum(dim=1) / weights.sum(dim=1)

    def forward(self, ids: Tensor) -> tuple[Tensor, ...]:
        """Logits of every head for rows of one length, ``(batch, labels)`` each."""
        pooled = self.pooled(ids)
        return tuple(head(pooled) for head in self.heads.values())


def build(base: Base, heads: Mapping[str, int], *, dropout: float = 0.1) -> MultiHead:
    """A model with the base's weights and fresh heads, in float32.

    Dropout's rate inside the encoder is the base's own.
    """
    config = AutoConfig.from_pretrained(base.folder, trust_remote_code=False)
    # The pooler over [CLS] is never read: leave it out, so that it is neither adapted nor saved.
    extra: dict[str, Any] = {"add_pooling_layer": False} if config.model_type == "bert" else {}
    encoder = AutoModel.from_pretrained(
        base.folder,
        config=config,
        use_safetensors=True,
        trust_remote_code=False,
        dtype=torch.float32,
        **extra,
    )
    return MultiHead(encoder, heads, dropout)


def add_adapter(model: MultiHead, rank: int) -> None:
    """Freeze the encoder and train a low-rank adapter on each of its linear layers.

    LoRA: Hu et al. 2021, section 4.1; scale alpha / rank with alpha = 2 * rank. Without dropout
    of its own: the encoder has it, and another pass over every activation triples a step's time
    on CPUs.
    """
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules="all-linear", bias="none"
    )
    model.encoder = get_peft_model(model.encoder, config)


def trained_state(model: MultiHead) -> dict[str, Tensor]:
    """What training changed: heads, and the adapter or every weight of the encoder."""
    state = {f"{HEAD_PREFIX}{k}": v for k, v in model.heads.state_dict().items()}
    if _has_adapter(model):
        from peft import get_peft_model_state_dict

        inner = {
            f"{ADAPTER_PREFIX}{k}": v for k, v in get_peft_model_state_dict(model.encoder).items()
        }
    else:
        inner = {f"{ENCODER_PREFIX}{k}": v for k, v in model.encoder.state_dict().items()}
    return {k: v.detach().contiguous().clone() for k, v in (state | inner).items()}


def as_shipped(state: dict[str, Tensor], *, full: bool) -> dict[str, Tensor]:
    """The tensors a bundle keeps: an adapter as it is, a whole encoder in float16 (half the size)."""
    if not full:
        return state
    return {k: v.half() if v.is_floating_point() else v for k, v in state.items()}


def load_trained(model: MultiHead, state: Mapping[str, Tensor]) -> None:
    """Put back what `trained_state` took out of a model of the same make."""

    def part(prefix: str) -> dict[str, Tensor]:
        return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}

    model.heads.load_state_dict(part(HEAD_PREFIX))
    if _has_adapter(model):
        from peft import set_peft_model_state_dict

        set_peft_model_state_dict(model.encoder, part(ADAPTER_PREFIX))
    else:
        model.encoder.load_state_dict(part(ENCODER_PREFIX))


def restore(base: Base, heads: Mapping[str, int], weights: Path, rank: int | None) -> MultiHead:
    """The trained model of a bundle, adapter merged, in evaluation mode.

    Parameters
    ----------
    base, heads
        As trained.
    weights
        The bundle's safetensors file.
    rank
        Adapter's rank; None when every weight was trained.
    """
    from safetensors.torch import load_file

    model = build(base, heads)
    if rank is not None:
        add_adapter(model, rank)
    load_trained(model, load_file(weights))
    return merged(model)


def merged(model: MultiHead) -> MultiHead:
    """Fold the adapter into the encoder, in place, and switch dropout off."""
    if _has_adapter(model):
        model.encoder = model.encoder.merge_and_unload()  # type: ignore[operator]
    return model.eval()


def _has_adapter(model: MultiHead) -> bool:
    return hasattr(model.encoder, "peft_config")
