"""What teachers say of the training texts: soft labels for a smaller model (torch)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.bundle import load_bundle
from models.classifier import Classifier
from models.errors import ModelError
from models.labels import Head
from models.metrics import probabilities_of

_CHUNK = 512

#: Probabilities of each head, ``(texts, labels) float32``.
Soft = dict[str, NDArray[np.float32]]


def teach(
    teachers: Sequence[Path],
    heads: Sequence[Head],
    texts: Sequence[str],
    temperature: float,
    cache: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Soft:
    """Mean of the teachers' probabilities, softened (Hinton et al. 2015, section 2).

    Parameters
    ----------
    teachers
        Folders of bundles; read in float32, with the torch engine.
    heads
        To be taught; each teacher answers for those it has too.
    texts
        As `models.text.model_input` makes them.
    temperature
        Divides the logits; above 1 it shows how alike the wrong labels are.
    cache
        Folder that keeps the answers, by hash of teachers, texts and temperature.
    progress
        Told (texts done, texts in all) of each teacher.

    Raises
    ------
    ModelError
        When a bundle cannot be read, or a head has other labels there.
    """
    from safetensors.numpy import load_file, save_file

    if not heads:
        return {}
    bundles = [load_bundle(folder) for folder in teachers]
    for bundle in bundles:
        for head in heads:
            if bundle.labels.get(head.name, head.labels) != head.labels:
                raise ModelError(
                    f"{bundle.folder}: its head {head.name!r} has other labels than ours"
                )
    asked_of = (temperature, [head.name for head in heads], [b.hash for b in bundles])
    key = hashlib.sha256(repr(asked_of).encode())
    key.update("\0".join(texts).encode("utf-8", "surrogatepass"))
    path = cache / f"teachers-{key.hexdigest()[:16]}.safetensors"
    if path.is_file():
        return load_file(path)
    asked = {head.name: head.kind for head in heads}
    total: dict[str, NDArray[np.float64]] = {}
    answers = dict.fromkeys(asked, 0)
    for bundle in bundles:
        for name in bundle.labels.keys() & asked.keys():
            answers[name] += 1
        classifier = Classifier.load(bundle.folder, engine="torch")
        for start in range(0, len(texts), _CHUNK):
            logits = classifier.logits(texts[start : start + _CHUNK])
            for name, values in logits.items():
                if name in asked:
                    whole = total.setdefault(name, np.zeros((len(texts), values.shape[1])))
                    whole[start : start + _CHUNK] += probabilities_of(
                        asked[name], values, temperature
                    )
            progress(min(start + _CHUNK, len(texts)), len(texts))
    soft = {name: (values / answers[name]).astype(np.float32) for name, values in total.items()}
    cache.mkdir(parents=True, exist_ok=True)
    save_file(soft, path)
    return soft
