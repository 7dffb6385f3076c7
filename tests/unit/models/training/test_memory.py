"""The memory a run takes, as computed beforehand, against what torch takes on a small model."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is in foreshock[train]")

from torch.profiler import ProfilerActivity, profile  # noqa: E402
from transformers import AutoModel, BertConfig, BertModel  # noqa: E402

from models.adapters import ADAPTERS, adapted  # noqa: E402
from models.encoder import MultiHead  # noqa: E402
from models.errors import ModelError  # noqa: E402
from models.labels import Head, HeadKind  # noqa: E402
from models.training.batches import Rows  # noqa: E402
from models.training.config import RECIPES, TrainConfig, load_config, make_config  # noqa: E402
from models.training.loop import fit  # noqa: E402
from models.training.memory import KNOWN, RESERVE_BYTES, estimate  # noqa: E402
from tests.unit.models.bases import tiny  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")

#: How far the estimate may be from the measured peak, as a factor to either side.
FACTOR = 1.35
TOKENS = 64
SIZES: dict[str, Any] = {
    "vocab_size": 1_000,
    "hidden_size": 128,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 512,
    "max_position_embeddings": TOKENS,
}


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A folder with sizes and without weights."""
    folder = tmp_path / "base"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", **SIZES}))
    return folder


def recipe(base: Path | str, batch: int = 16, **sections: Any) -> TrainConfig:
    fitting = {"precision": "float32", "epochs": 1} | sections.pop("fit", {})
    table = {
        "base": str(base),
        "max_tokens": TOKENS,
        "heads": {"topic": {"batch": batch}},
        "data": [{"head": "topic", "file": "f"}],
        "adapter": {"kind": "full"},
        "fit": fitting,
        "track": "none",
    }
    return make_config(table | sections, "test")


def rows(count: int) -> Rows:
    rng = random.Random(1)
    ids = tuple([rng.randrange(5, 900) for _ in range(TOKENS)] for _ in range(count))
    return Rows(ids, np.arange(count) % 4, np.zeros(count, dtype=np.int64))


def measured_peak(config: TrainConfig, work: Path) -> int:
    """Most bytes that torch held at once while the loop ran: every allocation and release, added up."""
    head = Head("topic", HeadKind.SINGLE, tuple("abcd"))
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        model = MultiHead(BertModel(BertConfig(**SIZES), add_pooling_layer=False), [head])
        model.encoder = adapted(model.encoder, config.adapter.model_dump(exclude_none=True))
        batch = config.heads["topic"].batch
        fit(model, {"topic": rows(2 * batch)}, {"topic": rows(4)}, config, work)
    held = peak = 0
    for event in seen.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            peak = max(peak, held)
    return peak


@pytest.mark.parametrize(
    "sections",
    [
        {},
        {"adapter": {"kind": "lora", "rank": 8}},
        {"adapter": {"kind": "dora", "rank": 8}},
        {"adapter": {"kind": "bottleneck", "layout": "houlsby"}},
        {"adapter": {"kind": "prefix", "length": 4}},
        {"adapter": {"kind": "prompt", "length": 8}},
        {"adapter": {"kind": "ia3"}},
        {"adapter": {"kind": "frozen"}},
        {"adapter": {"kind": "full", "freeze_embeddings": True, "freeze_layers": 2}},
        {"fit": {"gradient_checkpointing": True}},
        {"fit": {"rdrop": 1.0}},
        {"fit": {"optimiser": "sgd"}, "batch": 4},
        {"fit": {"optimiser": "adafactor"}, "batch": 4},
        {"fit": {"precision": "bfloat16"}, "batch": 8},
    ],
    ids=lambda sections: json.dumps(sections).translate({ord(c): None for c in '{}" '}) or "full",
)
def test_the_estimate_is_what_torch_takes(
    base: Path, tmp_path: Path, sections: dict[str, Any]
) -> None:
    config = recipe(base, **sections)
    # A CPU's attention keeps its weights, which a GPU's does not.
    expected = estimate(config, labels=4, fused=False).peak
    peak = measured_peak(config, tmp_path / "work")
    assert peak / FACTOR < expected < peak * FACTOR, f"{expected:,} against {peak:,}"


@pytest.mark.parametrize("family", ["bert", "roberta", "xlm-roberta", "distilbert"])
def test_parameters_are_counted_exactly(family: str, tmp_path: Path) -> None:
    sizes = tiny.config_of(family, 100, layers=3)
    sizes.save_pretrained(tmp_path)
    extra = {} if family == "distilbert" else {"add_pooling_layer": False}
    encoder = AutoModel.from_config(sizes, **extra)  # type: ignore[no-untyped-call]
    found = estimate(recipe(tmp_path), labels=4)
    assert found.parameters == found.moving
    assert found.parameters == sum(p.numel() for p in encoder.parameters()) + 4 * 33


def test_the_known_bases_have_their_published_sizes() -> None:
    """Millions of parameters without the pooler: Devlin et al. 2019 and Conneau et al. 2020 round them."""
    published = {
        "google-bert/bert-base-uncased": 109,
        "ProsusAI/finbert": 109,
        "google-bert/bert-base-chinese": 102,
        "google-bert/bert-base-multilingual-cased": 177,
        "FacebookAI/xlm-roberta-base": 277,
    }
    assert {name.split("/")[-1] for name in published} == set(KNOWN)
    for name, millions in published.items():
        assert round(estimate(recipe(name)).parameters / 1e6) == millions


@pytest.mark.parametrize("kind", ["frozen", *ADAPTERS])
def test_every_adapter_is_known_and_smaller_than_all_weights(base: Path, kind: str) -> None:
    found = estimate(recipe(base, adapter={"kind": kind, "rank": 4}))
    full = estimate(recipe(base))
    assert found.moving < full.moving / 3
    assert found.standing < full.standing / 2


def test_what_saves_memory_saves_it(base: Path) -> None:
    plain = estimate(recipe(base))
    assert estimate(recipe(base, fit={"precision": "bfloat16"})).row < 0.75 * plain.row
    assert estimate(recipe(base, fit={"gradient_checkpointing": True})).row < 0.6 * plain.row
    assert estimate(recipe(base, fit={"optimiser": "adafactor"})).optimiser < plain.optimiser / 20
    assert estimate(recipe(base, trim={"layers": 1, "vocabulary": 500})).moving < plain.moving / 2
    assert estimate(recipe(base, max_tokens=16)).row * 4 == plain.row


def test_the_fitting_batch_fits_and_the_next_does_not(base: Path) -> None:
    for batch in (2, 16):
        found = estimate(recipe(base, batch))
        memory = found.peak + RESERVE_BYTES
        assert found.fitting_rows(memory) == batch
        assert found.fitting_rows(memory - 1) < batch
    assert estimate(recipe(base)).fitting_rows(RESERVE_BYTES) == 0


def test_a_base_of_unknown_sizes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="sizes of the base 'some/base' are not known here"):
        estimate(recipe("some/base"))
    with pytest.raises(ModelError, match=r"no config\.json"):
        estimate(recipe(tmp_path))


@pytest.mark.parametrize(
    "name", ["bert-base-uncased", "finbert", "foreshock-zh", "xlm-roberta-base"]
)
def test_a_recipe_states_the_memory_it_takes(name: str) -> None:
    path = RECIPES / f"{name}.toml"
    (stated,) = re.findall(r"^# Memory: (.*)$", path.read_text("utf-8"), re.MULTILINE)
    assert stated == estimate(load_config(path)).summary(16 << 30)
