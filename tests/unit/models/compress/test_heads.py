"""Pruned heads: the weights of importance, and one function in two shapes."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from models.base import Base
from models.compress import heads
from models.compress.trained import outputs
from models.encoder import MultiHead
from models.errors import ModelError
from models.pruned import whole
from tests.unit.models.compress import tiny

pytestmark = pytest.mark.filterwarnings("ignore")
IDS = [[5, 20, 30, 6], [5, 41, 6], [5, 9, 9, 60, 6], [5, 70, 33, 6]]
LABELS = np.array([0, 1, 2, 3])


def silence(model: MultiHead, gone: list[set[int]]) -> None:
    """Zero all that is of some heads, in their full shape."""
    small = copy.deepcopy(model)
    heads.cut(small, gone)
    state = {name: tensor.numpy() for name, tensor in small.state_dict().items()}
    found = whole(state, [sorted(layer) for layer in gone], width=32, heads=4)
    model.load_state_dict({name: torch.from_numpy(value) for name, value in found.items()})


def test_importance_is_the_gradient_of_the_loss_by_a_mask(tiny_base: Base) -> None:
    model = tiny.model(tiny_base)
    found = heads.importance(model, IDS[:1], LABELS[:1], "topic")
    dense = model.encoder.encoder.layer[1].attention.output.dense  # type: ignore[union-attr, index]
    whole = dense.weight.detach().clone()

    def loss(head: int, scale: float) -> float:
        with torch.no_grad():
            dense.weight.copy_(whole)
            dense.weight[:, head * 8 : (head + 1) * 8] *= scale
            logits = outputs(model, torch.tensor(IDS[:1]))["topic"]
        return float(torch.nn.functional.cross_entropy(logits, torch.tensor([0])))

    slopes = np.array([abs(loss(h, 1.01) - loss(h, 0.99)) / 0.02 for h in range(4)])
    assert found[1] == pytest.approx(slopes / np.linalg.norm(slopes), rel=2e-2, abs=1e-3)


def test_importance_is_a_mean_over_rows_whatever_their_lengths(tiny_base: Base) -> None:
    model = tiny.model(tiny_base)
    found = heads.importance(model, IDS, LABELS, "topic")
    assert found.shape == (2, 4)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1)
    order = [2, 0, 3, 1]
    shuffled = heads.importance(model, [IDS[i] for i in order], LABELS[order], "topic")
    assert shuffled == pytest.approx(found, rel=1e-4)


def test_a_head_that_says_nothing_goes_first(tiny_base: Base) -> None:
    model = tiny.model(tiny_base)
    silence(model, [{2}, set()])
    found = heads.importance(model, IDS, LABELS, "topic")
    assert found[0, 2] == 0
    assert heads.least(found, 1 / 8) == [{2}, set()]


def test_every_layer_keeps_a_head() -> None:
    assert [len(gone) for gone in heads.least(np.array([[0.1] * 4, [0.9] * 4]), 0.9)] == [3, 3]
    with pytest.raises(ModelError, match="less than 1"):
        heads.least(np.ones((1, 2)), 1.0)


def test_a_cut_head_and_a_silent_one_are_one_function(tiny_base: Base) -> None:
    gone = [{0, 3}, {1}]
    silent, small, full = (tiny.model(tiny_base) for _ in range(3))
    silence(silent, gone)
    heads.cut(small, gone)
    ids = torch.tensor([[5, 20, 30, 41, 6]])
    with torch.inference_mode():
        for head, logits in outputs(silent, ids).items():
            assert torch.allclose(logits, outputs(small, ids)[head], atol=1e-5)
            assert not torch.allclose(logits, outputs(full, ids)[head], atol=1e-3)
    count = [sum(p.numel() for p in m.parameters()) for m in (small, full)]
    assert count[0] < count[1]


def test_a_head_of_several_labels_is_weighed_too(tiny_base: Base) -> None:
    truth = np.eye(4, dtype=np.float32)
    found = heads.importance(tiny.model(tiny_base), IDS, truth, "topic")
    assert (found > 0).any()
