"""A bundle's model in torch, float32, to work on; and what came of it, back on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from models.base import Base, resolve_base
from models.bundle import (
    CARD,
    TOKENIZER,
    Bundle,
    hash_files,
    load_bundle,
    write_manifest,
)
from models.encoder import MultiHead
from models.errors import ModelError
from models.graph_weights import save_graph


@dataclass(frozen=True, slots=True)
class Trained:
    """A bundle with its model, as the graph computes it, in evaluation mode on the CPU."""

    bundle: Bundle
    model: MultiHead
    tokenizer: str
    """Content of its ``tokenizer.json``."""


def load_trained(folder: Path | None = None) -> Trained:
    """Load a bundle for work on its weights.

    Parameters
    ----------
    folder
        Its folder; None for the shipped one.

    Raises
    ------
    BundleError
        When the bundle does not match its hashes.
    MissingExtraError
        When torch is not installed.
    """
    from models.engines.torch import TorchEngine

    bundle = load_bundle(folder)
    # The engine knows how a bundle's parts make a model: one place for that.
    model: MultiHead = TorchEngine(bundle, device="cpu")._model
    return Trained(bundle, model.float().eval(), bundle.path(TOKENIZER).read_text(encoding="utf-8"))


def outputs(model: MultiHead, ids: Tensor) -> dict[str, Tensor]:
    """Every output by name, for rows of one length: a head's logits, and the embedding if any."""
    return dict(zip(model.outputs, model(ids), strict=True))


def bert(model: MultiHead) -> Any:
    """The encoder, when it is a BERT.

    Raises
    ------
    ModelError
        When it is of another architecture, whose parts have other names.
    """
    kind = model.encoder.config.model_type  # type: ignore[union-attr]
    if kind != "bert":
        raise ModelError(f"the encoder is of type {kind!r}; this works on 'bert' only")
    return model.encoder


def write_base(encoder: Any, tokenizer: str, folder: Path) -> Base:
    """Write an encoder as a folder that ``foreshock train --base`` starts from.

    Parameters
    ----------
    encoder
        A transformers encoder.
    tokenizer
        Content of ``tokenizer.json``.
    folder
        Is made; files of the same names are replaced.
    """
    folder.mkdir(parents=True, exist_ok=True)
    encoder.save_pretrained(folder, safe_serialization=True)
    (folder / "tokenizer.json").write_text(tokenizer, encoding="utf-8")
    lower = (json.loads(tokenizer).get("normalizer") or {}).get("lowercase", True)
    settings = {"tokenizer_class": "BertTokenizer", "do_lower_case": lower}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")
    return resolve_base(str(folder))


def write_bundle(
    source: Bundle,
    folder: Path,
    tokenizer: str,
    model: MultiHead,
    graph: Any,
    *,
    precision: str,
    how: Mapping[str, Any],
    pruned: Sequence[Sequence[int]] = (),
) -> Bundle:
    """Write a bundle made from another.

    Its temperatures are the other's. Figures are dropped: they were another model's.

    Parameters
    ----------
    source
        What it was made from.
    folder
        Is made.
    tokenizer
        Content of ``tokenizer.json``.
    model
        What the graph was made of.
    graph
        OpenVINO model that serves.
    precision
        ``int8``, ``bfloat16`` or ``float32``: the graph's arithmetic.
    how
        Kept as ``training.compressed``.
    pruned
        Numbers of the attention heads that the model lacks, for each layer.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / TOKENIZER).write_text(tokenizer, encoding="utf-8")
    save_graph(graph, model, folder, half=precision == "bfloat16")
    made = replace(
        source,
        folder=folder,
        name=f"{source.name}-{how['method']}",
        architecture=model.architecture | ({"pruned_heads": pruned} if pruned else {}),
        marker=model.marker,
        precision={**source.precision, "openvino": precision},
        files=hash_files(folder),
        metrics={},
        training={
            **source.training,
            "compressed": {**how, "from": f"{source.name} {source.version}", "hash": source.hash},
        },
    )
    write_manifest(made)
    (folder / CARD).write_text(
        f"# {made.name} {made.version}\n\nMade from {source.name} {source.version} (hash "
        f"`{source.hash}`) by `foreshock models compress --method {how['method']}`; its data, "
        "limits and licences are those of that model's card. Not measured on test splits: see "
        "`foreshock evaluate`.\n",
        encoding="utf-8",
    )
    return load_bundle(folder)


def free_folder(folder: Path) -> Path:
    """A folder that may be written.

    Raises
    ------
    ModelError
        When something is there.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ModelError(f"{folder}: is there already; name a new folder with --out")
    return folder


def write_heads(model: MultiHead, path: Path) -> None:
    """Write the heads alone: ``NAME.weight (labels, width)`` and ``NAME.bias (labels,)``."""
    from safetensors.torch import save_file

    save_file({k: v.contiguous() for k, v in model.heads.state_dict().items()}, path)
