"""Dropped layers, and the base that is left."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from models.base import resolve_base
from models.compress.layers import STRATEGIES, drop_layers, kept_layers
from models.compress.trained import write_base
from models.encoder import build
from models.errors import ModelError
from tests.unit.models.compress import tiny

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(("total", "keep"), [(2, 1), (6, 3), (6, 5), (12, 6), (5, 3)])
def test_as_many_stay_as_were_asked_for(strategy: str, total: int, keep: int) -> None:
    kept = kept_layers(total, keep, strategy)
    assert len(kept) == keep
    assert kept == sorted(set(kept))
    assert set(kept) <= set(range(total))


@pytest.mark.parametrize(
    ("keep", "strategy", "said"),
    [(0, "top", "from 1 to 5"), (6, "top", "from 1 to 5"), (2, "alternate", "every second"),
     (3, "best", "expected one of top")],
)  # fmt: skip
def test_what_cannot_be_dropped(keep: int, strategy: str, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        kept_layers(6, keep, strategy)


def test_without_its_top_a_base_gives_its_middle(tmp_path: Path) -> None:
    start = tiny.base(tmp_path / "four", layers=4)
    ids = torch.tensor([[5, 20, 30, 6]])
    encoder = build(start, tiny.HEADS).encoder.eval()
    with torch.inference_mode():
        middle = encoder(input_ids=ids, output_hidden_states=True).hidden_states[2]
    drop_layers(encoder, kept_layers(4, 2))
    write_base(encoder, tiny.tokenizer().to_str(), tmp_path / "two")
    again = build(resolve_base(str(tmp_path / "two")), tiny.HEADS).encoder.eval()
    with torch.inference_mode():
        top = again(input_ids=ids).last_hidden_state
    assert again.config.num_hidden_layers == 2  # type: ignore[union-attr]
    assert torch.allclose(middle, top, atol=1e-6)
