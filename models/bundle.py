"""A bundle: one trained model as a folder of files that vouch for each other.

``bundle.json`` holds what was trained, on what, how it did, and the SHA-256 of every file that
predictions depend on. Loading checks them all; a bundle that does not match itself is refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.errors import BundleError
from models.hashes import file_sha256
from models.labels import EMBEDDING, Head, HeadKind
from models.text import NORMALISATION_VERSION

SCHEMA_VERSION = 3
MANIFEST = "bundle.json"
TOKENIZER = "tokenizer.json"
WEIGHTS = "weights.safetensors"
GRAPH = "openvino_model.xml"
CARD = "MODEL_CARD.md"
CURVE = "validation_curve.png"
RISK_COVERAGE = "risk_coverage.png"
#: Files predictions depend on; the card and its pictures are for reading.
FILES = (TOKENIZER, WEIGHTS, GRAPH)

_REPAIR = (
    "restore the folder (`git checkout` it, or reinstall foreshock), or train a bundle with "
    "`foreshock train`"
)


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a bundle says of itself.

    Parameters
    ----------
    folder
        Where its files lie.
    name, version
        Stored with every prediction, beside `hash`.
    heads
        In the order of the graph's outputs.
    languages
        ISO 639-1 codes the model reads; other texts get no prediction.
    base
        ``name`` and ``sha256`` of the encoder it started from. Nothing is read from there.
    method
        How the encoder was trained: ``kind`` and its options, see `models.adapters.adapted`.
    architecture
        The encoder's transformers configuration, and ``pruned_heads`` where some were left out: the numbers
        of each layer's.
    embedding_space
        Of the sentence embedding it gives beside the heads: the untrained base and pooling that it
        was learnt from. Vectors of different spaces are never compared. None where it gives none.
    marker
        Token id that stands for the company asked about; None without a target head.
    max_tokens
        Longer texts are cut, special tokens included.
    normalisation_version
        Of `models.text`, as trained.
    temperatures
        Divisor of each head's logits; see `models.calibrate`.
    powers
        Exponent of each head's logits where it is not 1; see `models.calibrate`.
    thresholds
        Least confidence of each head's answer, in [0, 1]; below it the head abstains.
    precision
        Arithmetic of each engine: the bundle fixes it, never the load.
    files
        SHA-256 of each file of `FILES`, as hex.
    metrics, training, data
        What was measured, how it was trained, on which files.
    hash
        SHA-256 over everything a prediction depends on, as hex: files, normalisation version,
        heads, languages, temperatures, powers, thresholds, precision, length limit, marker, base,
        architecture and embedding space; not the metrics.
    """

    folder: Path
    name: str
    version: str
    heads: tuple[Head, ...]
    languages: tuple[str, ...]
    base: Mapping[str, str]
    method: Mapping[str, Any]
    architecture: Mapping[str, Any]
    embedding_space: str | None
    marker: int | None
    max_tokens: int
    normalisation_version: int
    temperatures: Mapping[str, float]
    thresholds: Mapping[str, float]
    precision: Mapping[str, str]
    files: Mapping[str, str]
    powers: Mapping[str, float] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    data: tuple[Mapping[str, Any], ...] = ()
    hash: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "hash", self._hash())

    def _hash(self) -> str:
        material = {
            "files": dict(self.files),
            "normalisation_version": self.normalisation_version,
            "heads": _heads(self.heads),
            "marker": self.marker,
            "languages": list(self.languages),
            "temperatures": dict(self.temperatures),
            "thresholds": dict(self.thresholds),
            "precision": dict(self.precision),
            "max_tokens": self.max_tokens,
            "base": dict(self.base),
            "architecture": dict(self.architecture),
            "embedding_space": self.embedding_space,
        }
        if self.powers:  # a bundle that has none keeps the hash it had before there were any
            material["powers"] = dict(self.powers)
        text = json.dumps(material, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def model_version(self) -> str:
        """Name and version, as predictions are stored with them."""
        return f"{self.name} {self.version}"

    @property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """Labels of each head, by name, in order."""
        return {head.name: head.labels for head in self.heads}

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of what one pass gives, in order: heads, and the embedding where there is one."""
        heads = tuple(head.name for head in self.heads)
        return heads if self.embedding_space is None else (*heads, EMBEDDING)

    def path(self, name: str) -> Path:
        """Where one of its files lies."""
        return self.folder / name


def shipped_bundle() -> Path:
    """Folder of the bundle that comes with foreshock."""
    return Path(__file__).resolve().parent / "bundles" / "foreshock-en"


def hash_files(folder: Path) -> dict[str, str]:
    """SHA-256 of each of `FILES` in a folder."""
    return {name: file_sha256(folder / name) for name in FILES}


def write_manifest(bundle: Bundle) -> None:
    """Write ``bundle.json`` into the bundle's folder."""
    content = {
        "schema_version": SCHEMA_VERSION,
        "name": bundle.name,
        "version": bundle.version,
        "hash": bundle.hash,
        "heads": _heads(bundle.heads),
        "languages": list(bundle.languages),
        "base": dict(bundle.base),
        "method": dict(bundle.method),
        "architecture": dict(bundle.architecture),
        "embedding_space": bundle.embedding_space,
        "marker": bundle.marker,
        "max_tokens": bundle.max_tokens,
        "normalisation_version": bundle.normalisation_version,
        "temperatures": dict(bundle.temperatures),
        **({"powers": dict(bundle.powers)} if bundle.powers else {}),
        "thresholds": dict(bundle.thresholds),
        "precision": dict(bundle.precision),
        "files": dict(bundle.files),
        "metrics": bundle.metrics,
        "training": bundle.training,
        "data": list(bundle.data),
    }
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    (bundle.folder / MANIFEST).write_text(text, encoding="utf-8")


def load_bundle(folder: Path | None = None) -> Bundle:
    """Read and verify a bundle.

    Parameters
    ----------
    folder
        Its folder; None for the shipped one.

    Raises
    ------
    BundleError
        When a file is missing or not the one the manifest names, or the bundle was made for
        another schema, normalisation or label set. The message names the file and what to do.
    """
    folder = folder or shipped_bundle()
    manifest = folder / MANIFEST
    try:
        content = json.loads(manifest.read_bytes())
    except OSError as error:
        raise BundleError(
            f"{manifest}: {error.strerror}; name a bundle's folder, or {_REPAIR}"
        ) from error
    except ValueError as error:
        raise BundleError(f"{manifest}: not JSON ({error}); {_REPAIR}") from error
    bundle = _parse(folder, manifest, content)
    for name in FILES:
        path = folder / name
        if name not in bundle.files:
            raise BundleError(f"{manifest}: names no hash of {name}; {_REPAIR}")
        try:
            found = file_sha256(path)
        except OSError as error:
            raise BundleError(f"{path}: {error.strerror}; {_REPAIR}") from error
        if found != bundle.files[name]:
            raise BundleError(
                f"{path}: damaged or of another bundle: its SHA-256 starts {found[:12]}, "
                f"{MANIFEST} expects {bundle.files[name][:12]}; {_REPAIR}"
            )
    if content.get("hash") != bundle.hash:
        raise BundleError(
            f"{manifest}: edited by hand: its contents do not give the hash it states; {_REPAIR}"
        )
    return bundle


def _heads(heads: Iterable[Head]) -> list[dict[str, Any]]:
    return [{"name": h.name, "kind": h.kind.value, "labels": list(h.labels)} for h in heads]


def _parse(folder: Path, manifest: Path, content: Any) -> Bundle:
    if not isinstance(content, dict) or content.get("schema_version") != SCHEMA_VERSION:
        found = content.get("schema_version") if isinstance(content, dict) else None
        raise BundleError(
            f"{manifest}: schema_version is {found!r}, this foreshock reads {SCHEMA_VERSION}; "
            f"use the foreshock that wrote it, or {_REPAIR}"
        )
    try:
        bundle = Bundle(
            folder=folder,
            name=str(content["name"]),
            version=str(content["version"]),
            heads=tuple(
                Head(str(h["name"]), HeadKind(h["kind"]), tuple(map(str, h["labels"])))
                for h in content["heads"]
            ),
            languages=tuple(map(str, content["languages"])),
            base=dict(content["base"]),
            method=dict(content["method"]),
            architecture=dict(content["architecture"]),
            embedding_space=None
            if content["embedding_space"] is None
            else str(content["embedding_space"]),
            marker=None if content["marker"] is None else int(content["marker"]),
            max_tokens=int(content["max_tokens"]),
            normalisation_version=int(content["normalisation_version"]),
            temperatures={str(k): float(v) for k, v in content["temperatures"].items()},
            thresholds={str(k): float(v) for k, v in content["thresholds"].items()},
            powers={str(k): float(v) for k, v in content.get("powers", {}).items()},
            precision=dict(content["precision"]),
            files=dict(content["files"]),
            metrics=dict(content["metrics"]),
            training=dict(content["training"]),
            data=tuple(content["data"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleError(
            f"{manifest}: field missing or of another kind: {error!r}; {_REPAIR}"
        ) from error
    if bundle.normalisation_version != NORMALISATION_VERSION:
        raise BundleError(
            f"{manifest}: trained on texts of normalisation {bundle.normalisation_version}, this "
            f"foreshock writes {NORMALISATION_VERSION}; train it anew with `foreshock train`"
        )
    return bundle
