"""Bundles on disk: found, shown, told apart, checked and handed out.

Nothing here loads a model except `export`; a bundle another version wrote is still listed.
"""

from __future__ import annotations

import json
import re
import shutil
import tarfile
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.bundle import FILES, GRAPH, MANIFEST, TOKENIZER, WEIGHTS, load_bundle, shipped_bundle
from models.errors import BundleError, MissingExtraError, ModelError
from models.hashes import file_sha256
from models.weights import read_weights

FORMATS = ("bundle", "onnx", "openvino-fp32", "torch")
#: What may lie in a bundle: nothing that runs code when it is read.
SUFFIXES = (".safetensors", ".xml", ".onnx", ".json", ".md", ".png")
#: Figures of a report that are its headline.
HEADLINE = ("accuracy", "macro_f1")

_SERVED = ("int8", "bfloat16", "served", "openvino")
# /x/y, C:\x, \\host, ~/x and file:// where a word could start; "and/or" and " / " are none.
_ABSOLUTE = re.compile(r"(?:^|[\s=,;:'\"(])(?:/[\w.~-]|[A-Za-z]:[\\/]|\\\\\w|~[\w.-]*/)|\bfile:/")
_LAYER = re.compile(r"^(.*?\blayers?\.\d+)\.")
_ARCHIVES = (b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"\xfd7zXZ")


@dataclass(frozen=True, slots=True)
class Entry:
    """A bundle as it stands in a listing.

    Parameters
    ----------
    folder
        Where it lies.
    manifest
        Content of its ``bundle.json``; empty when that cannot be read.
    size_bytes
        Of all its files.
    problem
        Why it cannot be used; None for a sound one.
    """

    folder: Path
    manifest: Mapping[str, Any]
    size_bytes: int
    problem: str | None

    def as_json(self) -> dict[str, Any]:
        """What `list` says of it, for programs."""
        found = self.manifest
        return {
            "folder": str(self.folder),
            "name": found.get("name", self.folder.name),
            "version": found.get("version"),
            "hash": found.get("hash"),
            "languages": found.get("languages", []),
            "heads": {head: len(names) for head, names in labels_of(found).items()},
            "size_mb": round(self.size_bytes / 1e6, 1),
            "metrics": headline(found),
            "problem": self.problem,
        }


def labels_of(manifest: Mapping[str, Any]) -> dict[str, list[str]]:
    """Labels of each head, of any schema so far."""
    heads = manifest.get("heads")
    if heads is None:  # schema 1
        return {name: list(labels) for name, labels in (manifest.get("labels") or {}).items()}
    return {head["name"]: list(head["labels"]) for head in heads}


