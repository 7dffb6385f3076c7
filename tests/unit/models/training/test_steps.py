"""What a step is made of: accumulated batches, half precision, layers computed twice; and going on later."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is in foreshock[train]")

from torch import nn  # noqa: E402

from models.encoder import trained_state  # noqa: E402
from models.errors import ModelError  # noqa: E402
from models.training import checkpoint  # noqa: E402
from models.training.batches import padded  # noqa: E402
from models.training.loop import fit  # noqa: E402
from models.training.losses import Objective  # noqa: E402
from tests.support import ranks as tiny  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")

TRAIN, VALID = tiny.data()
ALL = dict.fromkeys(tiny.BATCHES, 12)
#: Twelve rows of each head: two batches of six are one of twelve.
EVEN = {
    head: type(rows)(rows.ids[:12], rows.labels[:12], rows.sources[:12])
    for head, rows in TRAIN.items()
}


@pytest.mark.parametrize("weights", ["none", "balanced"])
def test_accumulated_batches_make_the_step_of_one_large_batch(tmp_path: Path, weights: str) -> None:
    options: dict[str, Any] = {"epochs": 1, "warmup": 0.0, "schedule": "constant"}
    options["class_weights"] = weights
    large, small = (
        tiny.config("full", batches=batches, optimiser="sgd", lr=0.1, accumulate=count, **options)
        for batches, count in ((ALL, 1), (dict.fromkeys(ALL, 6), 2))
    )
    models = [tiny.bert(chosen) for chosen in (large, small)]
    before = trained_state(models[0])
    for model, chosen in zip(models, (large, small), strict=True):
        fit(model, EVEN, VALID, chosen, tmp_path / str(chosen.fit.accumulate))
    first, second = map(trained_state, models)
    assert any(not torch.equal(first[name], before[name]) for name in before)
    for name, value in first.items():
        assert torch.allclose(second[name], value, atol=1e-6), name


def gradients(chosen: Any) -> tuple[dict[str, Any], int, set[Any]]:
    """Of one batch; also how often a layer was computed, and the types its products had."""
    model = tiny.bert(chosen)
    if chosen.fit.gradient_checkpointing:
        model.encoder.gradient_checkpointing_enable()  # type: ignore[operator]
    model.train()
    types: list[Any] = []
    linear = next(m for m in model.encoder.modules() if isinstance(m, nn.Linear))
    linear.register_forward_hook(lambda module, inputs, output: types.append(output.dtype))
    Objective(model, TRAIN, chosen).backward(model, "topic", padded(TRAIN["topic"], range(8)), 1.0)
    moving = {
        n: p.grad for n, p in model.named_parameters() if p.requires_grad and p.grad is not None
    }
    return moving, len(types), set(types)


@pytest.mark.parametrize("name", ["full", "lora"])
def test_checkpointed_layers_are_computed_twice_and_give_the_same_gradient(name: str) -> None:
    plain, once, _ = gradients(tiny.config(name))
    spare, twice, _ = gradients(tiny.config(name, gradient_checkpointing=True))
    assert (once, twice) == (1, 2)
    assert plain.keys() == spare.keys() and len(plain) > 10
    for key, value in plain.items():
        assert torch.allclose(spare[key], value, atol=1e-6), key


def test_half_precision_is_of_products_and_weights_stay_whole() -> None:
    whole, _, types = gradients(tiny.config("full"))
    assert types == {torch.float32}
    low, _, types = gradients(tiny.config("full", precision="bfloat16"))
    assert types == {torch.bfloat16}
    assert {value.dtype for value in low.values()} == {torch.float32}
    a, b = (torch.cat([v.flatten() for v in found.values()]) for found in (whole, low))
    assert 0 < float((a - b).norm() / a.norm()) < 0.1


def test_a_run_may_go_on_for_more_epochs_but_not_otherwise(tmp_path: Path) -> None:
    fit(tiny.bert(tiny.config("full")), TRAIN, VALID, tiny.config("full"), tmp_path)
    longer = tiny.config("full", epochs=3, parallel="fsdp")
    curve = fit(tiny.bert(longer), TRAIN, VALID, longer, tmp_path, resume=True)
    assert [epoch.planned for epoch in curve] == [2, 2, 3]
    column = longer.model_copy(
        update={"data": tuple(e.model_copy(update={"label": "other"}) for e in longer.data)}
    )
    with pytest.raises(ModelError, match=r"made with rows="):
        fit(tiny.bert(longer), TRAIN, VALID, column, tmp_path, resume=True)


def test_a_run_stopped_on_the_way_ends_as_one_that_was_not(tmp_path: Path) -> None:
    chosen = tiny.config("lora", epochs=3)
    whole = tiny.bert(chosen)
    curve = fit(whole, TRAIN, VALID, chosen, tmp_path / "whole")
    for until in (1, 2):
        part = fit(
            tiny.bert(chosen), TRAIN, VALID, chosen, tmp_path / "parts", resume=True, until=until
        )
        assert part == curve[:until]
    last = tiny.bert(chosen)
    assert fit(last, TRAIN, VALID, chosen, tmp_path / "parts", resume=True) == curve
    expected = trained_state(whole)
    assert all(torch.equal(value, expected[name]) for name, value in trained_state(last).items())


def test_a_run_killed_while_it_writes_goes_on_from_the_epoch_before(tmp_path: Path) -> None:
    tensors = {"weight.0": torch.zeros(1)}
    checkpoint.save(tmp_path, tensors, [{"number": 0}], {"fit.lr": 1.0})
    # Killed after the tensors of the next epoch, before progress.json names them.
    (tmp_path / "epoch-2.safetensors").write_bytes(b"torn")
    saved = checkpoint.load(tmp_path, {"fit.lr": 1.0})
    assert saved is not None and saved.curve == [{"number": 0}]
    checkpoint.save(tmp_path, tensors, [{"number": 0}, {"number": 1}], {"fit.lr": 1.0})
    assert [path.name for path in tmp_path.glob("*.safetensors")] == ["epoch-2.safetensors"]
