"""There and back through another language: the same news in other words.

Sennrich, Haddow and Birch 2016, "Improving Neural Machine Translation Models with Monolingual
Data", section 3, gave back-translation its name; Xie et al. 2020, "Unsupervised Data Augmentation",
section 2.2, use it so.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from models.errors import BundleError, MissingExtraError
from models.hashes import file_sha256

#: Texts in one language to the same texts in another.
Translate = Callable[[Sequence[str]], Sequence[str]]
_FIXED = re.compile(r"\d+(?:[.,]\d+)*|\$[A-Za-z][A-Za-z.]*")
_NOT = re.compile(r"\b(?:no|not|never|without|\w+n't)\b", re.IGNORECASE)
_MAX_TOKENS = 128


class BackTranslation:
    """Translates a text away and back, and remembers the answer on disk.

    An answer that lost or changed a number, a cashtag or a negation is not used: the label may have
    hung on it. Deterministic where the translations are; nothing is drawn from `rng`.

    Parameters
    ----------
    away, back
        The two translations.
    identity
        What they are, hashed into the cache's keys: other models, other answers.
    cache
        Folder of the answers, one small file each; safe to share between processes.
    """

    name = "back_translation"

    def __init__(self, away: Translate, back: Translate, identity: str, cache: Path) -> None:
        self._away, self._back = away, back
        self._identity = identity
        self._cache = cache

    @classmethod
    def from_folders(cls, away: Path, back: Path, cache: Path) -> BackTranslation:
        """With two local transformers translation models (seq2seq, safetensors).

        Raises
        ------
        MissingExtraError
            When torch or transformers is not installed.
        BundleError
            When a folder holds no such model.
        """
        identity = " ".join(_weights_hash(folder) for folder in (away, back))
        return cls(_translator(away), _translator(back), identity, cache)

    def augment(self, text: str, rng: random.Random) -> str:
        """The text in other words; see `models.dataset.augment.Augmentation`."""
        if not text.strip():
            return text
        path = self._path(text)
        try:
            new = path.read_text(encoding="utf-8")
        except OSError:
            away = self._away([text])[0]
            # A translation of nothing is no text a model takes.
            new = " ".join(self._back([away])[0].split()) if away.strip() else ""
            self._remember(path, new)
        kept = Counter(_FIXED.findall(new)) == Counter(_FIXED.findall(text))
        same_sense = bool(_NOT.search(new)) == bool(_NOT.search(text))
        return new if new and kept and same_sense else text

    def _path(self, text: str) -> Path:
        material = f"{self._identity}\0{text}".encode("utf-8", "backslashreplace")
        key = hashlib.sha256(material).hexdigest()
        return self._cache / key[:2] / f"{key}.txt"

    def _remember(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{random.getrandbits(48):x}.part")
        try:
            part.write_text(text, encoding="utf-8", errors="backslashreplace")
            part.replace(path)
        finally:
            with suppress(OSError):
                part.unlink()


def _weights_hash(folder: Path) -> str:
    try:
        return file_sha256(folder / "model.safetensors")
    except OSError as error:
        raise BundleError(
            f"{folder / 'model.safetensors'}: {error.strerror}; name the folder of a local "
            "translation model in safetensors (pickled weights are not read)"
        ) from error


def _translator(folder: Path) -> Translate:
    try:
        import torch
        from transformers import AutoModelForSeq2SeqLM, AutoTokenizer
    except ImportError as error:
        raise MissingExtraError(
            "back-translation", "train", error.name or "transformers"
        ) from error
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
        model = AutoModelForSeq2SeqLM.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, trust_remote_code=False
        ).eval()
    except (OSError, ValueError, KeyError) as error:
        raise BundleError(
            f"{folder}: no translation model that can be read: {str(error).splitlines()[0]}"
        ) from error

    def translate(texts: Sequence[str]) -> list[str]:
        batch = tokenizer(
            list(texts), return_tensors="pt", padding=True, truncation=True, max_length=_MAX_TOKENS
        )
        batch.pop("token_type_ids", None)
        with torch.inference_mode():
            # Greedy, so that a text has one answer.
            made = model.generate(**batch, do_sample=False, num_beams=1, max_new_tokens=_MAX_TOKENS)
        return list(tokenizer.batch_decode(made, skip_special_tokens=True))

    return translate
