"""Augmentation in training: a share of each epoch's rows in another form, under the same label.

A row is changed in place, never added: batches, steps and the balance of classes stay what they are.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.dataset.augment import Augmentation, augmented
from models.dataset.back_translation import BackTranslation
from models.dataset.entity_swap import EntitySwap
from models.dataset.number_change import NumberChange
from models.dataset.synonyms import Synonyms
from models.labels import EMBEDDING
from models.targets import MARKER, mark_target
from models.text import model_input
from models.training.batches import Rows
from models.training.config import AugmentConfig, TrainConfig
from models.training.data import Source

#: Rows of each head to the same rows, some in another form, by number of the epoch.
Vary = Callable[[int, Mapping[str, Rows]], Mapping[str, Rows]]
#: Training splits as rows of each head, with whatever teachers say of them.
Read = Callable[[Sequence[Source]], Mapping[str, Rows]]


@dataclass(frozen=True, slots=True)
class Changed:
    """A set's training rows in another form.

    Parameters
    ----------
    source
        The set, with no other split and no other rows.
    positions
        Of those rows in the training split they were made from.
    """

    source: Source
    positions: NDArray[np.int64]


def varying(config: TrainConfig, sources: Sequence[Source], cache: Path, read: Read) -> Vary | None:
    """How a run's rows change from epoch to epoch; None when they do not.

    Parameters
    ----------
    config
        ``augment`` and ``fit.seed``.
    sources
        Every set of the run.
    cache
        Folder of the translations.
    read
        Asked about the changed texts: tokens and soft labels are theirs, not those of the old texts.

    Raises
    ------
    ModelError
        When a list or a translation model cannot be read.
    """
    shares = [_share(config, source) for source in sources]
    if not any(shares):
        return None
    chain = _chain(config.augment, cache)
    # A row teaches every head that knows its text: it may become no text that any of them is measured by.
    held_out = frozenset(
        text.casefold()
        for source in sources
        for split, part in source.splits.items()
        if split != "train"
        for text in part.texts
    )

    def vary(epoch: int, train: Mapping[str, Rows]) -> Mapping[str, Rows]:
        result = dict(train)
        found = []
        starts: dict[str, int] = {}
        for number, (source, share) in enumerate(zip(sources, shares, strict=True)):
            start = starts.setdefault(source.head.name, 0)
            starts[source.head.name] += len(source.splits["train"])
            rng = np.random.default_rng([config.fit.seed, epoch, number, 7])
            count = round(share * len(source.splits["train"]))
            chosen = np.sort(rng.permutation(len(source.splits["train"]))[:count])
            seed = int(rng.integers(2**32))
            changed = change(source, chosen, chain, held_out, seed)
            found.append(replace(changed, positions=start + changed.positions))
        new = read([changed.source for changed in found if len(changed.positions)])
        for head, rows in new.items():
            at = np.concatenate([c.positions for c in found if c.source.head.name == head])
            result[head] = in_place(train[head], rows, at)
        return result

    return vary


def change(
    source: Source,
    chosen: Sequence[int] | NDArray[np.int64],
    chain: Sequence[Augmentation],
    held_out: frozenset[str],
    seed: int,
) -> Changed:
    """Rows of a training split in another form, where they have one.

    Parameters
    ----------
    source
        The set.
    chosen
        Positions of the rows in its training split.
    chain
        Augmentations, applied one after the other.
    held_out
        Casefolded texts no row may become: those a head is measured by.
    seed
        With a text decides its other form.
    """
    part = source.splits["train"]
    texts, positions = [], []
    for i in map(int, chosen):
        if part.targets:
            new = _about(part.texts[i], part.targets[i], chain, seed)
        else:
            made = augmented([part.texts[i]], chain, seed=seed)
            new = model_input(made[0][1]) if made else ""
        if new and new.casefold() not in held_out:
            texts.append(new)
            positions.append(i)
    at = np.array(positions, dtype=np.int64)
    rows = replace(
        part,
        texts=tuple(texts),
        labels=part.labels[at],
        targets=tuple(part.targets[i] for i in positions) if part.targets else (),
    )
    return Changed(replace(source, splits={"train": rows}), at)


def in_place(rows: Rows, new: Rows, at: NDArray[np.int64]) -> Rows:
    """Rows of which some read otherwise: tokens and soft labels are the new ones', labels stay."""
    ids = list(rows.ids)
    for position, row in zip(at.tolist(), new.ids, strict=True):
        ids[position] = row
    shared = {name: new.shared[name] for name in new.shared if name == EMBEDDING}
    return replace(
        rows,
        ids=tuple(ids),
        soft=_put(rows.soft, new.soft, at),
        before=_put(rows.before, new.before, at),
        # The labels of other heads stay, as its own does; the embedding is of the new text.
        shared=_put(rows.shared, shared, at),
    )


def _put(
    old: Mapping[str, NDArray[np.float32]],
    new: Mapping[str, NDArray[np.float32]],
    at: NDArray[np.int64],
) -> dict[str, NDArray[np.float32]]:
    whole = dict(old)
    for name, values in new.items():
        whole[name] = old[name].copy()
        whole[name][at] = values
    return whole


def _about(text: str, company: str, chain: Sequence[Augmentation], seed: int) -> str:
    """A text in another form that speaks of the same company, or nothing.

    The company's name is out of reach of the augmentations, in the form of the marker; back-translation is
    given the name, for the marker is a word of no language. What comes out must name the company where
    the marker stands, and nowhere else: a swap may have brought its name in.
    """
    marked = mark_target(text, [company])
    spoken = [_Spoken(a, company) if isinstance(a, BackTranslation) else a for a in chain]
    apart = [a.without(company) if isinstance(a, EntitySwap) else a for a in spoken]
    for _, new in augmented([marked], apart, seed=seed):
        said = new.replace(MARKER, company)
        if mark_target(said, [company]) == new:
            return said
    return ""


class _Spoken:
    """An augmentation of a marked text that reads the company's name in the marker's place."""

    def __init__(self, inner: Augmentation, company: str) -> None:
        self.name = inner.name
        self._inner, self._company = inner, company

    def augment(self, text: str, rng: random.Random) -> str:
        """The text in another form; as it was where the company is lost."""
        new = model_input(self._inner.augment(text.replace(MARKER, self._company), rng))
        marked = mark_target(new, [self._company])
        return text if marked == f"{MARKER}: {new}" else marked


def _share(config: TrainConfig, source: Source) -> float:
    if not config.heads[source.head.name].batch:
        return 0.0  # it has no rows of its own
    if source.config.augment is not None:
        return source.config.augment
    heads = config.augment.heads
    return config.augment.share if not heads or source.head.name in heads else 0.0


def _chain(config: AugmentConfig, cache: Path) -> list[Augmentation]:
    chain: list[Augmentation] = []
    for kind in dict.fromkeys(config.kinds):
        if kind == "entities":
            chain.append(EntitySwap.built_in(_path(config.companies)))
        elif kind == "numbers":
            chain.append(NumberChange())
        elif kind == "synonyms":
            chain.append(Synonyms.built_in(_path(config.synonyms)))
        else:
            away, back = Path(str(config.away)), Path(str(config.back))
            chain.append(BackTranslation.from_folders(away, back, cache))
    return chain


def _path(name: str | None) -> Path | None:
    return None if name is None else Path(name)
