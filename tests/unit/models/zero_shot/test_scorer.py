"""Labels scored without a labelled row, by embedding and under a mask."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

torch = pytest.importorskip("torch", reason="torch is in foreshock[train]")

from models.base import Base  # noqa: E402
from models.bundle import Bundle  # noqa: E402
from models.compress.trained import load_trained  # noqa: E402
from models.encoder import build  # noqa: E402
from models.errors import DataError, ModelError  # noqa: E402
from models.metrics import Metrics  # noqa: E402
from models.zero_shot.cloze import ByCloze  # noqa: E402
from models.zero_shot.embedding import TEMPERATURE  # noqa: E402
from models.zero_shot.labels import read_labels  # noqa: E402
from models.zero_shot.scorer import evaluate_zero_shot, make_scorer  # noqa: E402
from monitor.cli import app  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")


def by_hand(
    encode: Callable[[str], list[int]], pooled: Callable[..., Any], text: str
) -> list[float]:
    """Cosines of one text with the labels of `LABELS`, from the definition."""

    def embedding(words: str) -> Any:
        with torch.inference_mode():
            found = pooled(torch.tensor([encode(words)]))[0]
        return found / found.norm()

    cosines = []
    for described in (["profit rises", "rises"], ["dividend cuts", "falls"]):
        parts = [embedding(t) for d in described for t in (d, f"the bank {d}")]
        mean = torch.stack(parts).mean(dim=0)
        cosines.append(float(embedding(text) @ (mean / mean.norm())))
    return cosines


def test_embedding_is_the_cosine_with_the_mean_of_filled_templates(
    tiny_base: Base, labels_file: Path
) -> None:
    scorer = make_scorer("embedding", base=str(tiny_base.folder))
    head = read_labels(labels_file)["mood"]
    texts = ["profit rises", "oil falls 2008, a deal", "x"]
    found = scorer.scores(head)(texts)
    assert found.shape == (3, 2)
    tokenizer = scorer.tokenizer  # type: ignore[attr-defined]
    model = build(tiny_base, ()).eval()
    for text, row in zip(texts, found, strict=True):
        cosines = by_hand(lambda t: list(tokenizer.encode(t).ids), model.pooled, text)
        raised = np.exp(np.array(cosines) / TEMPERATURE)
        assert np.allclose(row, raised / raised.sum(), atol=1e-4)


def test_a_bundle_scores_with_the_encoder_it_trained(
    tiny_bundle: Bundle, labels_file: Path
) -> None:
    scorer = make_scorer("embedding", bundle=tiny_bundle.folder)
    assert scorer.name == "tiny 1 zero-shot by embedding"
    found = scorer.scores(read_labels(labels_file)["mood"])(["oil falls"])
    model = load_trained(tiny_bundle.folder).model
    tokenizer = scorer.tokenizer  # type: ignore[attr-defined]
    cosines = by_hand(lambda t: list(tokenizer.encode(t).ids), model.pooled, "oil falls")
    raised = np.exp(np.array(cosines) / TEMPERATURE)
    assert np.allclose(found[0], raised / raised.sum(), atol=1e-4)


def test_a_base_trained_further_answers_by_cloze_and_an_untrained_head_is_refused(
    tiny_base: Base, learnt_base: Base, labels_file: Path, labelled: Path
) -> None:
    heads = read_labels(labels_file)
    scorer = make_scorer("cloze", base=str(learnt_base.folder))
    report = evaluate_zero_shot(scorer, heads, labelled, "mood", "text", "mood", "test")
    assert isinstance(report.metrics, Metrics)
    assert report.metrics.accuracy > 0.9  # without one labelled row
    assert report.labels == ("up", "down")
    assert report.model == f"{learnt_base.name} zero-shot by cloze (float32)"
    with pytest.raises(ModelError, match=r"no masked-language head; .* with `foreshock pretrain`"):
        make_scorer("cloze", base=str(tiny_base.folder))


def test_under_a_mask_the_text_is_cut_and_never_the_pattern(
    learnt_base: Base, labels_file: Path
) -> None:
    head = read_labels(labels_file)["mood"]
    scorer = make_scorer("cloze", base=str(learnt_base.folder))
    assert isinstance(scorer, ByCloze)
    short = ByCloze(scorer.language, "short", 12)
    pattern = head.patterns[0]
    masked = scorer.language.mask_id
    long = "profit " * 30
    ids = short._filled(pattern, long)
    assert len(ids) == 12
    assert ids.count(masked) == 1
    # A text that brings a mask of its own does not get two answers.
    assert short._filled(pattern, "profit [MASK] rises").count(masked) == 1
    found = short.scores(head)([long, "[MASK] [MASK]", "", "cuts"])
    assert found.shape == (4, 2)
    assert np.allclose(found.sum(axis=1), 1)
    assert np.allclose(found[3], scorer.scores(head)(["cuts"])[0], atol=1e-5)


def test_words_that_are_not_one_token_are_left_out_and_a_label_needs_one(
    learnt_base: Base, labels_file: Path, tmp_path: Path
) -> None:
    scorer = make_scorer("cloze", base=str(learnt_base.folder))
    content = labels_file.read_text()
    plain = tmp_path / "plain.yaml"
    plain.write_text(content.replace("falls, unheardof", "falls"))
    texts = ["profit a", "cuts b"]
    both = [scorer.scores(read_labels(path)["mood"])(texts) for path in (labels_file, plain)]
    assert np.array_equal(both[0], both[1])
    plain.write_text(content.replace("falls, unheardof", "unheardof"))
    with pytest.raises(DataError, match=r"label 'down': none of its words \(unheardof\) is one"):
        scorer.scores(read_labels(plain)["mood"])
    plain.write_text(content.replace("patterns:", "templates: ['{}']\n  #"))
    with pytest.raises(DataError, match="no patterns for this head"):
        scorer.scores(read_labels(plain)["mood"])


def test_evaluate_and_classify_from_the_command_line(
    learnt_base: Base, labels_file: Path, labelled: Path
) -> None:
    options = ["--zero-shot", str(labels_file), "--way", "cloze", "--base", str(learnt_base.folder)]
    columns = ["--task", "mood", "--text", "text", "--label", "mood"]
    done = CliRunner().invoke(app, ["evaluate", str(labelled), *columns, *options, "--json"])
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["accuracy"] > 0.9
    answered = CliRunner().invoke(app, ["classify", *options], input="profit a\n\ncuts b\n")
    assert answered.exit_code == 0, answered.stderr
    records = [json.loads(line) for line in answered.stdout.splitlines()]
    assert [record["text"] for record in records] == ["profit a", "", "cuts b"]
    assert [record["mood"] for record in records] == ["up", None, "down"]
    assert records[0]["mood_probability"] > 0.5
    assert records[1]["mood_probability"] is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--way", "cloze"], "--way and --base go with --zero-shot"),
        (["--zero-shot", "news", "--perturb"], "takes neither --target nor --perturb"),
        (
            ["--zero-shot", "news", "--base", "a", "--model", "b"],
            "a base or a bundle to score with",
        ),
        (
            ["--zero-shot", "news", "--model", "b", "--way", "cloze"],
            "keeps no masked-language head",
        ),
    ],
)
def test_options_that_do_not_go_together(labelled: Path, options: list[str], said: str) -> None:
    columns = ["--task", "mood", "--text", "text", "--label", "mood"]
    done = CliRunner().invoke(app, ["evaluate", str(labelled), *columns, *options])
    assert done.exit_code == 2
    assert said in done.stderr


def test_a_head_that_is_not_described(tiny_base: Base, labelled: Path, labels_file: Path) -> None:
    scorer = make_scorer("embedding", base=str(tiny_base.folder))
    heads = read_labels(labels_file)
    with pytest.raises(DataError, match="no head 'topic' in the labels file; it has 'mood'"):
        evaluate_zero_shot(scorer, heads, labelled, "topic", "text", "mood")
