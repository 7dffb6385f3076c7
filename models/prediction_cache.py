"""Predictions kept on disk by bundle and text, so that the same news is not read twice."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import orjson

from models.classifier import Prediction
from models.errors import ModelError

_SCHEMA = """
create table if not exists predictions (
  key blob primary key, said blob not null, embedding blob
) without rowid
"""
_ASKED = 500  # keys per query


class PredictionCache:
    """One SQLite file. May be used from several threads, and several processes.

    What a bundle says of a text never changes: entries are found by the bundle's hash, the engine and the
    text, and stay valid for ever. An answer from the cache is the answer it was made from, to the last bit.

    Parameters
    ----------
    path
        Made where it is missing, with its folder.

    Raises
    ------
    ModelError
        The file cannot be opened, or is no such cache.

    Examples
    --------
    >>> import tempfile
    >>> from contextlib import closing
    >>> with tempfile.TemporaryDirectory() as folder, closing(PredictionCache(Path(folder) / "c.db")) as kept:
    ...     read = lambda texts: [Prediction(topic=text.upper(), topic_probability=0.5) for text in texts]
    ...     kept.through("bundle", ["a", "b"], lambda wanted: read([["a", "b"][i] for i in wanted]))[1].topic
    ...     kept.through("bundle", ["b"], lambda wanted: 1 / 0)[0].topic
    'B'
    'B'
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, check_same_thread=False, timeout=60)
            self._db.execute("pragma journal_mode=wal")
            self._db.execute("pragma synchronous=off")  # a lost entry is computed again
            self._db.execute(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise ModelError(
                f"{path}: cannot keep predictions there ({error}); name another file"
            ) from error

    def through(
        self,
        asked_of: str,
        texts: Sequence[str],
        predict: Callable[[Sequence[int]], Sequence[Prediction]],
    ) -> list[Prediction]:
        """Return the prediction of each text; ask for those that are not here.

        Parameters
        ----------
        asked_of
            Who answers, and what the question is.
        texts
            What it depends on besides.
        predict
            Gets the positions that are not here, returns their predictions in that order.
        """
        keys = [_key(asked_of, text) for text in texts]
        known = self._load(list(dict.fromkeys(keys)))
        missing: dict[bytes, int] = {}
        for at, key in enumerate(keys):
            if key not in known:
                missing.setdefault(key, at)
        if missing:
            found = predict(list(missing.values()))
            new = dict(zip(missing, found, strict=True))
            self._save(new)
            known |= new
        return [known[key] for key in keys]

    def close(self) -> None:
        self._db.close()

    def _load(self, keys: list[bytes]) -> dict[bytes, Prediction]:
        known: dict[bytes, Prediction] = {}
        for start in range(0, len(keys), _ASKED):
            part = keys[start : start + _ASKED]
            places = ",".join("?" * len(part))
            with self._lock:
                rows = self._db.execute(
                    f"select key, said, embedding from predictions where key in ({places})",
                    part,
                ).fetchall()
            known |= {key: _decoded(said, embedding) for key, said, embedding in rows}
        return known

    def _save(self, new: dict[bytes, Prediction]) -> None:
        rows = [(key, *_encoded(prediction)) for key, prediction in new.items()]
        with self._lock, self._db:
            self._db.executemany("insert or ignore into predictions values (?, ?, ?)", rows)


def _key(asked_of: str, text: str) -> bytes:
    name = f"{asked_of}\0{text}".encode("utf-8", "backslashreplace")
    return hashlib.blake2b(name, digest_size=16).digest()


def _encoded(prediction: Prediction) -> tuple[bytes, bytes | None]:
    vector = prediction.embedding
    said = {
        name: getattr(prediction, name)
        for name in Prediction.__dataclass_fields__
        if name not in ("embedding", "unsure")
    }
    said["unsure"] = sorted(prediction.unsure)
    return orjson.dumps(said), None if vector is None else vector.astype(np.float32).tobytes()


def _decoded(said: bytes, embedding: bytes | None) -> Prediction:
    fields = orjson.loads(said)
    moods = fields.pop("sentiment_probabilities")
    return Prediction(
        **{**fields, "unsure": frozenset(fields["unsure"])},
        sentiment_probabilities=None if moods is None else tuple(moods),
        embedding=None if embedding is None else np.frombuffer(embedding, dtype=np.float32),
    )