def headline(manifest: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Accuracy and macro-F1 of the served graph on each set it was measured on."""
    result = {}
    for name, figures in (manifest.get("metrics") or {}).items():
        served = next((figures[k] for k in _SERVED if k in figures), figures)
        found = {key: served[key] for key in HEADLINE if isinstance(served.get(key), int | float)}
        if found:
            result[str(name)] = found
    return result


def entry(folder: Path) -> Entry:
    """One bundle, sound or not."""
    problem = None
    manifest: dict[str, Any] = {}
    try:
        content = json.loads((folder / MANIFEST).read_bytes())
        manifest = content if isinstance(content, dict) else {}
        load_bundle(folder)
    except OSError as error:
        problem = f"{folder / MANIFEST}: {error.strerror}"
    except ValueError as error:
        problem = f"{folder / MANIFEST}: not JSON ({error})"
    except BundleError as error:
        problem = str(error)
    sizes = (file.stat().st_size for file in folder.iterdir() if file.is_file())
    return Entry(folder, manifest, sum(sizes), problem)


def bundles(folders: Sequence[Path] = ()) -> list[Entry]:
    """The bundles that come with foreshock, and those in the folders given.

    Parameters
    ----------
    folders
        Each a bundle, or a folder of bundles.

    Raises
    ------
    BundleError
        When a folder is none, or holds no bundle.
    """
    found: dict[Path, Path] = {}
    for folder in (shipped_bundle().parent, *folders):
        if not folder.is_dir():
            raise BundleError(f"{folder}: no such folder; name a bundle or a folder of bundles")
        inside = [path.parent for path in sorted(folder.glob(f"*/{MANIFEST}"))]
        here = [folder] if (folder / MANIFEST).is_file() else inside
        if not here and folder in folders:
            raise BundleError(f"{folder}: holds no bundle (no {MANIFEST} in it, or one level down)")
        found |= {path.resolve(): path for path in here if path.resolve() not in found}
    return [entry(folder) for folder in found.values()]


def resolve(reference: str) -> Path:
    """A bundle's folder, by path or by the name of one that comes with foreshock.

    Raises
    ------
    BundleError
        When there is no such bundle; the message names those there are.
    """
    path = Path(reference)
    if (path / MANIFEST).is_file():
        return path
    shipped = shipped_bundle().parent
    if path.name == reference and (shipped / reference / MANIFEST).is_file():
        return shipped / reference
    names = ", ".join(sorted(p.parent.name for p in shipped.glob(f"*/{MANIFEST}"))) or "none"
    raise BundleError(
        f"{reference}: no bundle here (no {MANIFEST}); name its folder, or one that comes with "
        f"foreshock: {names}"
    )


def verify(folder: Path) -> list[str]:
    """Everything wrong with a bundle, each as one sentence; nothing for a sound one.

    Checked: every file's hash and the manifest's own, that no file is of a kind that could run
    code or reach elsewhere, and that the manifest names no place of the machine it was made on.
    """
    problems = [problem for file in sorted(folder.rglob("*")) if (problem := _alien(folder, file))]
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        files = dict(manifest["files"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        return [*problems, f"{MANIFEST}: missing, not JSON, or names no files ({error})"]
    for where, text in _texts(manifest):
        if _ABSOLUTE.search(text):
            problems.append(f"{MANIFEST}: {where} holds an absolute path: {text!r}")
    hashes = []
    for name in dict.fromkeys([*FILES, *files]):
        if name not in files:
            hashes.append(f"{name}: {MANIFEST} names no hash of it")
        elif Path(name).name != name or not (folder / name).is_file():
            hashes.append(f"{name}: missing")
        elif file_sha256(folder / name) != files[name]:
            hashes.append(f"{name}: damaged or of another bundle: not the SHA-256 of {MANIFEST}")
    if not hashes:
        try:
            load_bundle(folder)
        except BundleError as error:
            hashes.append(str(error))
    return problems + hashes


def _alien(folder: Path, file: Path) -> str | None:
    name = file.relative_to(folder).as_posix()
    if file.is_symlink():
        return f"{name}: a link; a bundle holds its files itself"
    if file.is_dir():
        return f"{name}: a folder; a bundle is flat"
    if file.suffix not in SUFFIXES:
        return f"{name}: may not be in a bundle; allowed are {', '.join(SUFFIXES)}"
    with file.open("rb") as opened:
        start = opened.read(64)
    if start.startswith(_ARCHIVES) or re.match(rb"\x80[\x02-\x05][\x95}\]cq(]", start):
        return f"{name}: holds a pickle or an archive under another name"
    if file.suffix == ".xml" and b"<net" not in start:
        return f"{name}: not an OpenVINO graph"
    if file.suffix == ".safetensors":
        return _not_safetensors(file, name)
    return None


def _not_safetensors(file: Path, name: str) -> str | None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="numpy") as opened:
            opened.keys()
    except (SafetensorError, OSError) as error:
        return f"{name}: not safetensors ({error})"
    return None


def _texts(value: Any, where: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a JSON value, with the path of its field."""
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield f"a name in {where or 'it'}", str(key)
            yield from _texts(inner, f"{where}.{key}" if where else str(key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _texts(inner, f"{where}[{number}]")


def diff(one: Path, other: Path) -> dict[str, Any]:
    """What tells two bundles apart.

    Returns
    -------
    dict
        ``settings`` and ``labels``: field to [one's, other's]; ``data``: [only in one, only in the
        other], by name and hash; ``metrics``: field to [one's, other's, difference]; ``weights``:
        group of tensors to relative L2 distance ``|a - b| / |a|``, None where shapes differ or
        only one has it.
    """
    manifests = [_manifest(folder) for folder in (one, other)]
    apart = ("labels", "heads", "data", "metrics", "training", "files", "hash")
    flat = [
        {
            **_flat({k: v for k, v in found.items() if k not in apart}),
            **{
                f"training.{k}": v
                for k, v in _flat(found.get("training") or {}).items()
                if not k.startswith("curve")
            },
        }
        for found in manifests
    ]
    labels = [labels_of(found) for found in manifests]
    data = [
        {f"{d.get('name')} {str(d.get('sha256', ''))[:12]}" for d in found.get("data") or ()}
        for found in manifests
    ]
    return {
        "hash": [found.get("hash") for found in manifests],
        "settings": _changed(*flat),
        "labels": _changed(*labels),
        "data": [sorted(data[0] - data[1]), sorted(data[1] - data[0])],
        "metrics": {
            name: [a, b, b - a if _number(a) and _number(b) else None]
            for name, (a, b) in _changed(
                *(_flat(found.get("metrics") or {}) for found in manifests)
            ).items()
        },
        "weights": _weights_apart(one / WEIGHTS, other / WEIGHTS),
    }


def _manifest(folder: Path) -> dict[str, Any]:
    found = entry(folder)
    if not found.manifest:
        raise BundleError(str(found.problem))
    return dict(found.manifest)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, inner in value.items():
        if isinstance(inner, Mapping):
            result |= _flat(inner, f"{prefix}{key}.")
        else:
            result[f"{prefix}{key}"] = inner
    return result


def _changed(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, list[Any]]:
    names = dict.fromkeys([*one, *other])
    return {n: [one.get(n), other.get(n)] for n in names if one.get(n) != other.get(n)}


def _weights_apart(one: Path, other: Path) -> dict[str, float | None]:
    apart: defaultdict[str, float] = defaultdict(float)
    whole: defaultdict[str, float] = defaultdict(float)
    unlike: set[str] = set()
    a, b = (read_weights(path) for path in (one, other))
    unlike |= {_group(name) for name in set(a) ^ set(b)}
    for name in sorted(set(a) & set(b)):
        left, right = (np.asarray(state[name], dtype=np.float64) for state in (a, b))
        if left.shape != right.shape:
            unlike.add(_group(name))
            continue
        apart[_group(name)] += float(np.square(left - right).sum())
        whole[_group(name)] += float(np.square(left).sum())
    groups = sorted(unlike | set(whole), key=_natural)
    return {g: None if g in unlike else _ratio(apart[g], whole[g]) for g in groups}


def _ratio(apart: float, whole: float) -> float:
    if whole == 0:
        return 0.0 if apart == 0 else float("inf")
    return float(np.sqrt(apart / whole))


def _group(name: str) -> str:
    """Part of the model a tensor belongs to: a layer, the embeddings, a head."""
    found = _LAYER.match(name)
    return found.group(1) if found else ".".join(name.split(".")[:2])


def _natural(text: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in text.split(".")]


def export(
    folder: Path,
    out: Path,
    form: str = "bundle",
    progress: Callable[[str], None] = lambda what: None,
) -> list[str]:
    """Write a bundle in another form, for other runtimes.

    Parameters
    ----------
    folder
        Of the bundle.
    out
        Folder to make, or a ``.tar`` file: the same bytes for the same content.
    form
        One of `FORMATS`: ``bundle`` as it is; ``onnx`` and ``openvino-fp32``, one float32 graph
        (input token ids, an output per head); ``torch``, encoder as a Hugging Face folder and
        ``heads.safetensors``. All but ``bundle`` come with ``tokenizer.json`` and ``labels.json``.
    progress
        Told what is being done.

    Returns
    -------
    list of str
        Names of the files written.

    Raises
    ------
    ModelError
        When the bundle is unsound, something is in the way, or the model cannot be exported.
    """
    if form not in FORMATS:
        raise ModelError(f"format {form!r}: expected one of {', '.join(FORMATS)}")
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise ModelError(f"{out}: is there already; name a new folder or .tar file")
    progress(f"checking {folder}")
    if problems := verify(folder):
        raise BundleError(f"{folder}: {problems[0]}; see `foreshock models verify {folder}`")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".export-") as part:
        stage = Path(part) / "export"
        stage.mkdir()
        _write_form(folder, stage, form, progress)
        names = sorted(file.name for file in stage.iterdir())
        if out.suffix == ".tar":
            progress(f"packing {out.name}")
            packed = Path(part) / "export.tar"
            _pack(stage, packed, out.stem)
            packed.replace(out)
        else:
            stage.replace(out)
    return names


def _write_form(folder: Path, stage: Path, form: str, progress: Callable[[str], None]) -> None:
    if form == "bundle":
        for file in folder.iterdir():
            shutil.copyfile(file, stage / file.name)
        return
    progress("loading the model")
    try:
        from models.compress.trained import load_trained
    except ImportError as error:
        raise MissingExtraError(f"exporting {form}", "train", error.name or "torch") from error
    trained = load_trained(folder)
    bundle = trained.bundle
    shutil.copyfile(bundle.path(TOKENIZER), stage / TOKENIZER)
    about = {
        "name": bundle.name,
        "version": bundle.version,
        "hash": bundle.hash,
        "labels": {head: list(names) for head, names in bundle.labels.items()},
        "temperatures": dict(bundle.temperatures),
        "powers": dict(bundle.powers),
        "languages": list(bundle.languages),
        "max_tokens": bundle.max_tokens,
        "padding": "none: every row of a batch has the same number of tokens",
    }
    text = json.dumps(about, indent=2, ensure_ascii=False) + "\n"
    (stage / "labels.json").write_text(text, encoding="utf-8")
    progress(f"writing {form}")
    if form == "onnx":
        from models.compress.onnx_graph import export_onnx

        worst = export_onnx(trained.model, stage / "model.onnx")
        progress(f"checked with ONNX Runtime: largest difference from torch {worst:.1e}")
    elif form == "openvino-fp32":
        from models.engines.runtime import load_openvino
        from models.quantise import export_graph

        graph = export_graph(trained.model)
        load_openvino().save_model(graph, stage / GRAPH, compress_to_fp16=False)
    else:
        from models.compress.trained import write_base, write_heads

        write_base(trained.model.encoder, trained.tokenizer, stage)
        write_heads(trained.model, stage / "heads.safetensors")


def _pack(stage: Path, target: Path, top: str) -> None:
    """A tar whose bytes depend on names and contents alone."""
    with tarfile.open(target, "w", format=tarfile.USTAR_FORMAT) as archive:
        for file in sorted(stage.iterdir()):
            about = tarfile.TarInfo(f"{top}/{file.name}")
            about.size = file.stat().st_size
            about.mode = 0o644
            with file.open("rb") as opened:
                archive.addfile(about, opened)
