"""A BERT encoder out of an ONNX export, as a folder that training can start from.

Some encoders are published as ONNX only, for instance in the Maven artefacts
``dev.langchain4j:langchain4j-embeddings-*`` (jars with NAME.onnx and NAME-tokenizer.json). An
export keeps the names of biases, norms and embeddings; it renames the weights of linear layers
(``onnx::MatMul_1525``), which are found again by the bias that their product is added to.
"""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import BundleError, MissingExtraError

Array = NDArray[Any]
State = dict[str, NDArray[np.float32]]

#: Largest difference between the graph's own output and the folder's, both in float32.
TOLERANCE = 1e-3
_MAX_FILE_BYTES = 8 << 30
_BATCHES = ((1, 6), (3, 17))
_EMBEDDINGS = ("word_embeddings", "position_embeddings", "token_type_embeddings")
_LINEAR = (
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "intermediate.dense",
    "output.dense",
)
_NORMS = ("attention.output.LayerNorm", "output.LayerNorm")
_FUSED = ("Attention", "EmbedLayerNormalization", "SkipLayerNormalization", "MultiHeadAttention")
_INTEGER = ("MatMulInteger", "QLinearMatMul", "DynamicQuantizeLinear", "DequantizeLinear")


@dataclass(frozen=True, slots=True)
class Imported:
    """What was found in an export.

    Parameters
    ----------
    folder
        Where ``config.json``, ``model.safetensors`` and ``tokenizer.json`` were written.
    layers, heads, width, vocabulary
        Of the encoder.
    difference
        Largest difference between the graph's output and the folder's, on the batches tried.
    """

    folder: Path
    layers: int
    heads: int
    width: int
    vocabulary: int
    difference: float


