"""One weights file: safetensors to some, OpenVINO's constants to others, and one model to both engines."""

from __future__ import annotations

import json
import shutil
import struct
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import load_file

torch = pytest.importorskip("torch", reason="torch is in foreshock[train]")
pytest.importorskip("nncf", reason="nncf is in foreshock[train]")

from transformers import AutoConfig, AutoModel  # noqa: E402

from models.bundle import FILES, GRAPH, WEIGHTS, Bundle, hash_files, load_bundle  # noqa: E402
from models.classifier import Classifier  # noqa: E402
from models.encoder import MultiHead, restore  # noqa: E402
from models.engines.openvino import OpenVinoEngine  # noqa: E402
from models.engines.runtime import load_openvino  # noqa: E402
from models.engines.torch import TorchEngine  # noqa: E402
from models.errors import BundleError, ModelError  # noqa: E402
from models.graph_weights import save_graph  # noqa: E402
from models.labels import Head, HeadKind  # noqa: E402
from models.quantise import export_graph, quantise  # noqa: E402
from models.text import NORMALISATION_VERSION  # noqa: E402
from models.weights import read_weights, write_weights  # noqa: E402
from tests.unit.models.compress import tiny  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")
FAMILIES = {
    "bert": {},
    "roberta": {"type_vocab_size": 1, "pad_token_id": 1},
    "xlm-roberta": {"type_vocab_size": 1, "pad_token_id": 1},
    "distilbert": {},
}
HEADS = (
    Head("topic", HeadKind.SINGLE, ("a", "b", "c", "d", "e")),
    Head("target", HeadKind.TARGET, ("negative", "neutral", "positive")),
)
MARKER = 4
IDS = [np.random.default_rng(n).integers(2, 90, (9, 4 + 3 * n)).astype(np.int64) for n in range(4)]


def model(family: str) -> MultiHead:
    """Random, far from linear and without a tensor that is all zeros or ones."""
    torch.manual_seed(3)
    config = AutoConfig.for_model(
        family,
        vocab_size=90,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
        **FAMILIES[family],
    )
    extra = {} if family == "distilbert" else {"add_pooling_layer": False}
    encoder = AutoModel.from_config(config, **extra)  # type: ignore[no-untyped-call]
    made = MultiHead(encoder, HEADS, marker=MARKER)
    with torch.no_grad():
        for weight in made.parameters():
            weight.add_(torch.randn_like(weight) / 5)
    return made.eval()


