"""Training that goes on from a bundle: its encoder, and the heads that are still asked (torch)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from models.base import Base, resolve_base
from models.bundle import Bundle
from models.compress.trained import load_trained, write_base
from models.encoder import MultiHead
from models.labels import Head


@dataclass(frozen=True, slots=True)
class Start:
    """What a run goes on from.

    Parameters
    ----------
    bundle
        The bundle.
    base
        Its encoder with its tokenizer. Name and hash are those of the base the bundle
        was made from.
    heads
        State of its heads.
    """

    bundle: Bundle
    base: Base
    heads: Mapping[str, Tensor]

    def untrained(self) -> Base:
        """The base the bundle was made from, whose embeddings stay the ones to learn.

        Raises
        ------
        BundleError
            When it is not to be had.
        """
        return resolve_base(self.bundle.base["name"])

    def put_heads(self, model: MultiHead, heads: Sequence[Head]) -> tuple[str, ...]:
        """Give a fresh model the heads whose names, kinds and labels agree; return their names."""
        names = [head.name for head in self.bundle.heads if head in heads]
        for name in names:
            of_head = {
                key.removeprefix(f"{name}."): value
                for key, value in self.heads.items()
                if key.startswith(f"{name}.")
            }
            model.heads[name].load_state_dict(of_head)
        return tuple(names)


def load_start(folder: Path, work: Path) -> Start:
    """Read a bundle to go on from.

    Parameters
    ----------
    folder
        Of the bundle.
    work
        Folder of the run, where the encoder is written to as a base.

    Raises
    ------
    BundleError
        When the bundle does not match its hashes.
    """
    trained = load_trained(folder)
    written = write_base(trained.model.encoder, trained.tokenizer, work / "start")
    origin = trained.bundle.base
    base = Base(origin["name"], written.folder, origin["sha256"])
    return Start(trained.bundle, base, trained.model.heads.state_dict())
