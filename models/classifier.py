"""Texts in, predictions out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.bundle import TOKENIZER, Bundle, load_bundle
from models.engines import Engine
from models.engines.choice import choose_engine
from models.errors import BundleError
from models.labels import sentiment_score
from models.metrics import softmax
from models.tokens import encode, equal_length_batches, load_tokenizer


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the model read in one text; every field is None when it did not read it.

    Parameters
    ----------
    topic, topic_probability
        Most probable topic, and its calibrated probability.
    sentiment, sentiment_probabilities
        Most probable sentiment; P(negative), P(neutral), P(positive), calibrated.
    """

    topic: str | None = None
    topic_probability: float | None = None
    sentiment: str | None = None
    sentiment_probabilities: tuple[float, float, float] | None = None

    @property
    def score(self) -> float | None:
        """P(positive) - P(negative), in [-1, 1]; None when the model did not read the text."""
        if self.sentiment_probabilities is None:
            return None
        return sentiment_score(self.sentiment_probabilities)


_NOT_READ = Prediction()


class Classifier:
    """A loaded bundle. `predict` may be called from several threads.

    Parameters
    ----------
    bundle
        Verified.
    engine
        Computes the logits.
    engine_reason
        Which engine and why, for the log.
    """

    def __init__(self, bundle: Bundle, engine: Engine, engine_reason: str) -> None:
        self.bundle = bundle
        self.engine_name = engine.name
        self.engine_detail = engine.detail
        self.engine_reason = engine_reason
        self._engine = engine
        try:
            self._tokenizer = load_tokenizer(bundle.path(TOKENIZER), bundle.max_tokens)
        except Exception as error:  # tokenizers raises plain Exception
            raise BundleError(f"{bundle.path(TOKENIZER)}: not a tokenizer: {error}") from error

    @classmethod
    def load(
        cls, bundle: Path | None = None, engine: str = "auto", threads: int | None = None
    ) -> Classifier:
        """Load and verify a bundle and choose its engine.

        Parameters
        ----------
        bundle
            Its folder; None for the shipped one.
        engine
            ``auto``, ``openvino`` or ``torch``.
        threads
            CPU threads; None for every core.

        Raises
        ------
        BundleError
            When the bundle is missing or does not match its hashes.
        """
        verified = load_bundle(bundle)
        chosen, reason = choose_engine(verified, engine, threads)
        return cls(verified, chosen, reason)

    def predict(
        self, texts: Sequence[str], languages: Sequence[str | None] | None = None
    ) -> list[Prediction]:
        """Classify texts.

        A text's prediction depends on that text alone: not on the others, their number or order.

        Parameters
        ----------
        texts
            As `models.text.model_input` makes them.
        languages
            ISO 639-1 code of each text; None, for all or for one, takes it as readable.

        Returns
        -------
        list of Prediction
            In the order of `texts`. Empty texts, and those in a language the bundle does not
            list, are not read.

        Raises
        ------
        ValueError
            When `languages` has another length than `texts`.
        """
        if languages is not None and len(languages) != len(texts):
            raise ValueError(f"{len(texts)} texts but {len(languages)} languages")
        readable = [i for i, text in enumerate(texts) if text and not text.isspace()]
        if languages is not None:
            listed = {None, *self.bundle.languages}
            readable = [i for i in readable if languages[i] in listed]
        predictions = [_NOT_READ] * len(texts)
        if readable:
            probabilities = self.probabilities([texts[i] for i in readable])
            for i, prediction in zip(readable, self._decode(probabilities), strict=True):
                predictions[i] = prediction
        return predictions

    def logits(self, texts: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Raw logits of each head, ``(texts, labels) float32``."""
        ids = encode(self._tokenizer, texts)
        batches = list(equal_length_batches(ids, self._engine.token_budget))
        computed = self._engine.run([rows for _, rows in batches])
        result = {
            head: np.empty((len(texts), len(names)), dtype=np.float32)
            for head, names in self.bundle.labels.items()
        }
        for (positions, _), logits in zip(batches, computed, strict=True):
            for head, values in zip(result, logits, strict=True):
                result[head][positions] = values
        return result

    def probabilities(self, texts: Sequence[str]) -> dict[str, NDArray[np.float64]]:
        """Calibrated probabilities of each head, ``(texts, labels) float64``."""
        return {
            head: softmax(values, self.bundle.temperatures[head])
            for head, values in self.logits(texts).items()
        }

    def _decode(self, probabilities: dict[str, NDArray[np.float64]]) -> list[Prediction]:
        topics, sentiments = self.bundle.labels["topic"], self.bundle.labels["sentiment"]
        best = probabilities["topic"].argmax(axis=1)
        moods = probabilities["sentiment"]
        rows = zip(
            best.tolist(),
            probabilities["topic"].max(axis=1).tolist(),
            moods.argmax(axis=1).tolist(),
            moods.tolist(),
            strict=True,
        )
        return [
            Prediction(topics[topic], probability, sentiments[mood], (low, middle, high))
            for topic, probability, mood, (low, middle, high) in rows
        ]