@pytest.fixture(scope="module", params=list(FAMILIES))
def made(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[MultiHead, Any, Bundle]:
    """A model, its int8 graph, and a bundle of both."""
    folder = tmp_path_factory.mktemp(request.param)
    trained = model(request.param)
    graph = quantise(export_graph(trained), [row.tolist() for rows in IDS for row in rows])
    save_graph(graph, trained, folder)
    return trained, graph, bundle(folder, trained)


def bundle(folder: Path, trained: MultiHead) -> Bundle:
    tiny.tokenizer().save(str(folder / "tokenizer.json"))
    return Bundle(
        folder=folder,
        name="tiny",
        version="1",
        heads=HEADS,
        languages=("en",),
        base={"name": "nowhere/to-be-found", "sha256": ""},
        method={"kind": "lora"},
        architecture=json.loads(json.dumps(trained.architecture)),
        embedding_space=None,
        marker=MARKER,
        max_tokens=32,
        normalisation_version=NORMALISATION_VERSION,
        temperatures={},
        thresholds={},
        precision={"openvino": "int8"},
        files=hash_files(folder),
    )


def computed(graph: Any) -> list[tuple[NDArray[np.float32], ...]]:
    """Logits of a graph, in float32 where it is not int8."""
    settings = {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"}
    compiled = load_openvino().Core().compile_model(graph, "CPU", settings)
    return [tuple(compiled(ids)[head.name].copy() for head in HEADS) for ids in IDS]


def apart(one: list[Any], other: list[Any]) -> float:
    """Root mean square of the difference, in standard deviations of the logits."""
    a, b = (
        np.concatenate([head.ravel() for batch in found for head in batch])
        for found in (one, other)
    )
    return float(np.sqrt(np.square(a - b).mean()) / a.std())


def test_the_file_is_safetensors_without_holes_and_holds_each_weight_once(
    made: tuple[MultiHead, Any, Bundle], tmp_path: Path
) -> None:
    trained, graph, written = made
    raw = written.path(WEIGHTS).read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])
    assert (8 + length) % 64 == 0
    end = 0
    for start, stop in sorted(entry["data_offsets"] for entry in header.values()):
        assert start == end
        end = stop
    assert 8 + length + end == len(raw)
    with safe_open(written.path(WEIGHTS), framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    for name, weight in trained.state_dict().items():
        assert tensors[name].shape == weight.shape
        quantised = weight.ndim == 2 and name.startswith("encoder.")
        assert (tensors[name].dtype is torch.int8) == quantised
        assert (f"{name}.scale" in tensors) == quantised
    others = {name: t for name, t in tensors.items() if name.startswith("constant.")}
    assert max(tensor.numel() for tensor in others.values()) <= 64  # positions, lengths and ranges
    load_openvino().save_model(graph, tmp_path / GRAPH, compress_to_fp16=False)
    constants = (tmp_path / GRAPH).with_suffix(".bin").stat().st_size
    # Beside the graph's own: factors that q, k and v share there.
    assert constants <= end <= constants + 2_000
    assert {file.name for file in written.folder.iterdir()} == set(FILES)


def test_openvino_computes_the_same_to_the_bit(made: tuple[MultiHead, Any, Bundle]) -> None:
    _, graph, written = made
    kept = load_openvino().Core().read_model(written.path(GRAPH), written.path(WEIGHTS))
    for one, other in zip(computed(graph), computed(kept), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    # The engine fills rows up and masks what is behind a text: sums then have other orders.
    assert apart(computed(graph), OpenVinoEngine(written, threads=1).run(IDS)) < 1e-6


def test_torch_multiplies_what_the_graph_multiplies(made: tuple[MultiHead, Any, Bundle]) -> None:
    trained, _, written = made
    served = OpenVinoEngine(written, threads=1).run(IDS)
    exact = TorchEngine(written, device="cpu").run(IDS)
    # Without rounding between the layers, the graph is the model with rounded weights.
    graph = load_openvino().Core().read_model(written.path(GRAPH), written.path(WEIGHTS))
    for operation in graph.get_ops():
        if operation.get_type_name() == "FakeQuantize":
            operation.output(0).replace(operation.input_value(0))
    assert apart(exact, computed(graph)) < 1e-5
    # With it, a random model this narrow and this far from linear is off by a tenth.
    assert apart(exact, served) < 0.2
    whole = [tuple(o.detach().numpy() for o in trained(torch.from_numpy(ids))) for ids in IDS]
    assert 1e-3 < apart(exact, whole) < 0.1


def test_weights_read_back_are_within_one_step(made: tuple[MultiHead, Any, Bundle]) -> None:
    trained, _, written = made
    found = read_weights(written.path(WEIGHTS))
    kept = load_file(written.path(WEIGHTS))
    state = {name: tensor.numpy() for name, tensor in trained.state_dict().items()}
    assert set(found) == set(state)
    for name, tensor in state.items():
        assert found[name].dtype == tensor.dtype
        if f"{name}.scale" in kept:
            step = kept[f"{name}.scale"] * kept.get(f"{name}.smooth", np.ones(1, np.float32))
            assert (np.abs(found[name] - tensor) <= 0.51 * step).all()
        else:  # a bias was moved to make up for what rounding took
            assert found[name] == pytest.approx(tensor, abs=float(np.abs(tensor).max()) / 4)
        if name.startswith("heads") or "LayerNorm" in name:
            assert found[name] == pytest.approx(tensor, rel=1e-6)


@pytest.mark.parametrize(
    "name",
    [
        "encoder.embeddings.word_embeddings.weight",
        "encoder.encoder.layer.1.attention.self.key.weight",
        "encoder.encoder.layer.0.output.dense.weight",
        "encoder.encoder.layer.0.output.LayerNorm.bias",
        "encoder.encoder.layer.1.intermediate.dense.bias",
        "heads.topic.weight",
    ],
)
def test_a_graph_of_another_model_is_refused(name: str, tmp_path: Path) -> None:
    trained = model("bert")
    graph = quantise(export_graph(trained), [row.tolist() for rows in IDS[:1] for row in rows])
    trained = deepcopy(trained)  # the graph looks into the other's memory
    with torch.no_grad():
        tensor = trained.state_dict()[name]
        tensor.copy_(tensor.roll(1, 0) * 1.5)
    with pytest.raises(ModelError, match=f"the graph's {name} is not the model's"):
        save_graph(graph, trained, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_the_graph_does_without_is_kept(tmp_path: Path) -> None:
    trained = model("bert")
    norm = trained.encoder.embeddings.LayerNorm  # type: ignore[union-attr]
    with torch.no_grad():  # multiplying by one and adding zero: OpenVINO leaves both out
        norm.weight.fill_(1)  # type: ignore[operator, union-attr]
        norm.bias.fill_(0)  # type: ignore[operator, union-attr]
    save_graph(export_graph(trained), trained, tmp_path)
    found = restore(bundle(tmp_path, trained)).state_dict()
    for name, tensor in trained.state_dict().items():
        assert torch.equal(found[name], tensor)


def test_half_precision_is_kept_in_16_bits(tmp_path: Path) -> None:
    trained = model("roberta")
    save_graph(export_graph(trained), trained, tmp_path, half=True)
    with safe_open(tmp_path / WEIGHTS, framework="pt") as file:
        for name, tensor in trained.state_dict().items():
            assert file.get_slice(name).get_dtype() == "F16"
            assert torch.equal(file.get_tensor(name), tensor.half())
    written = bundle(tmp_path, trained)
    served, exact = (
        engine.run(IDS) for engine in (OpenVinoEngine(written, 1), TorchEngine(written, "cpu"))
    )
    assert apart(exact, served) < 1e-2


def test_a_bundle_needs_no_base(tmp_path: Path) -> None:
    start = tiny.base(tmp_path / "base")
    tiny.bundle(tmp_path / "bundle", start)
    shutil.rmtree(start.folder)
    served, exact = (
        Classifier.load(tmp_path / "bundle", engine).logits(tiny.TEXTS)
        for engine in ("openvino", "torch")
    )
    for head, logits in exact.items():
        assert served[head] == pytest.approx(logits, abs=1e-3)


def test_weights_of_another_architecture_are_refused(tmp_path: Path) -> None:
    made = tiny.bundle(tmp_path / "bundle", tiny.base(tmp_path / "base"))
    for change in ({"num_hidden_layers": 3}, {"hidden_size": 64}, {"model_type": "nothing"}):
        with pytest.raises(BundleError, match="not the weights of this bundle's architecture"):
            restore(replace(made, architecture={**made.architecture, **change}))


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    made = tiny.bundle(tmp_path / "bundle", tiny.base(tmp_path / "base"))
    raw = bytearray(made.path(WEIGHTS).read_bytes())
    raw[-1] ^= 1
    made.path(WEIGHTS).write_bytes(raw)
    with pytest.raises(BundleError, match=f"{WEIGHTS}: damaged"):
        load_bundle(made.folder)


def test_every_tensor_is_aligned_to_its_numbers(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    tensors: dict[str, NDArray[Any]] = {"empty": np.zeros((0, 3), dtype=np.float32)}
    for number in range(60):
        kind = rng.choice(["bool", "int8", "float16", "float32", "int64"])
        tensors[f"t{number}"] = rng.integers(0, 2, int(rng.integers(1, 99))).astype(kind)
    tensors["wide"] = np.ones((64, 3), dtype=np.int8)
    places = write_weights(tmp_path / "x.safetensors", tensors)
    raw = (tmp_path / "x.safetensors").read_bytes()
    with safe_open(tmp_path / "x.safetensors", framework="numpy") as file:
        for name, tensor in tensors.items():
            assert np.array_equal(file.get_tensor(name), tensor)
            assert raw[places[name] :].startswith(tensor.tobytes())
            assert places[name] % tensor.itemsize == 0
    assert places["wide"] % 64 == 0
