"""A base trained further: it learns, resumes, refuses, and is a base again."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is in foreshock[train]")

from safetensors.torch import load_file  # noqa: E402
from transformers import (  # noqa: E402
    BertConfig,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    RobertaConfig,
    RobertaModel,
    XLMRobertaConfig,
    XLMRobertaModel,
)

from models.base import Base, resolve_base  # noqa: E402
from models.encoder import build  # noqa: E402
from models.errors import DataError, ModelError  # noqa: E402
from models.masked import load_masked  # noqa: E402
from models.pretraining.loop import Epoch, Fit, Watch  # noqa: E402
from models.pretraining.run import RECORD, Pretraining, pretrain  # noqa: E402
from models.pretraining.texts import read_corpus  # noqa: E402
from tests.unit.models.compress import tiny  # noqa: E402
from tests.unit.models.pretraining.conftest import FOLLOWS  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def asked(tmp_path: Path, news: Path, tiny_base: Base) -> Callable[..., Pretraining]:
    def ask(name: str, fit: Fit | None = None, **more: object) -> Pretraining:
        run = Pretraining([news], [], tmp_path / name, tmp_path / f"{name}.work", max_tokens=32)
        fit = fit or Fit(epochs=2, batch=16, lr=3e-3, precision="float32")
        return replace(run, base=str(tiny_base.folder), fit=fit, **more)  # type: ignore[arg-type]

    return ask


def test_it_learns_what_follows_and_the_folder_is_a_base_with_a_head(
    asked: Callable[..., Pretraining], tiny_base: Base
) -> None:
    run = asked("learnt", Fit(epochs=30, batch=16, lr=2e-3, masked=0.3, precision="float32"))
    base, curve = pretrain(run)
    assert [epoch.number for epoch in curve] == list(range(31))
    assert curve[0].train_loss is None
    best = min(epoch.held_out_loss for epoch in curve[1:])
    assert best < 0.6 * curve[0].held_out_loss
    assert curve[0].perplexity == pytest.approx(np.exp(curve[0].held_out_loss))
    record = json.loads((base.folder / RECORD).read_text())
    assert record["base"] == {
        "name": tiny_base.name, "sha256": tiny_base.sha256, "fresh_head": True,
    }  # fmt: skip
    assert record["curve"][0]["held_out_loss"] == curve[0].held_out_loss

    language = load_masked(base, 32)
    assert not language.fresh_head
    embeddings = language.model.get_input_embeddings().weight
    assert language.model.get_output_embeddings().weight is embeddings
    for subject, after in FOLLOWS.items():
        ids = torch.tensor([language.tokenizer.encode(f"{subject} c d [MASK]").ids])
        logits = language.logits(ids, torch.ones_like(ids), ids == language.mask_id)
        assert logits.shape == (1, language.tokenizer.get_vocab_size())
        assert language.tokenizer.id_to_token(int(logits.argmax())) == after

    # What `foreshock train` takes is the encoder that was trained, without the head.
    encoder = build(base, tiny.HEADS).encoder.state_dict()
    trained = language.model.base_model.state_dict()
    assert encoder.keys() == trained.keys()
    assert all(torch.equal(encoder[name], trained[name]) for name in encoder)
    before = build(tiny_base, tiny.HEADS).encoder.state_dict()
    assert not all(torch.equal(encoder[name], before[name]) for name in encoder)


def test_the_head_reads_only_what_is_asked_and_says_what_the_whole_model_says(
    tiny_base: Base,
) -> None:
    language = load_masked(tiny_base, 32)
    assert language.fresh_head
    ids = torch.randint(8, 40, (3, 7))
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    places = torch.rand(3, 7) < 0.4
    with torch.inference_mode():
        whole = language.model(input_ids=ids, attention_mask=mask).logits[places]
        assert torch.allclose(language.logits(ids, mask, places), whole, atol=1e-5)


def test_a_killed_run_resumes_to_the_same_base_and_not_on_other_data(
    asked: Callable[..., Pretraining], tmp_path: Path
) -> None:
    whole, curve = pretrain(asked("whole"))

    class Killed(Exception):
        pass

    def die(epoch: Epoch) -> None:
        if epoch.number == 1:
            raise Killed

    run = asked("broken")
    with pytest.raises(Killed):
        pretrain(run, Watch(epoch=die))
    assert not run.out.exists()
    with pytest.raises(ModelError, match="add --resume"):
        pretrain(run)
    with pytest.raises(ModelError, match=r"made with fit.lr=0.003; resume with the same options"):
        pretrain(replace(run, resume=True, fit=replace(run.fit, lr=1.0)))
    other = tmp_path / "other.txt"
    other.write_text(run.files[0].read_text() + "one more\n")
    with pytest.raises(ModelError, match="made with texts="):
        pretrain(replace(run, resume=True, files=[other]))
    told: list[int] = []
    resumed, again = pretrain(
        replace(run, resume=True), Watch(epoch=lambda epoch: told.append(epoch.number))
    )
    assert told == [2]
    assert again == curve
    expected = load_file(whole.folder / "model.safetensors")
    found = load_file(resumed.folder / "model.safetensors")
    assert expected.keys() == found.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    with pytest.raises(ModelError, match="is there already"):
        pretrain(run)
    further = replace(run, out=tmp_path / "further", resume=True, fit=replace(run.fit, epochs=3))
    assert pretrain(further)[1][:3] == curve


def test_what_is_held_out_is_not_trained_on(tmp_path: Path) -> None:
    table = tmp_path / "news.csv"
    lines = [f"$A{i % 5} beats by {i},word{chr(97 + i % 20)}" for i in range(100)]
    table.write_text("title,lead\n" + "\n".join([*lines, *lines[:10], ","]) + "\n")
    corpus = read_corpus([table], ["title", "lead"], 0.2, 13)
    assert len(corpus.train) + len(corpus.held_out) == 100  # repeats and empty rows are gone
    assert corpus.train[0].startswith("$A")
    assert ". word" in corpus.train[0]

    def form(text: str) -> str:
        return re.sub(r"\$A\d beats by \d+", "", text)

    forms = {form(text) for text in corpus.held_out}
    assert len(forms) == 4  # of twenty forms, with every number and cashtag of each
    assert not forms & {form(text) for text in corpus.train}
    assert read_corpus([table], ["title", "lead"], 0.2, 13) == corpus
    assert read_corpus([table], ["title", "lead"], 0.2, 14).held_out != corpus.held_out
    with pytest.raises(DataError, match="name the column of its texts with --text"):
        read_corpus([table], [], 0.2, 13)
    with pytest.raises(DataError, match="no column 'headline'; its columns are 'title', 'lead'"):
        read_corpus([table], ["headline"], 0.2, 13)
    (tmp_path / "one.txt").write_text("one text\n\n")
    with pytest.raises(DataError, match="1 different texts; training needs one and another"):
        read_corpus([tmp_path / "one.txt"], [], 0.2, 13)


SIZES: dict[str, Any] = {"vocab_size": 120, "max_position_embeddings": 66}
BERT: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
DISTIL: dict[str, Any] = {"dim": 32, "n_layers": 1, "n_heads": 2, "hidden_dim": 64}


@pytest.mark.parametrize(
    "encoder",
    [
        BertModel(BertConfig(**SIZES, **BERT, intermediate_size=64)),
        RobertaModel(RobertaConfig(**SIZES, **BERT, intermediate_size=64)),
        XLMRobertaModel(XLMRobertaConfig(**SIZES, **BERT, intermediate_size=64)),
        DistilBertModel(DistilBertConfig(**SIZES, **DISTIL)),
    ],
    ids=lambda encoder: encoder.config.model_type,
)
def test_every_family_can_be_trained_further(
    encoder: BertModel, tmp_path: Path, asked: Callable[..., Pretraining]
) -> None:
    folder = tmp_path / "start"
    encoder.save_pretrained(folder)
    tiny.tokenizer().save(str(folder / "tokenizer.json"))
    run = asked("made", Fit(epochs=3, batch=16, lr=3e-3, precision="float32"))
    base, curve = pretrain(replace(run, base=str(folder)))
    assert curve[-1].held_out_loss < 0.8 * curve[0].held_out_loss
    assert not load_masked(resolve_base(str(base.folder)), 32).fresh_head
    ids = torch.tensor([[5, 9, 10]])
    assert build(base, tiny.HEADS).pooled(ids).shape == (1, 32)


def test_a_tokenizer_without_a_mask_is_refused(tmp_path: Path, tiny_base: Base) -> None:
    folder = tmp_path / "unmasked"
    folder.mkdir()
    for name in ("config.json", "model.safetensors"):
        (folder / name).write_bytes((tiny_base.folder / name).read_bytes())
    content = (tiny_base.folder / "tokenizer.json").read_text().replace("[MASK]", "[HIDE]")
    (folder / "tokenizer.json").write_text(content)
    with pytest.raises(ModelError, match="no mask token"):
        load_masked(resolve_base(str(folder)), 32)
