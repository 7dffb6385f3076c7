"""What moves in an encoder: every weight, none, or an adapter (torch).

The adapters of peft fold into the weights when training ends. Ours, of `LASTING`, cannot: they stay
in the encoder, and a bundle of one is loaded into an encoder that `adapted` has been over.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from torch import nn

from models.bottleneck import add_bottlenecks
from models.errors import ModelError
from models.parts import feed_forward_outputs, linear_layers, self_attentions
from models.prompts import add_prefixes, add_prompt

#: Kinds that no weight of the encoder can take up.
LASTING = ("bottleneck", "prefix", "prompt")
#: Kinds that train an adapter.
ADAPTERS = ("lora", "dora", "adalora", "ia3", *LASTING)
_MARKS = (
    "lora_",
    "ia3_",
    "ranknum",
    ".bottleneck.",
    "prefix_keys",
    "prefix_values",
    "prompt_vectors",
)


def adapted(encoder: nn.Module, method: Mapping[str, Any]) -> nn.Module:
    """Return the encoder as a method trains it: with an adapter, or with what does not move frozen.

    An adapter of peft sits on each linear layer and has no dropout of its own: the encoder has it,
    and another pass over every activation triples a step's time on CPUs.

    Parameters
    ----------
    encoder
        A transformers encoder.
    method
        ``kind`` and, by kind: ``rank`` and ``alpha`` (lora, dora, adalora; the scale is alpha over
        rank), ``steps`` (adalora: of the whole run), ``reduction`` and ``layout`` (bottleneck, see
        `models.bottleneck`), ``length`` (prefix, prompt, see `models.prompts`), ``freeze_embeddings``
        and ``freeze_layers`` (full).

    Raises
    ------
    ModelError
        When the kind is unknown, or cannot go on this encoder.

    Notes
    -----
    LoRA: Hu et al. 2021, section 4.1. DoRA: Liu et al. 2024, section 4. AdaLoRA: Zhang et al. 2023,
    section 3. IA3: Liu et al. 2022, section 3.3.
    """
    kind = method["kind"]
    if kind not in ("full", "frozen", *ADAPTERS):
        raise ModelError(f"no adapter {kind!r}; kinds are full, frozen, {', '.join(ADAPTERS)}")
    if kind == "full":
        _freeze(encoder, bool(method.get("freeze_embeddings")), int(method.get("freeze_layers", 0)))
        return encoder
    if kind == "frozen" or kind in LASTING:
        encoder.requires_grad_(False)
        if kind == "bottleneck":
            add_bottlenecks(encoder, int(method["reduction"]), str(method["layout"]))
        elif kind == "prefix":
            add_prefixes(encoder, int(method["length"]))
        elif kind == "prompt":
            add_prompt(encoder, int(method["length"]))
        return encoder
    from peft import AdaLoraConfig, IA3Config, LoraConfig, get_peft_model

    if kind == "ia3":
        feed_forward = list(feed_forward_outputs(encoder))
        scaled = {p for _, *pair in self_attentions(encoder).values() for p in pair}
        keys = [name for name, module in linear_layers(encoder).items() if module in scaled]
        return get_peft_model(
            encoder, IA3Config(target_modules=keys + feed_forward, feedforward_modules=feed_forward)
        )
    rank = int(method["rank"])
    alpha = int(method.get("alpha") or 2 * rank)
    if kind in ("lora", "dora"):
        config = LoraConfig(
            r=rank,
            lora_alpha=alpha,
            lora_dropout=0.0,
            target_modules="all-linear",
            bias="none",
            use_dora=kind == "dora",
        )
        return get_peft_model(encoder, config)
    steps = int(method.get("steps", 1_000))
    return get_peft_model(
        encoder,
        AdaLoraConfig(
            init_r=rank + rank // 2,
            target_r=rank,
            lora_alpha=alpha,
            lora_dropout=0.0,
            target_modules=list(linear_layers(encoder)),
            total_step=max(steps, 3),
            tinit=steps // 10,
            tfinal=steps // 3,
            deltaT=max(1, steps // 100),
        ),
    )


def has_adapter(encoder: nn.Module) -> bool:
    """Say whether the encoder has an adapter of its own, not folded into its weights."""
    return any(of_adapter(name) for name, _ in encoder.named_parameters())


def of_adapter(name: str) -> bool:
    """Say whether a parameter of an encoder is its adapter's.

    Examples
    --------
    >>> of_adapter("layer.0.query.lora_A.default.weight"), of_adapter("layer.0.query.base_layer.bias")
    (True, False)
    """
    return any(mark in name for mark in _MARKS)


def _freeze(encoder: nn.Module, embeddings: bool, layers: int) -> None:
    for name, parameter in encoder.named_parameters():
        depth = layer_of(name)
        parameter.requires_grad_(not ((embeddings and depth == 0) or 0 < depth <= layers))


def layer_of(name: str) -> int:
    """Return how high a parameter sits: 0 for embeddings, else the number of its layer from 1.

    Examples
    --------
    >>> layer_of("embeddings.word_embeddings.weight"), layer_of("encoder.layer.5.output.dense.bias")
    (0, 6)
    """
    parts = name.split(".")
    for before, part in pairwise(parts):
        if before in ("layer", "layers") and part.isdigit():
            return int(part) + 1
    return 0
