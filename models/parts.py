"""Where the parts of an encoder are, whatever its architecture calls them (torch).

BERT, RoBERTa, XLM-R, CamemBERT and ELECTRA share their names; DistilBERT has its own.
"""

from __future__ import annotations

from typing import Any

from torch import nn

_KEY_VALUE = (("key", "value"), ("k_lin", "v_lin"))


def linear_layers(encoder: nn.Module) -> dict[str, nn.Linear]:
    """Every linear layer by name, from the bottom."""
    return {n: module for n, module in encoder.named_modules() if isinstance(module, nn.Linear)}


def attention_outputs(encoder: nn.Module) -> dict[str, nn.Linear]:
    """The projection that ends each layer's attention."""
    return {
        name: module
        for name, module in linear_layers(encoder).items()
        if name.endswith(("attention.output.dense", "attention.out_lin"))
    }


def feed_forward_outputs(encoder: nn.Module) -> dict[str, nn.Linear]:
    """The projection that ends each layer's feed-forward part."""
    return {
        name: module
        for name, module in linear_layers(encoder).items()
        if name.endswith(("output.dense", "ffn.lin2")) and "attention" not in name
    }


def self_attentions(encoder: nn.Module) -> dict[str, tuple[Any, nn.Linear, nn.Linear]]:
    """Each layer's attention with the projections that make its keys and its values."""
    found = {}
    for name, module in encoder.named_modules():
        for names in _KEY_VALUE:
            key, value = (getattr(module, n, None) for n in names)
            if isinstance(key, nn.Linear) and isinstance(value, nn.Linear):
                found[name] = (module, key, value)
    return found
