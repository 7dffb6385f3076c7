"""Which labelled sets train which head, and where they lie.

Only sets whose licence lets the project ship trained weights (MIT) are named here. Their files
stay outside the project: `data_folder` finds them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from models.errors import DataError
from models.labels import HEADS
from models.tables import Labelled, file_sha256, read_labelled

#: Default file of each task, inside ``labelled/`` of the data folder.
TASK_FILES: Mapping[str, str] = {
    "topic": "twitter_topic.csv.gz",
    "sentiment": "twitter_sentiment.csv.gz",
}
#: Headlines that name one company: their entity's sentiment is the headline's.
HEADLINES_FILE = "sentfin_entity_sentiment.csv.gz"


@dataclass(frozen=True, slots=True)
class Source:
    """One labelled set of one task.

    Parameters
    ----------
    name
        How the card calls it.
    task
        Head it trains.
    path
        Its file.
    sha256
        Hash of the file's bytes.
    text
        Column of its texts.
    licence
        As its publisher states it, where it is one of the project's own sets.
    splits
        ``train`` and ``valid``; the test split is never read for training.
    """

    name: str
    task: str
    path: Path
    sha256: str
    text: str
    licence: str
    splits: Mapping[str, Labelled]


def data_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Folder of the development data: ``$FORESHOCK_DATA``, or ``../shared/data`` by the project."""
    named = environ.get("FORESHOCK_DATA")
    if named:
        return Path(named)
    return Path(__file__).resolve().parent.parent.parent / "shared" / "data"


def load_sources(
    topic: Path | None = None, sentiment: Path | None = None, headlines: Path | None = None
) -> tuple[Source, ...]:
    """Read the training and validation splits of every task.

    Parameters
    ----------
    topic, sentiment
        Files with columns ``split``, ``text`` and the task's name; None for the data folder's.
    headlines
        Optional further sentiment set in the form of SEntFiN (``title``, ``entity``,
        ``sentiment``, ``entities_in_title``); only headlines with a single entity are read.

    Raises
    ------
    DataError
        When a file is missing or not in this form.
    """
    folder = data_folder() / "labelled"
    sources = []
    for task, given in (("topic", topic), ("sentiment", sentiment)):
        path = given or folder / TASK_FILES[task]
        if not path.is_file():
            raise DataError(
                f"{path}: no such file; name one with --{task} FILE, or set FORESHOCK_DATA to the "
                f"data folder (the one that holds labelled/{TASK_FILES[task]})"
            )
        splits = {
            split: read_labelled(path, text="text", label=task, names=HEADS[task], split=split)
            for split in ("train", "valid")
        }
        sources.append(_source(path, task, "text", splits))
    if headlines is not None:
        splits = {
            split: read_labelled(
                headlines,
                text="title",
                label="sentiment",
                names=HEADS["sentiment"],
                split=split,
                keep=lambda row: row.get("entities_in_title") == "1",
            )
            for split in ("train", "valid")
        }
        sources.append(_source(headlines, "sentiment", "title", splits))
    return tuple(sources)


def default_headlines() -> Path | None:
    """The data folder's headline set, or None where it is absent."""
    path = data_folder() / "labelled" / HEADLINES_FILE
    return path if path.is_file() else None


def _source(path: Path, task: str, text: str, splits: Mapping[str, Labelled]) -> Source:
    own = path.name in (*TASK_FILES.values(), HEADLINES_FILE)
    licence = "MIT" if own else "not stated"
    name = path.name.split(".", 1)[0]
    return Source(name, task, path, file_sha256(path), text, licence, splits)
