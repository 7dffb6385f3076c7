"""Every method on a tiny random BERT: laws, not tastes."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest

from models.classifier import Classifier
from models.errors import MissingExtraError, ModelError
from models.explain import METHODS, Explanation, Subject, evidence_span, explain

TEXT = "Halden's auditor finds accounting fraud, shares slump 12%"
SAMPLING = ("gradient_shap", "kernel_shap", "lime")


@pytest.mark.parametrize("head", ["sentiment", "risk"])
@pytest.mark.parametrize("method", METHODS)
def test_every_method_answers_for_every_word(tiny: Subject, method: str, head: str) -> None:
    found = explain(tiny, TEXT, head, method=method)
    assert found.text == TEXT
    assert [word.text for word in found.words] == [TEXT[w.start : w.end] for w in found.words]
    assert "".join(word.text for word in found.words) == TEXT.replace(" ", "")
    values = [word.attribution for word in found.words]
    assert np.isfinite(values).all()
    assert len(set(values)) > 1
    assert found.label in tiny.labels[head]
    record = found.as_json()
    assert list(record["words"][0]) == ["word", "start", "end", "attribution"]
    assert record["evidence"] == list(evidence_span(found))


@pytest.mark.parametrize("head", ["sentiment", "risk"])
@pytest.mark.parametrize("label", [0, 1])
def test_integrated_gradients_are_complete(tiny: Subject, head: str, label: int) -> None:
    found = explain(tiny, TEXT, head, tiny.labels[head][label], "ig")
    assert found.completeness_gap is not None
    assert found.completeness_gap < 0.01
    assert found.warning is None
    # Against the engine, not only against the network's own difference: special tokens have nothing,
    # so that the words have it all. Only where a word is one piece is its mask the same text.
    one_piece = "oil falls after the bank cuts rates"
    found = explain(tiny, one_piece, head, tiny.labels[head][label], "ig")
    total = sum(word.attribution for word in found.words)
    assert total == pytest.approx(found.log_odds - found.baseline_log_odds, rel=0.02, abs=1e-3)


def test_shap_values_add_up(tiny: Subject) -> None:
    found = explain(tiny, TEXT, "sentiment", method="kernel_shap")
    total = sum(word.attribution for word in found.words)
    assert total == pytest.approx(found.log_odds - found.baseline_log_odds, rel=0.01)
    one = explain(tiny, "fraud", "sentiment", method="kernel_shap")
    assert one.words[0].attribution == pytest.approx(one.log_odds - one.baseline_log_odds)


@pytest.mark.parametrize("method", SAMPLING)
def test_samples_are_seeded(tiny: Subject, method: str) -> None:
    before = np.random.get_state(legacy=False)["state"]["key"].copy()
    first, again = (
        explain(tiny, "Halden shares slump", "sentiment", method=method, seed=5) for _ in range(2)
    )
    assert first == again
    assert (np.random.get_state(legacy=False)["state"]["key"] == before).all(), (
        "it moved the caller's generator"
    )


def test_a_gap_is_told() -> None:
    found = Explanation("a", "topic", "IPO", "ig", "m 1", (), 1.0, 0.0, 0.2)
    assert found.warning is not None
    assert "20%" in found.warning
    assert found.as_json()["warning"] == found.warning
    assert replace(found, completeness_gap=0.05).warning is None
    assert replace(found, completeness_gap=None).warning is None


def test_attention_adds_up_with_its_special_tokens(tiny: Subject) -> None:
    shares = [w.attribution for w in explain(tiny, TEXT, "risk", method="attention").words]
    assert min(shares) >= 0
    assert 0 < sum(shares) < 1


def test_attention_of_a_model_with_trained_vectors(tiny: Subject) -> None:
    from models.adapters import adapted

    def tuned(kind: str) -> Subject:
        network = deepcopy(tiny.network())
        network.encoder = adapted(network.encoder, {"kind": kind, "length": 3})
        return replace(tiny, network=lambda: network)

    plain = [w.attribution for w in explain(tiny, TEXT, "risk", method="attention").words]
    shares = [
        w.attribution for w in explain(tuned("prompt"), TEXT, "risk", method="attention").words
    ]
    assert len(shares) == len(plain)
    assert 0 < sum(shares) < sum(plain)  # some of it goes to the prompt
    with pytest.raises(ModelError, match="use --method ig or --method occlusion"):
        explain(tuned("prefix"), TEXT, "risk", method="attention")


def test_rollout_of_known_attention() -> None:
    torch = pytest.importorskip("torch")
    from models.explain.attention import rollout

    first = torch.tensor([[[1.0, 0.0], [1.0, 0.0]]])  # everyone looks at token 0
    second = torch.tensor([[[0.0, 1.0], [0.0, 1.0]]])  # everyone looks at token 1
    # 0.5 A + 0.5 I: [[1, 0], [.5, .5]], then [[.5, .5], [0, 1]]; later layers on the left.
    assert rollout([first, second]).tolist() == [[0.75, 0.25], [0.5, 0.5]]


def test_words_past_the_limit_have_nothing(tiny: Subject) -> None:
    found = explain(tiny, "oil " * 40, "sentiment")
    values = [word.attribution for word in found.words]
    assert len(values) == 40
    assert all(values[:22])  # 24 tokens, two of them special
    assert not any(values[22:])


def test_what_cannot_be_explained(tiny: Subject) -> None:
    for arguments, said in (
        ((TEXT, "mood"), "no head 'mood' in tiny 1; it has 'sentiment', 'risk'"),
        ((TEXT, "risk", "fire"), "no label 'fire'"),
        ((TEXT, "risk", None, "magic"), "expected one of occlusion, ig"),
        (("  https://t.co/x ", "risk"), "no word in this text"),
    ):
        with pytest.raises(ModelError, match=said):
            explain(tiny, *arguments)


def test_a_missing_library_is_named(tiny: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    for name in [n for n in sys.modules if n.startswith(("captum", "models.explain.surrogate"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "captum", None)
    with pytest.raises(MissingExtraError, match=r"lime needs captum.*foreshock\[train\]"):
        explain(tiny, TEXT, "risk", method="lime")


@pytest.fixture(scope="module")
def shipped() -> Classifier:
    return Classifier.load(engine="openvino")


@pytest.mark.parametrize(
    ("text", "head", "decisive"),
    [
        ("Brightwater Bank raises quarterly dividend", "topic", "dividend"),
        ("Fed raises rates by 50 basis points to fight inflation", "topic", "Fed"),
        ("Nimbus shares plunge after results", "sentiment", "plunge"),
    ],
)
def test_the_shipped_model_points_at_the_decisive_word(
    shipped: Classifier, text: str, head: str, decisive: str
) -> None:
    found = explain(shipped, text, head)
    assert max(found.words, key=lambda word: word.attribution).text == decisive
    start, end = evidence_span(found)
    assert decisive in found.text[start:end]
    assert (start, end) != (0, len(text))