def import_onnx(
    source: Path,
    out: Path,
    *,
    tokenizer: Path | None = None,
    heads: int | None = None,
    progress: Callable[[str], None] = lambda what: None,
) -> Imported:
    """Write an ONNX export of a BERT encoder as a base folder, and check that it computes the same.

    Parameters
    ----------
    source
        A ``.onnx`` file, or a ``.jar`` or ``.zip`` that holds one, with its tokenizer.
    out
        Folder to write; must not exist, or be empty.
    tokenizer
        ``tokenizer.json`` of a ``.onnx`` file; None looks beside it for ``NAME-tokenizer.json``
        and ``tokenizer.json``.
    heads
        Attention heads; None reads them off the graph.
    progress
        Told what is being done.

    Raises
    ------
    MissingExtraError
        When onnx, onnxruntime, torch or transformers is not installed.
    BundleError
        When the file is no float BERT encoder, lacks a tensor or a tokenizer, or the folder would
        not compute what the graph computes.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BundleError(f"{out}: is there already; name a new folder with --out")
    with _unpacked(source, tokenizer) as (graph_file, tokenizer_file):
        progress(f"reading {graph_file.name}")
        graph = _Graph(graph_file)
        state = graph.state()
        config = _config(graph, state, heads)
        _complete(source, config, state)
        words = _tokenizer(tokenizer_file, config["vocab_size"])
        out.parent.mkdir(parents=True, exist_ok=True)
        # Beside its place, so that it appears there whole or not at all.
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=".import-") as part:
            stage = Path(part) / out.name
            stage.mkdir()
            (stage / "tokenizer.json").write_bytes(tokenizer_file.read_bytes())
            _write_json(stage / "config.json", config)
            _write_json(stage / "tokenizer_config.json", words)
            _save(state, stage / "model.safetensors")
            progress("comparing with the graph's own output")
            difference = _difference(graph_file, stage, config["vocab_size"])
            if difference <= TOLERANCE:
                os.replace(stage, out)
    if not difference <= TOLERANCE:
        raise BundleError(
            f"{source}: the folder would differ from the graph by {difference:.2g} (allowed "
            f"{TOLERANCE:g}): it is not a plain BERT encoder, or --heads {config['num_attention_heads']}"
            " is wrong; nothing was written"
        )
    return Imported(
        out,
        config["num_hidden_layers"],
        config["num_attention_heads"],
        config["hidden_size"],
        config["vocab_size"],
        difference,
    )


@contextmanager
def _unpacked(source: Path, tokenizer: Path | None) -> Iterator[tuple[Path, Path]]:
    """The graph and its tokenizer as files, out of an archive where they are in one."""
    if not source.is_file():
        raise BundleError(f"{source}: no such file; name a .onnx file, or a .jar or .zip with one")
    if source.suffix.lower() == ".onnx":
        near = (source.with_name(f"{source.stem}-tokenizer.json"), source.parent / "tokenizer.json")
        found = tokenizer or next((path for path in near if path.is_file()), None)
        if found is None or not found.is_file():
            raise BundleError(
                f"{found or near[0]}: no such file; name the tokenizer.json with --tokenizer"
            )
        yield source, found
        return
    try:
        archive = zipfile.ZipFile(source)
    except zipfile.BadZipFile as error:
        raise BundleError(f"{source}: neither .onnx nor a .jar or .zip ({error})") from error
    with archive, tempfile.TemporaryDirectory() as folder:
        graph = _extract(archive, source, ".onnx", Path(folder) / "model.onnx")
        words = tokenizer or _extract(
            archive, source, "tokenizer.json", Path(folder) / "tokenizer.json"
        )
        yield graph, words


def _extract(archive: zipfile.ZipFile, source: Path, ending: str, target: Path) -> Path:
    """One member under a name of ours: a name out of an archive never becomes a path."""
    found = [m for m in archive.infolist() if m.filename.endswith(ending) and not m.is_dir()]
    if len(found) != 1:
        names = ", ".join(member.filename for member in found) or "none"
        raise BundleError(
            f"{source}: expected one file named *{ending}, found {names}; "
            "unpack it and name the .onnx file and --tokenizer"
        )
    if found[0].file_size > _MAX_FILE_BYTES:
        raise BundleError(f"{source}: {found[0].filename} unpacks to more than 8 GiB")
    with archive.open(found[0]) as packed, target.open("wb") as file:
        while piece := packed.read(1 << 20):
            file.write(piece)
    return target


class _Graph:
    """An ONNX graph with its constants by name."""

    def __init__(self, file: Path) -> None:
        try:
            import onnx
            from onnx import numpy_helper
        except ImportError as error:
            raise MissingExtraError(
                "reading an ONNX file", "train", error.name or "onnx"
            ) from error
        try:
            self._graph = onnx.load(str(file)).graph
        except Exception as error:  # protobuf's errors have no common type
            raise BundleError(f"{file.name}: not an ONNX file ({error})") from error
        self.file = file
        self.nodes = list(self._graph.node)
        kinds = {node.op_type for node in self.nodes}
        for names, what in ((_FUSED, "fused attention"), (_INTEGER, "integer weights")):
            if found := sorted(kinds.intersection(names)):
                raise BundleError(
                    f"{file.name}: has {what} ({', '.join(found)}); export the float model without "
                    "optimisation or quantisation"
                )
        self._made_by = {name: node for node in self.nodes for name in node.output}
        self._stored = {tensor.name: tensor for tensor in self._graph.initializer}
        self._array = numpy_helper.to_array

    def constant(self, name: str) -> Array | None:
        """The value of a name, or None where it depends on the input."""
        if name in self._stored:
            return np.asarray(self._array(self._stored[name]))
        node = self._made_by.get(name)
        if node is None:
            return None
        if node.op_type == "Constant":
            values = {a.name: a for a in node.attribute}
            if "value" in values:
                return np.asarray(self._array(values["value"].t))
            if "value_ints" in values:
                return np.array(values["value_ints"].ints, dtype=np.int64)
            if "value_float" in values:
                return np.array(values["value_float"].f, dtype=np.float32)
            return None
        if node.op_type in ("Identity", "Cast", "Transpose"):
            inner = self.constant(node.input[0])
            if inner is None or node.op_type != "Transpose":
                return inner
            order = next((list(a.ints) for a in node.attribute if a.name == "perm"), None)
            return np.transpose(inner, order)
        return None

    def state(self) -> State:
        """Weights by the encoder's names, without prefix: the encoder's part of them only."""
        found: dict[str, Array] = {
            name: np.asarray(self._array(tensor))
            for name, tensor in self._stored.items()
            if name.endswith((".weight", ".bias"))
        }
        # Exporters keep one of several equal tensors and name the others by an Identity.
        for node in self.nodes:
            if node.op_type == "Identity" and node.output[0].endswith((".weight", ".bias")):
                value = self.constant(node.input[0])
                if value is not None:
                    found.setdefault(node.output[0], value)
        found |= self._linear_weights()
        prefix = _prefix(self.file, found)
        kept = {
            name.removeprefix(prefix): v for name, v in found.items() if name.startswith(prefix)
        }
        return {
            name: np.ascontiguousarray(value, dtype=np.float32)
            for name, value in kept.items()
            if name.startswith(("embeddings.", "encoder.layer."))
        }

    def _linear_weights(self) -> dict[str, Array]:
        """Weights of ``x W + b``, ``(out, in)``, by the name of their bias."""
        weights: dict[str, Array] = {}
        for node in self.nodes:
            if node.op_type == "Gemm" and len(node.input) == 3:
                weight = self.constant(node.input[1])
                turned = any(a.name == "transB" and a.i == 1 for a in node.attribute)
                names = [node.input[2]]
            elif node.op_type == "Add":
                product = next((p for p in map(self._product, node.input) if p is not None), None)
                weight, turned, names = product, False, list(node.input)
            else:
                continue
            for name in map(self._bias_name, names):
                if weight is not None and name is not None:
                    weights[f"{name.removesuffix('.bias')}.weight"] = weight if turned else weight.T
        return weights

    def _product(self, name: str) -> Array | None:
        node = self._made_by.get(name)
        return self.constant(node.input[1]) if node and node.op_type == "MatMul" else None

    def _bias_name(self, name: str) -> str | None:
        node = self._made_by.get(name)
        if not name.endswith(".bias") and node is not None and node.op_type == "Identity":
            name = node.input[0]
        return name if name.endswith(".bias") else None

    def heads(self, width: int) -> int | None:
        """Attention heads, by the constants of the reshapes to ``(batch, tokens, heads, size)``."""
        found = set()
        for node in self.nodes:
            if node.op_type == "Reshape":
                sizes = self._sizes(node.input[1])
                if len(sizes) == 4:
                    found |= {_split(sizes[2], sizes[3], width)}
        found -= {None}
        return found.pop() if len(found) == 1 else None

    def _sizes(self, name: str) -> list[int | None]:
        """A shape, None for each size that depends on the input."""
        value = self.constant(name)
        if value is not None:
            return [int(size) for size in value.reshape(-1)]
        node = self._made_by.get(name)
        if node is None or node.op_type != "Concat":
            return []
        parts = [self.constant(part) for part in node.input]
        return [None if part is None else int(part.reshape(-1)[0]) for part in parts]

    def epsilon(self) -> float:
        """What the layer norms add to the variance; BERT's own 1e-12 where it does not show."""
        for node in self.nodes:
            if node.op_type == "LayerNormalization":
                return next((float(a.f) for a in node.attribute if a.name == "epsilon"), 1e-5)
            if node.op_type == "Sqrt":
                adds = self._made_by.get(node.input[0])
                values = [self.constant(name) for name in adds.input] if adds is not None else []
                small = [float(v) for v in values if v is not None and v.size == 1]
                if small:
                    return float(f"{small[0]:.3g}")
        return 1e-12

    def activation(self) -> str:
        """transformers' name of the feed-forward activation."""
        kinds = {node.op_type for node in self.nodes}
        gelu = [node for node in self.nodes if node.op_type == "Gelu"]
        if gelu:
            tanh = any(a.name == "approximate" and a.s == b"tanh" for a in gelu[0].attribute)
            return "gelu_new" if tanh else "gelu"
        return "gelu" if "Erf" in kinds else "gelu_new" if "Tanh" in kinds else "relu"


