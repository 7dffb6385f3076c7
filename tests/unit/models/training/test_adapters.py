"""Ways to tune an encoder, on tiny random encoders of every family."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is in foreshock[train]")

import transformers  # noqa: E402

from models.adapters import ADAPTERS, LASTING, adapted, has_adapter, of_adapter  # noqa: E402
from models.encoder import MultiHead, load_trained, merged, trained_state  # noqa: E402
from models.engines.runtime import load_openvino  # noqa: E402
from models.errors import ModelError  # noqa: E402
from models.labels import Head, HeadKind  # noqa: E402
from models.quantise import export_graph, quantise  # noqa: E402
from models.training.config import TrainConfig, make_config  # noqa: E402
from models.training.loop import Epoch, Watch, fit, logits_of  # noqa: E402
from tests.unit.models.training.test_loop import rows  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")

WIDTH, INNER, LAYERS = 32, 64, 2
HEADS = (Head("topic", HeadKind.SINGLE, ("a", "b", "c")),)
TRAIN, VALID = {"topic": rows(0, 48)}, {"topic": rows(9, 16)}
BERT: dict[str, Any] = {
    "vocab_size": 100, "hidden_size": WIDTH, "num_hidden_layers": LAYERS, "num_attention_heads": 2,
    "intermediate_size": INNER, "max_position_embeddings": 40, "initializer_range": 0.2,
}  # fmt: skip
DISTILBERT: dict[str, Any] = {
    "vocab_size": 100, "dim": WIDTH, "n_layers": LAYERS, "n_heads": 2, "hidden_dim": INNER,
    "max_position_embeddings": 40, "initializer_range": 0.2,
}  # fmt: skip
FAMILIES: Mapping[str, Callable[[], Any]] = {
    "bert": lambda: transformers.BertModel(
        transformers.BertConfig(**BERT), add_pooling_layer=False
    ),
    "roberta": lambda: transformers.RobertaModel(
        transformers.RobertaConfig(**BERT, pad_token_id=3), add_pooling_layer=False
    ),
    "xlm-roberta": lambda: transformers.XLMRobertaModel(
        transformers.XLMRobertaConfig(**BERT, pad_token_id=3), add_pooling_layer=False
    ),
    "distilbert": lambda: transformers.DistilBertModel(transformers.DistilBertConfig(**DISTILBERT)),
}
LORA = 4 * (
    4 * 2 * WIDTH + 2 * (WIDTH + INNER)
)  # rank 4 beside four square and two oblong matrices
#: Each kind, with the number of weights its papers give it per layer.
METHODS: Mapping[str, tuple[dict[str, Any], int]] = {
    "lora": ({"kind": "lora", "rank": 4}, LORA),
    # And the length of each output's weights: five of `WIDTH`, one of `INNER`.
    "dora": ({"kind": "dora", "rank": 4}, LORA + 5 * WIDTH + INNER),
    # Starts at one and a half of the rank, each with its singular value.
    "adalora": ({"kind": "adalora", "rank": 4, "steps": 12}, LORA * 3 // 2 + 6 * 6),
    "ia3": ({"kind": "ia3"}, 2 * WIDTH + INNER),
    "pfeiffer": (
        {"kind": "bottleneck", "reduction": 4, "layout": "pfeiffer"},
        2 * WIDTH * 8 + 8 + WIDTH,
    ),
    "houlsby": (
        {"kind": "bottleneck", "reduction": 4, "layout": "houlsby"},
        2 * (2 * WIDTH * 8 + 8 + WIDTH),
    ),
    "prefix": ({"kind": "prefix", "length": 6}, 2 * 6 * WIDTH),
    "prompt": ({"kind": "prompt", "length": 6}, 6 * WIDTH // LAYERS),  # once, not per layer
}
#: Kinds of so few weights that each has to go far.
FEW = ("ia3", "prefix", "prompt")
family = pytest.mark.parametrize("family", FAMILIES)
every = pytest.mark.parametrize("kind", METHODS)
lasting = pytest.mark.parametrize(
    "kind", [k for k, (m, _) in METHODS.items() if m["kind"] in LASTING]
)


def config(**fitting: Any) -> TrainConfig:
    return make_config(
        {
            "heads": {"topic": {"batch": 16}},
            "data": [{"head": "topic", "file": "f"}],
            "fit": {"lr": 2e-2, "epochs": 2, "patience": 9, "precision": "float32"} | fitting,
        },
        "test",
    )


def model(family: str, kind: str | None) -> MultiHead:
    torch.manual_seed(0)
    made = MultiHead(FAMILIES[family](), HEADS)
    if kind is not None:
        made.encoder = adapted(made.encoder, METHODS[kind][0])
    return made


def stirred(family: str, kind: str) -> MultiHead:
    """As after some training: no adapter is what it started as."""
    made = model(family, kind)
    torch.manual_seed(1)
    with torch.no_grad():
        for name, parameter in made.encoder.named_parameters():
            if of_adapter(name):
                parameter.add_(torch.randn_like(parameter) / 5)
    return made.eval()


def logits(made: MultiHead, ids: Any) -> Any:
    with torch.inference_mode():
        return made(torch.as_tensor(ids))[0].numpy()


@family
@every
def test_only_the_adapter_moves_and_it_learns(family: str, kind: str, tmp_path: Path) -> None:
    made = model(family, kind)
    moving = {n: p for n, p in made.encoder.named_parameters() if p.requires_grad}
    assert all(map(of_adapter, moving))
    assert sum(p.numel() for p in moving.values()) == LAYERS * METHODS[kind][1]
    before = {n: p.clone() for n, p in made.encoder.named_parameters()}
    # Heads that hardly move: what is learnt, the adapter learnt.
    chosen = config(
        lr=0.2 if kind in FEW else 0.02,
        epochs=10,
        head_lr=1e-9,
        average=0.0,
        label_smoothing=0.0,
        schedule="constant",
    )
    curve = fit(made, TRAIN, VALID, chosen, tmp_path)
    assert curve[-1].train_loss < 0.85 * curve[0].train_loss
    after = dict(made.encoder.named_parameters())
    moved = {n for n in before if not torch.equal(before[n], after[n])}
    assert moved <= moving.keys()
    # AdaLoRA takes back the singular values of ranks that matter least.
    assert all("lora_E" in name for name in moving.keys() - moved)


def resumed(family: str, kind: str, folder: Path, after: int) -> None:
    """Kill a run after some epochs, go on, and compare with one that was left alone."""

    class Killed(Exception):
        pass

    def die(epoch: Epoch) -> None:
        if epoch.number + 1 == after:
            raise Killed

    chosen = config(epochs=4)  # twelve steps: as many as METHODS tells adalora
    whole = model(family, kind)
    curve = fit(whole, TRAIN, VALID, chosen, folder / "whole")
    with pytest.raises(Killed):
        fit(model(family, kind), TRAIN, VALID, chosen, folder / "cut", watch=Watch(epoch=die))
    again = model(family, kind)
    assert fit(again, TRAIN, VALID, chosen, folder / "cut", resume=True) == curve
    expected = trained_state(whole)
    for name, tensor in trained_state(again).items():
        assert torch.equal(tensor, expected[name]), name


@family
@every
def test_a_resumed_run_ends_where_an_unbroken_one_does(
    family: str, kind: str, tmp_path: Path
) -> None:
    resumed(family, kind, tmp_path, after=1)


def test_adalora_goes_on_after_its_ranks_are_settled(tmp_path: Path) -> None:
    resumed("bert", "adalora", tmp_path, after=3)


@family
@every
def test_the_graph_without_a_mask_is_the_model(family: str, kind: str) -> None:
    made = stirred(family, kind)
    ids = torch.randint(4, 98, (3, 9))
    adapted_logits = logits(made, ids)
    plain = model(family, None)
    plain.load_state_dict(dict(made.heads.state_dict(prefix="heads.")), strict=False)
    assert np.abs(logits(plain.eval(), ids) - adapted_logits).max() > 0.01  # it does something
    final = merged(made)
    assert has_adapter(final.encoder) == (METHODS[kind][0]["kind"] in LASTING)
    assert logits(final, ids) == pytest.approx(adapted_logits, abs=1e-5)
    graph = load_openvino().Core().compile_model(
        export_graph(final), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )  # fmt: skip
    for shape in ((3, 9), (1, 2), (2, 36)):  # 36 tokens: as many as RoBERTa has positions for
        ids = torch.randint(4, 98, shape).numpy()
        assert graph(ids)[0] == pytest.approx(logits(final, ids), abs=1e-5)


@family
@lasting
def test_padding_changes_nothing(family: str, kind: str) -> None:
    made = stirred(family, kind)
    short, long = torch.randint(4, 98, (1, 4)), torch.randint(3, 98, (1, 7))
    ids = torch.zeros(2, 7, dtype=torch.long)
    ids[0, :4], ids[1] = short, long
    mask = torch.ones_like(ids)
    mask[0, 4:] = 0
    with torch.inference_mode():
        together = made.logits("topic", made.features(ids, mask)).numpy()
    assert together[0] == pytest.approx(logits(made, short)[0], abs=1e-5)
    assert together[1] == pytest.approx(logits(made, long)[0], abs=1e-5)


@family
@lasting
def test_what_training_kept_goes_into_a_fresh_encoder(family: str, kind: str) -> None:
    made = stirred(family, kind)
    ids = torch.randint(4, 98, (2, 8))
    state = trained_state(made)
    assert all(name.startswith(("head.", "adapter.")) for name in state)
    torch.manual_seed(0)
    again = MultiHead(FAMILIES[family](), HEADS)
    torch.manual_seed(7)  # other words for a prompt to start from
    again.encoder = adapted(again.encoder, METHODS[kind][0])
    load_trained(again, state)
    assert np.array_equal(logits(merged(again), ids), logits(made, ids))
    # And as a whole, where a bundle keeps every weight.
    whole = MultiHead(adapted(FAMILIES[family](), METHODS[kind][0]), HEADS).eval()
    whole.load_state_dict(made.state_dict())
    assert np.array_equal(logits(whole, ids), logits(made, ids))
    assert np.array_equal(logits(deepcopy(made), ids), logits(made, ids))


@lasting
@pytest.mark.parametrize(
    "options", [{"gradient_checkpointing": True}, {"fgm": 0.5}, {"precision": "bfloat16"}], ids=str
)
def test_it_goes_with_the_options_of_the_loop(
    kind: str, options: dict[str, Any], tmp_path: Path
) -> None:
    made = model("bert", kind)
    curve = fit(made, TRAIN, VALID, config(epochs=3, **options), tmp_path)
    assert curve[-1].train_loss < curve[0].train_loss


@family
def test_a_fresh_bottleneck_is_the_identity(family: str) -> None:
    ids = torch.randint(4, 98, (2, 8))
    plain, fresh = model(family, None), model(family, "houlsby")
    fresh.heads.load_state_dict(plain.heads.state_dict())
    assert np.array_equal(logits(plain.eval(), ids), logits(fresh.eval(), ids))


@lasting
def test_int8_keeps_the_answers(kind: str) -> None:
    made = stirred("bert", kind)
    graph = quantise(export_graph(made), TRAIN["topic"].ids[:24])
    compiled = load_openvino().Core().compile_model(graph, "CPU")
    expected = logits_of(made, VALID["topic"], "topic")
    served = np.concatenate(
        [compiled(np.array([ids], dtype=np.int64))[0] for ids in VALID["topic"].ids]
    )
    assert np.abs(served - expected).max() < 0.25 * np.abs(expected).max()
    assert (served.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.9


def test_what_cannot_be_tuned_so_says_what_to_use() -> None:
    with pytest.raises(ModelError, match=r"adapter.reduction 64: the encoder is 32 wide; take 32"):
        adapted(FAMILIES["bert"](), {"kind": "bottleneck", "reduction": 64, "layout": "pfeiffer"})
    mpnet = transformers.MPNetModel(
        transformers.MPNetConfig(
            hidden_size=WIDTH, num_hidden_layers=1, num_attention_heads=2, intermediate_size=INNER
        ),
        add_pooling_layer=False,
    )
    with pytest.raises(
        ModelError, match=r"prefix: MPNetModel does not attend .* use kind = 'prompt'"
    ):
        adapted(mpnet, {"kind": "prefix", "length": 4})
    bare = torch.nn.Module()
    with pytest.raises(ModelError, match=r"prompt: this encoder's embeddings .* use kind = 'lora'"):
        adapted(bare, {"kind": "prompt", "length": 4})
    with pytest.raises(ModelError, match=r"bottleneck: no layer .* use kind = 'lora'"):
        adapted(bare, {"kind": "bottleneck", "reduction": 4, "layout": "houlsby"})
    with pytest.raises(ModelError, match=r"no adapter 'magic'; kinds are full, frozen, lora"):
        adapted(bare, {"kind": "magic"})
    assert {method["kind"] for method, _ in METHODS.values()} == set(ADAPTERS)
