"""Unlabelled texts as the classifier reads them, some of them held out."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.dataset.keys import folded_key
from models.errors import DataError
from models.tables import checked_rows
from models.text import model_input


@dataclass(frozen=True, slots=True)
class Corpus:
    """Distinct texts, in the order of the files.

    Parameters
    ----------
    train, held_out
        No text of one is a text of the other, numbers and cashtags alike.
    sha256
        Of both, as hex: a run is not resumed on others.
    """

    train: tuple[str, ...]
    held_out: tuple[str, ...]
    sha256: str


def read_corpus(
    paths: Sequence[Path], columns: Sequence[str], held_out: float, seed: int
) -> Corpus:
    """Read texts and hold some out.

    Parameters
    ----------
    paths
        ``.txt`` (one text a line), ``.csv`` or ``.jsonl``, plain or gzip.
    columns
        Of tables: the title and, when there are more, what the classifier reads after it.
    held_out
        Share, in (0, 1); at least one text is held out and one is left to train on.
    seed
        Of the draw. A text keeps its side when others come or go.

    Raises
    ------
    DataError
        When a file cannot be read, lacks a column, or fewer than two different texts are found.
    """
    texts = list(dict.fromkeys(text for path in paths for text in _texts(path, columns) if text))
    keys = [folded_key(text) for text in texts]
    drawn = sorted(set(keys), key=lambda key: _sha256(f"{seed}\0{key}"))
    if len(drawn) < 2:
        raise DataError(
            f"{', '.join(map(str, paths))}: {len(drawn)} different texts; training needs one and "
            "another that is held out"
        )
    held = set(drawn[: min(max(1, round(held_out * len(drawn))), len(drawn) - 1)])
    sides: tuple[list[str], list[str]] = ([], [])
    for text, key in zip(texts, keys, strict=True):
        sides[key in held].append(text)
    whole = "\0".join("\n".join(side) for side in sides)
    return Corpus(tuple(sides[0]), tuple(sides[1]), _sha256(whole))


def _texts(path: Path, columns: Sequence[str]) -> Iterator[str]:
    if path.name.removesuffix(".gz").endswith(".txt"):
        yield from map(model_input, _lines(path))
        return
    if not columns:
        raise DataError(f"{path}: name the column of its texts with --text")
    first, *further = columns
    for _, row in checked_rows(path, columns):
        yield model_input(row[first], " ".join(row[column] for column in further))


def _lines(path: Path) -> Iterator[str]:
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8")
            if path.suffix == ".gz"
            else path.open(encoding="utf-8") as file
        ):
            yield from file
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as utf-8 text: {error}") from error


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
