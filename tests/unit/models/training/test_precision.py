"""bfloat16 is taken where the processor has it, and a run goes on where it has not."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="torch is in foreshock[train]")

from models.training import precision  # noqa: E402
from models.training.config import FitConfig  # noqa: E402
from models.training.loop import Watch, fit  # noqa: E402
from models.training.precision import taken  # noqa: E402
from tests.unit.models.training.test_loop import TRAIN, VALID, config, model  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")
LORA = {"kind": "lora", "rank": 4}


def test_auto_is_what_the_processor_says_of_itself() -> None:
    assert FitConfig().precision == "auto"
    flags = Path("/proc/cpuinfo")
    if not flags.exists():
        pytest.skip("no /proc/cpuinfo to compare with")
    words = set(flags.read_text().split())
    expected = "bfloat16" if words & {"avx512_bf16", "amx_bf16"} else "float32"
    assert taken("auto", "cpu") == expected
    assert taken("auto") == taken("auto", "cuda" if torch.cuda.is_available() else "cpu")
    assert taken("auto", "meta") == "float32"
    assert [taken(setting, "cpu") for setting in ("float32", "bfloat16")] == ["float32", "bfloat16"]


@pytest.mark.parametrize("has", [True, False])
def test_auto_is_what_the_loss_is_computed_in(
    has: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "_has_bfloat16", lambda device: has)
    made = model(LORA)
    seen = set()
    made.encoder.register_forward_hook(
        lambda _, inputs, output: (
            seen.add(torch.is_autocast_enabled("cpu")) if torch.is_grad_enabled() else None
        )
    )
    fit(made, TRAIN, VALID, config(fit={"epochs": 1, "precision": "auto"}), tmp_path)
    assert seen == {has}


def test_a_run_goes_on_where_auto_comes_to_something_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(Exception):
        pass

    def die(epoch: object) -> None:
        raise Killed

    chosen = config(fit={"epochs": 2, "precision": "auto"})
    monkeypatch.setattr(precision, "_has_bfloat16", lambda device: True)
    with pytest.raises(Killed):
        fit(model(LORA), TRAIN, VALID, chosen, tmp_path, watch=Watch(epoch=die))
    monkeypatch.setattr(precision, "_has_bfloat16", lambda device: False)
    assert len(fit(model(LORA), TRAIN, VALID, chosen, tmp_path, resume=True)) == 2
