"""Every family of base goes the whole way: trained, quantised, bundled, served, also with a target head."""

from __future__ import annotations

import csv
import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is in foreshock[train]")
pytest.importorskip("nncf", reason="nncf is in foreshock[train]")

from tokenizers import Tokenizer

from models.base import check_length, most_tokens, resolve_base
from models.bundle import TOKENIZER
from models.classifier import Classifier
from models.encoder import build
from models.errors import BundleError
from models.labels import Head, HeadKind
from models.targets import MARKER
from models.training.config import make_config
from models.training.fitted import Places
from models.training.run import train
from tests.unit.models.bases import tiny

pytestmark = [pytest.mark.timeout(300), pytest.mark.filterwarnings("ignore")]

WHO = ("Acme", "Orion", "Zephyr", "Nimbus")


@pytest.fixture(scope="module")
def courts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Who beats whom: one headline, two companies, two moods."""
    path = tmp_path_factory.mktemp("labelled") / "courts.csv"
    rng = random.Random(3)
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["split", "sentiment", "text", "who"])
        for split, count in (("train", 48), ("valid", 8), ("test", 8)):
            for number in range(count):
                winner, loser = rng.sample(WHO, 2)
                side = (winner, "positive") if number % 2 else (loser, "negative")
                rows.writerow([split, side[1], f"{winner} beats {loser} in court", side[0]])
    return path


@pytest.mark.parametrize(
    ("family", "kind", "marker"),
    [
        ("bert", "lora", True),
        ("roberta", "lora", False),
        ("xlm-roberta", "full", False),
        ("distilbert", "full", False),
    ],
)
def test_a_family_is_trained_and_served_with_a_target_head(
    family: str,
    kind: str,
    marker: bool,
    courts: Path,
    tmp_path: Path,
) -> None:
    base = tiny.save(family, tmp_path / "base", marker=marker)
    table = {
        "name": family,
        "base": str(base),
        "max_tokens": 32,
        "heads": {"target": {"kind": "target", "batch": 8}},
        "data": [{"head": "target", "file": str(courts), "label": "sentiment", "target": "who"}],
        "adapter": {"kind": kind, "rank": 8},
        "fit": {"lr": 2e-2 if kind == "lora" else 5e-3, "epochs": 8, "precision": "float32"},
        "track": "none",
        "leaks": "warn",  # who is named differs, and nothing else
    }
    out = train(make_config(table, "test"), Places(tmp_path / "bundle", tmp_path / "work"))
    served = Classifier.load(out, "openvino")
    words = Tokenizer.from_file(str(out / TOKENIZER))
    known = Tokenizer.from_file(str(base / "tokenizer.json")).token_to_id(MARKER)
    assert (known is not None) is marker
    assert served.bundle.marker == words.token_to_id(MARKER)
    assert known in (None, served.bundle.marker)

    text = "Acme beats Orion in court"
    asked = [text] * 2, [["Acme"], ["Orion"]]
    assert served.target_probabilities(*asked).argmax(axis=1).tolist() == [2, 0]
    figures = served.bundle.metrics["target courts"]
    assert figures["int8"]["accuracy"] == figures["float32"]["accuracy"] == 1.0
    # The same in float32 from the bundle alone: also the marker's row, where it is new.
    shutil.rmtree(base)
    exact = Classifier.load(out, "torch").target_logits(*asked)
    assert np.allclose(served.target_logits(*asked), exact, atol=0.15)


@pytest.mark.parametrize("family", ["bert", "distilbert", "roberta", "xlm-roberta"])
def test_as_many_tokens_as_a_base_has_positions_for(family: str, tmp_path: Path) -> None:
    import torch

    base = resolve_base(str(tiny.save(family, tmp_path / "base")))
    assert most_tokens(base) == 40
    check_length(base, 40)
    model = build(base, [Head("topic", HeadKind.SINGLE, ("a", "b"))]).eval()
    assert model(torch.full((1, 40), 3))[0].shape == (1, 2)
    with pytest.raises((IndexError, RuntimeError)):
        model(torch.full((1, 41), 3))
    with pytest.raises(BundleError, match=r"max_tokens = 41: .* reads 40 tokens at most"):
        check_length(base, 41)


@pytest.mark.parametrize("family", ["bert", "distilbert", "roberta", "xlm-roberta"])
def test_dropout_inside_the_encoder_is_set_in_every_family(family: str, tmp_path: Path) -> None:
    import torch

    base = resolve_base(str(tiny.save(family, tmp_path / "base")))
    model = build(base, [Head("topic", HeadKind.SINGLE, ("a", "b"))], encoder_dropout=0.0).train()
    ids = torch.tensor([[2, 7, 9, 4]])
    assert torch.equal(model.pooled(ids), model.pooled(ids))


@pytest.mark.parametrize("family", ["roberta", "xlm-roberta", "distilbert"])
def test_a_row_does_not_see_its_padding(family: str, tmp_path: Path) -> None:
    import torch

    base = resolve_base(str(tiny.save(family, tmp_path / "base")))
    model = build(base, [Head("topic", HeadKind.SINGLE, ("a", "b"))]).eval()
    ids = [2, 7, 9, 4]
    alone = model.pooled(torch.tensor([ids]))
    padded = model.pooled(torch.tensor([ids + [0] * 5]), torch.tensor([[1] * 4 + [0] * 5]))
    assert torch.allclose(alone, padded, atol=1e-6)


def test_the_marker_stands_in_a_text_as_a_name_does(tmp_path: Path) -> None:
    """Vocabularies that write the space before a word would otherwise see one that no name leaves."""
    from models.training.fitted import _save_tokenizer

    base = resolve_base(str(tiny.save("roberta", tmp_path / "base")))
    number = _save_tokenizer(
        base, tmp_path / TOKENIZER, [Head("t", HeadKind.TARGET, ("a", "b"))], None
    )
    assert number is not None
    words = Tokenizer.from_file(str(tmp_path / TOKENIZER))
    named = words.encode("Acme beats Orion in court").tokens
    found = words.encode(f"Acme beats {MARKER} in court")
    at = found.ids.index(number)
    assert found.tokens[:at] == named[: named.index("ĠOrion")]
    assert found.tokens[at + 1 :] == named[named.index("ĠOrion") + 1 :]


def test_pickled_weights_are_refused_and_the_way_out_is_named(tmp_path: Path) -> None:
    import torch

    base = tiny.save("bert", tmp_path / "base")
    state = build(resolve_base(str(base)), []).encoder.state_dict()
    (base / "model.safetensors").unlink()
    torch.save(state, base / "pytorch_model.bin")
    with pytest.raises(BundleError) as error:
        resolve_base(str(base))
    said = str(error.value)
    assert "pytorch_model.bin) are never read" in said
    assert f"from_pretrained('{base}')" in said
    # What it says does it.
    code = said.split('python -c "')[1].rsplit('"', 1)[0]
    shutil.copy(base / "tokenizer.json", tmp_path / "tokenizer.json")
    exec(code.replace("'safe-base'", f"'{tmp_path / 'safe'}'"))
    safe = resolve_base(str(tmp_path / "safe"))
    again = build(safe, []).encoder.state_dict()
    assert all(torch.equal(again[name], value) for name, value in state.items())


def test_code_that_a_base_brings_is_not_run(tmp_path: Path) -> None:
    base = tiny.save("bert", tmp_path / "base")
    (base / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Model: ...\n")
    settings = json.loads((base / "config.json").read_text())
    settings |= {"model_type": "evil", "auto_map": {"AutoModel": "evil.Model"}}
    (base / "config.json").write_text(json.dumps(settings))
    with pytest.raises(BundleError, match="code of its own"):
        resolve_base(str(base))
    assert not (tmp_path / "ran").exists()