def _split(heads: int | None, size: int | None, width: int) -> int | None:
    """Heads out of the last two sizes of a reshape; -1 or unknown is what the width leaves."""
    if size is not None and size > 0 and width % size == 0 and heads in (None, -1, width // size):
        return width // size
    if heads is not None and heads > 0 and width % heads == 0 and size in (None, -1):
        return heads
    return None


def _prefix(file: Path, found: Mapping[str, Array]) -> str:
    """What stands before ``embeddings.``: nothing, ``bert.``, ``0.auto_model.``, ..."""
    key = "embeddings.word_embeddings.weight"
    named = [name.removesuffix(key) for name in found if name.endswith(key)]
    if len(named) != 1:
        raise BundleError(
            f"{file.name}: holds {len(named)} tensors named *{key}, expected one; only exports of "
            "BERT encoders that keep parameter names can be read"
        )
    return named[0]


def _config(graph: _Graph, state: State, heads: int | None) -> dict[str, Any]:
    layers = 1 + max((int(k.split(".")[2]) for k in state if k.startswith("encoder.")), default=-1)
    vocabulary, width = state["embeddings.word_embeddings.weight"].shape
    heads = heads or graph.heads(width)
    if heads is None or width % heads:
        raise BundleError(
            f"{graph.file.name}: the number of attention heads "
            + (
                "does not show in the graph"
                if heads is None
                else f"{heads} does not divide {width}"
            )
            + "; give it with --heads"
        )

    def rows(name: str) -> int:
        return len(state.get(f"embeddings.{name}.weight", ()))

    inner = state.get("encoder.layer.0.intermediate.dense.bias", np.zeros(0))
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "vocab_size": vocabulary,
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": len(inner),
        "hidden_act": graph.activation(),
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "layer_norm_eps": graph.epsilon(),
        "max_position_embeddings": rows("position_embeddings"),
        "type_vocab_size": rows("token_type_embeddings"),
        "initializer_range": 0.02,
        "pad_token_id": 0,
    }


