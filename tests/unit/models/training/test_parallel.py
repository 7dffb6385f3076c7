"""Two processes train what one does: every step, every figure, whatever a step is made of."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is in foreshock[train]")

from safetensors.torch import load_file  # noqa: E402

from models.errors import ModelError  # noqa: E402
from models.training import parallel  # noqa: E402
from models.training.batches import Batch  # noqa: E402
from models.training.config import make_config  # noqa: E402
from tests.support import ranks as tiny  # noqa: E402

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[4]


def torchrun(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2",
         "--standalone", "-m", "tests.support.ranks", *map(str, arguments)],
        cwd=ROOT, capture_output=True, text=True, timeout=550,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
    )  # fmt: skip


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("together")
    done = torchrun(folder, "ddp", "fsdp")
    assert done.returncode == 0, done.stderr
    return folder


def result(folder: Path, number: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    curve = json.loads((folder / f"result-{number}.json").read_text())
    return load_file(folder / f"result-{number}.safetensors"), curve


@pytest.mark.parametrize("kind", ["ddp", "fsdp"])
@pytest.mark.parametrize("name", list(tiny.RUNS))
def test_two_processes_end_where_one_does(
    together: Path, tmp_path: Path, name: str, kind: str
) -> None:
    alone = tiny.run(tmp_path, name)
    expected = result(tmp_path, 0)[1]
    for number in (0, 1):
        weights, curve = result(together / kind / name, number)
        assert weights.keys() == alone.keys()
        for key, value in alone.items():
            assert torch.allclose(weights[key], value, atol=5e-5), (number, key)
        for mine, theirs in zip(expected, curve, strict=True):
            assert mine["train_loss"] == pytest.approx(theirs["train_loss"], abs=1e-4)
            assert mine["macro_f1"] == pytest.approx(theirs["macro_f1"], abs=1e-6)
            assert mine["valid_loss"] == pytest.approx(theirs["valid_loss"], abs=1e-4)


@pytest.mark.parametrize("kind", ["ddp", "fsdp"])
def test_a_run_goes_on_in_as_many_processes_as_there_are(
    together: Path, tmp_path: Path, kind: str
) -> None:
    unbroken = result(together / kind / "full", 0)
    resumed = result(together / kind / "resumed", 0)
    assert resumed[1] == unbroken[1]
    for key, value in unbroken[0].items():
        assert torch.equal(resumed[0][key], value), key
    # Begun by two, ended by one.
    folder = tmp_path / "mixed"
    tiny.run(folder, "full", until=1)
    first = {path.name for path in folder.glob("epoch-*")}
    begun = together / kind / "resumed"
    assert first == {"epoch-1.safetensors"}
    assert {path.name for path in begun.glob("epoch-*")} == {"epoch-2.safetensors"}
    names = load_file(folder / "epoch-1.safetensors")
    assert {k: v.shape for k, v in load_file(begun / "epoch-2.safetensors").items()} == {
        k: v.shape for k, v in names.items()
    }


def test_a_process_that_dies_ends_the_command(tmp_path: Path) -> None:
    done = torchrun(tmp_path, "die")
    assert done.returncode != 0
    assert "SIGKILL" in done.stderr
    assert not list(tmp_path.glob("result-*"))


def test_shares_are_every_row_once_and_weigh_what_they_hold() -> None:
    ids = np.arange(5)[:, None]
    batch = Batch(ids, ids, ids[:, 0], ids[:, 0], {"topic": np.eye(5, dtype=np.float32)}, {}, {})
    shares = [parallel.Ranks(number, 3).share(batch) for number in range(3)]
    assert sorted(n for part, _ in shares for n in part.labels) == [0, 1, 2, 3, 4]
    assert all((part.soft["topic"].argmax(axis=1) == part.labels).all() for part, _ in shares)
    assert sum(weight * part.labels.mean() for part, weight in shares) / 3 == pytest.approx(2.0)
    few = Batch(ids[:1], ids[:1], ids[:1, 0], ids[:1, 0], {}, {}, {})
    assert [parallel.Ranks(number, 2).share(few)[1] for number in range(2)] == [2.0, 0.0]


def test_every_process_reads_as_many_batches() -> None:
    dealt = [parallel.Ranks(number, 3).dealt(range(7)) for number in range(3)]
    assert {len(own) for own in dealt} == {3}
    assert {item for own in dealt for item in own} == set(range(7))


@pytest.mark.parametrize(
    "section", [{"adapter": {"kind": "adalora"}}, {"fit": {"optimiser": "adafactor"}}]
)
def test_what_needs_whole_weights_is_refused_under_fsdp(section: dict[str, Any]) -> None:
    table = {"heads": {"a": {}}, "data": [{"head": "a", "file": "f"}], **section}
    config = make_config(table, "test")
    parallel.checked(config, parallel.Ranks(0, 2, "ddp"))
    with pytest.raises(ModelError, match=r'set fit\.parallel = "ddp"'):
        parallel.checked(config, parallel.Ranks(0, 2, "fsdp"))
