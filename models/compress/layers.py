"""Whole layers left out, for a shallower base to train or distil into.

Sajjad, Dalvi, Durrani and Nakov 2020, "On the Effect of Dropping Layers of Pre-trained Transformer
Models", section 3: which layers to drop before fine-tuning. Their finding: the top ones first.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

from torch import nn

from models.errors import ModelError

Strategy = Literal["top", "alternate", "symmetric", "bottom"]
STRATEGIES: tuple[str, ...] = get_args(Strategy)


def kept_layers(total: int, keep: int, strategy: str = "top") -> list[int]:
    """Numbers of the layers that stay, from 0 at the bottom.

    Parameters
    ----------
    total, keep
        Layers there are, and layers wanted, ``1 <= keep < total``.
    strategy
        ``top`` drops from the top; ``alternate`` every second one, from the one under the top
        down, so at most half of them; ``symmetric`` the middle ones; ``bottom`` the lowest.

    Examples
    --------
    >>> kept_layers(6, 4, "top"), kept_layers(6, 4, "alternate")
    ([0, 1, 2, 3], [0, 1, 3, 5])
    >>> kept_layers(6, 3, "symmetric"), kept_layers(6, 4, "bottom")
    ([0, 1, 5], [2, 3, 4, 5])
    """
    if not 1 <= keep < total:
        raise ModelError(f"layers {keep}: expected from 1 to {total - 1}, of {total} there are")
    drop = total - keep
    if strategy == "top":
        gone = set(range(keep, total))
    elif strategy == "bottom":
        gone = set(range(drop))
    elif strategy == "symmetric":
        low = (keep + 1) // 2
        gone = set(range(low, low + drop))
    elif strategy == "alternate":
        if drop > total // 2:
            raise ModelError(
                f"layers {keep}: alternate drops at most every second of {total} layers; ask for "
                f"{total - total // 2} or more, or use --strategy top"
            )
        gone = {total - 2 - 2 * i for i in range(drop)}
    else:
        raise ModelError(f"strategy {strategy!r}: expected one of {', '.join(STRATEGIES)}")
    return [layer for layer in range(total) if layer not in gone]


def drop_layers(encoder: Any, kept: list[int]) -> None:
    """Keep only some layers of a BERT, in place."""
    # DistilBERT calls its stack otherwise.
    stack = encoder.transformer if hasattr(encoder, "transformer") else encoder.encoder
    stack.layer = nn.ModuleList(stack.layer[i] for i in kept)
    encoder.config.num_hidden_layers = len(kept)