def _complete(source: Path, config: Mapping[str, Any], state: State) -> None:
    """Refuse a state that lacks a tensor, or holds one of another shape."""
    width, inner = config["hidden_size"], config["intermediate_size"]
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (config["vocab_size"], width),
        "embeddings.position_embeddings.weight": (config["max_position_embeddings"], width),
        "embeddings.token_type_embeddings.weight": (config["type_vocab_size"], width),
    }
    sizes = {"intermediate.dense": (inner, width), "output.dense": (width, inner)}
    norms = ["embeddings.LayerNorm"]
    for layer in (f"encoder.layer.{i}." for i in range(config["num_hidden_layers"])):
        norms += [layer + name for name in _NORMS]
        for name in _LINEAR:
            shape = sizes.get(name, (width, width))
            shapes |= {f"{layer}{name}.weight": shape, f"{layer}{name}.bias": shape[:1]}
    for name in norms:
        shapes |= {f"{name}.weight": (width,), f"{name}.bias": (width,)}
    missing = sorted(set(shapes) - set(state))
    if not config["num_hidden_layers"] or missing:
        shown = ", ".join(missing[:3]) or "any layer"
        raise BundleError(
            f"{source}: lacks {len(missing)} of a BERT encoder's tensors, {shown} first; only "
            "float exports of BERT that keep parameter names can be read"
        )
    wrong = [name for name, shape in shapes.items() if state[name].shape != shape]
    unknown = sorted(set(state) - set(shapes))
    if wrong or unknown:
        name = (wrong or unknown)[0]
        raise BundleError(
            f"{source}: {name} has shape {state[name].shape}, expected {shapes.get(name, 'none')}; "
            "this is another architecture than BERT"
        )


def _tokenizer(file: Path, vocabulary: int) -> dict[str, Any]:
    """The settings beside ``tokenizer.json``, after a look at whether it is the encoder's."""
    from tokenizers import Tokenizer

    try:
        content = json.loads(file.read_bytes())
        known = Tokenizer.from_file(str(file)).get_vocab_size()
    except Exception as error:  # tokenizers raises plain Exception
        raise BundleError(f"{file.name}: not a tokenizer.json ({error})") from error
    if known > vocabulary:
        raise BundleError(
            f"{file.name}: has {known} tokens, the encoder {vocabulary}: it is another's tokenizer"
        )
    normalizer = content.get("normalizer") or {}
    return {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": bool(normalizer.get("lowercase", True)),
        "model_max_length": 512,
    }


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _save(state: State, path: Path) -> None:
    from safetensors.numpy import save_file

    save_file(state, path, metadata={"format": "pt"})


def _difference(graph: Path, folder: Path, vocabulary: int) -> float:
    """Largest difference of hidden states between the graph and the folder, over a few batches."""
    try:
        import onnxruntime
        import torch
        from transformers import BertModel
    except ImportError as error:
        raise MissingExtraError("checking an ONNX file", "train", error.name or "torch") from error
    session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    model: Any = BertModel.from_pretrained(folder, add_pooling_layer=False, use_safetensors=True)
    model.eval()
    rng = np.random.default_rng(3)
    worst = 0.0
    for shape in _BATCHES:
        ids = rng.integers(0, vocabulary, shape)
        given = {i.name: _input(i.name, ids) for i in session.get_inputs()}
        hidden = next((r for r in session.run(None, given) if r.ndim == 3), None)
        if hidden is None:
            raise BundleError(f"{graph.name}: has no output (batch, tokens, width) to compare with")
        with torch.inference_mode():
            ours = model(input_ids=torch.from_numpy(ids)).last_hidden_state.numpy()
        if ours.shape != hidden.shape:
            raise BundleError(f"{graph.name}: its output is {hidden.shape}, expected {ours.shape}")
        worst = max(worst, float(np.abs(ours - hidden).max()))
    return worst


def _input(name: str, ids: NDArray[np.int64]) -> NDArray[np.int64]:
    if "mask" in name:
        return np.ones_like(ids)
    return np.zeros_like(ids) if "type" in name else ids
