"""A text is read once for every head: what stands beside a row's own label is learnt as well."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is in foreshock[train]")

from transformers import BertConfig, BertModel  # noqa: E402

from models.encoder import MultiHead, load_trained, trained_state  # noqa: E402
from models.errors import ModelError  # noqa: E402
from models.labels import EMBEDDING, Head, HeadKind  # noqa: E402
from models.training.batches import Rows, padded  # noqa: E402
from models.training.config import TrainConfig, make_config  # noqa: E402
from models.training.loop import fit, logits_of  # noqa: E402
from models.training.losses import Hiding, Objective  # noqa: E402
from models.training.shared import prior, with_labels  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")

TOPIC = Head("topic", HeadKind.SINGLE, ("a", "b", "c"))
RISK = Head("risk", HeadKind.MULTI, ("x", "y"))
HEADS = (TOPIC, RISK)


def topics(count: int, seed: int) -> Rows:
    """Token 10, 11 or 12 says the topic, 20 and 21 the events."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    ids = tuple(
        [
            1,
            10 + int(label),
            *rng.integers(50, 90, 3).tolist(),
            *rng.choice([[20, 40], [40, 21], [40, 41]]),
        ]
        for label in labels
    )
    return Rows(ids, labels, np.zeros(count, dtype=np.int64))


def events(rows: Rows) -> Rows:
    found = np.array([[20 in ids, 21 in ids] for ids in rows.ids], dtype=np.float32)
    return Rows(rows.ids, found, rows.sources)


def config(**sections: dict[str, object]) -> TrainConfig:
    return make_config(
        {
            "heads": {"topic": {"batch": 8}, "risk": {"kind": "multi", "batch": 0}},
            "data": [{"head": head.name, "file": "f"} for head in HEADS],
            "fit": {
                "lr": 1e-2, "epochs": 12, "patience": 12, "precision": "float32", "average": 0.0,
                **sections.pop("fit", {}),
            },
            **sections,
        },
        "test",
    )  # fmt: skip


def model(embedding: bool = False) -> MultiHead:
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    bert = BertConfig(vocab_size=100, intermediate_size=64, **sizes)
    return MultiHead(BertModel(bert, add_pooling_layer=False), HEADS, embedding=embedding)


def test_a_head_without_rows_learns_from_the_texts_of_others(tmp_path: Path) -> None:
    train, valid = topics(200, 0), topics(60, 1)
    rows = with_labels({"topic": train}, {"risk": events(train)}, HEADS)
    made = model()
    curve = fit(made, rows, {"topic": valid}, config(), tmp_path)
    assert set(curve[-1].macro_f1) == {"topic"}  # it has no say in when to stop
    assert curve[-1].accuracy["topic"] > 0.9
    truth = np.asarray(events(valid).labels, dtype=np.float32) > 0
    assert ((logits_of(made, valid, "risk") > 0) == truth).mean() > 0.95


def test_texts_nothing_is_known_of_teach_nothing() -> None:
    train = topics(6, 0)
    known = events(Rows(train.ids[:2], train.labels[:2], train.sources[:2]))
    rows = with_labels({"topic": train}, {"risk": known}, HEADS)["topic"]
    assert np.isnan(rows.shared["risk"][2:]).all()
    assert np.array_equal(rows.shared["risk"][:2], known.labels)
    made = model().eval()
    objective = Objective(made, {"topic": rows}, config())
    whole = objective.loss(made, "topic", padded(rows, range(2, 6)))
    alone = objective.loss(made, "topic", padded(replace(rows, shared={}), range(2, 6)))
    assert float(whole) == pytest.approx(float(alone))
    strangers = Rows(([7, 7, 7],), known.labels[:1], known.sources[:1])
    assert with_labels({"topic": train}, {"risk": strangers}, HEADS)["topic"].shared == {}


def test_the_embedding_comes_to_look_like_the_untrained_bases(tmp_path: Path) -> None:
    train = topics(200, 0)
    rng = np.random.default_rng(3)
    meaning = rng.normal(size=(3, 32)).astype(np.float32)  # a direction per topic
    rows = replace(train, shared={EMBEDDING: meaning[train.labels.astype(int)]})
    made = model(embedding=True)
    assert made.outputs == ("topic", "risk", EMBEDDING)
    valid = topics(60, 1)
    fit(made, {"topic": rows}, {"topic": valid}, config(embedding={"weight": 1.0}), tmp_path)
    batch = padded(valid, range(60))
    with torch.inference_mode():
        features = made.features(torch.from_numpy(batch.ids), torch.from_numpy(batch.mask))
        found = made.embedded(features).numpy()
    wanted = meaning[valid.labels.astype(int)]
    cosine = (
        (found * wanted).sum(1) / np.linalg.norm(found, axis=1) / np.linalg.norm(wanted, axis=1)
    )
    assert cosine.mean() > 0.9
    again = model(embedding=True)
    load_trained(again, trained_state(made))
    assert torch.equal(again.embedding.weight, made.embedding.weight)  # type: ignore[union-attr]


def test_hidden_tokens_are_other_words_only_and_the_share_is_kept() -> None:
    rows = Rows(
        tuple([1, *range(50, 80), 2] for _ in range(40)),
        np.zeros(40, np.int64),
        np.zeros(40, np.int64),
    )
    objective = Objective(
        model(),
        {"topic": rows},
        config(fit={"token_dropout": 0.25}),
        Hiding(4, np.array([0, 1, 2])),
    )
    torch.manual_seed(5)
    batch = padded(rows, range(40))
    hidden = objective._hidden(batch)
    changed = hidden.ids != batch.ids
    assert (hidden.ids[changed] == 4).all()
    assert not changed[:, 0].any() and not changed[:, -1].any()
    assert 0.2 < changed[:, 1:-1].mean() < 0.3
    assert (
        Objective(model(), {"topic": rows}, config(), Hiding(4, np.array([0])))._hidden(batch)
        is batch
    )


def test_rare_labels_start_as_rare() -> None:
    labels = np.zeros((999, 2), dtype=np.float32)
    labels[:99, 1] = 1
    odds = prior(Rows(tuple([1] for _ in range(999)), labels, np.zeros(999, np.int64)))
    share = 1 / (1 + np.exp(-odds))
    assert share == pytest.approx([0.0005, 0.0995], abs=1e-4)


@pytest.mark.parametrize(
    ("heads", "said"),
    [
        ({"topic": {"batch": 0}}, "every batch is 0"),
        ({"topic": {}, "t": {"kind": "target", "batch": 0}}, "shares no text with others"),
        ({"embedding": {}}, "name of another output"),
    ],
)
def test_recipes_that_cannot_work(heads: dict[str, dict[str, object]], said: str) -> None:
    data = [
        {"head": name, "file": "f", **({"target": "c"} if head.get("kind") == "target" else {})}
        for name, head in heads.items()
    ]
    with pytest.raises(ModelError, match=said):
        make_config({"heads": heads, "data": data}, "test")
