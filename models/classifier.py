"""Texts in, predictions out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.bundle import TOKENIZER, Bundle, load_bundle
from models.engines import Engine
from models.engines.choice import choose_engine
from models.errors import BundleError
from models.labels import EMBEDDING, SENTIMENTS, HeadKind, sentiment_score
from models.metrics import probabilities_of
from models.targets import mark_target, unmarked
from models.tokens import Ids, encode, equal_length_batches, load_tokenizer


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the model read in one text; every field is None when it did not read it.

    Parameters
    ----------
    topic, topic_probability
        Most probable topic, and its calibrated probability.
    sentiment, sentiment_probabilities
        Most probable sentiment; P(negative), P(neutral), P(positive), calibrated.
    unsure
        Heads whose answer is less probable than the bundle's threshold: a person should look.
    events
        Risk events at least as probable as the bundle's threshold, with their calibrated
        probabilities, most probable first.
    embedding
        Of unit length, ``(width,) float32``, in the bundle's `embedding_space`.
    model_version, bundle_hash
        Of the bundle that read it: its name and version, and its hash.
    """

    topic: str | None = None
    topic_probability: float | None = None
    sentiment: str | None = None
    sentiment_probabilities: tuple[float, float, float] | None = None
    unsure: frozenset[str] = frozenset()
    events: Mapping[str, float] = field(default_factory=dict)
    embedding: NDArray[np.float32] | None = field(default=None, compare=False, repr=False)
    model_version: str | None = None
    bundle_hash: str | None = None

    @property
    def read(self) -> bool:
        """Whether the model read the text."""
        return self.topic is not None or self.sentiment is not None

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
        readable = [i for i, text in enumerate(texts) if _is_text(text)]
        if languages is not None:
            listed = {None, *self.bundle.languages}
            readable = [i for i in readable if languages[i] in listed]
        predictions = [_NOT_READ] * len(texts)
        if readable:
            found = self.outputs([texts[i] for i in readable])
            for i, prediction in zip(readable, self._predictions(found), strict=True):
                predictions[i] = prediction
        return predictions

    def predict_with_targets(
        self, texts: Sequence[str], asked: Sequence[tuple[int, Sequence[str]]]
    ) -> tuple[list[Prediction], list[Prediction]]:
        """As `predict`, and `predict_targets` of some of the texts, in one pass of the engine.

        Parameters
        ----------
        asked
            Numbers of texts, and the names of the company to ask about. Of a text that is not read, neither
            is the company.
        """
        readable = [i for i, text in enumerate(texts) if _is_text(text)]
        about = [place for place, (i, _) in enumerate(asked) if _is_text(texts[i])]
        predictions, answers = [_NOT_READ] * len(texts), [_NOT_READ] * len(asked)
        if not readable:
            return predictions, answers
        marked = [mark_target(texts[i], names) for i, names in (asked[place] for place in about)]
        found = self._outputs([*(unmarked(texts[i]) for i in readable), *marked])
        whole = {name: values[: len(readable)] for name, values in found.items()}
        for i, prediction in zip(readable, self._predictions(whole), strict=True):
            predictions[i] = prediction
        if about:
            told = self._answers(found[self._target_head()][len(readable) :])
            for place, answer in zip(about, told, strict=True):
                answers[place] = answer
        return predictions, answers

    def _predictions(self, found: dict[str, NDArray[np.float32]]) -> Sequence[Prediction]:
        embeddings = found.pop(EMBEDDING, None)
        return self._decode(self._calibrated(found), embeddings)

    def outputs(self, texts: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """What one pass gives: raw logits of each head ``(texts, labels) float32``, and where the bundle
        has an embedding space, ``embedding``: ``(texts, width) float32`` of unit length."""
        return self._outputs([unmarked(text) for text in texts])

    def logits(self, texts: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Raw logits of each head, ``(texts, labels) float32``."""
        found = self.outputs(texts)
        found.pop(EMBEDDING, None)
        return found

    @property
    def reads_targets(self) -> bool:
        """Whether the bundle can be asked about one company of a text."""
        return any(
            head.kind is HeadKind.TARGET and head.labels == SENTIMENTS for head in self.bundle.heads
        )

    @property
    def reads_events(self) -> bool:
        """Whether the bundle reads any number of risk events."""
        return any(h.name == "risk" and h.kind is HeadKind.MULTI for h in self.bundle.heads)

    def predict_targets(
        self, texts: Sequence[str], names: Sequence[Sequence[str]]
    ) -> list[Prediction]:
        """Sentiment towards one company per text; see `target_probabilities`. Topics are None."""
        return self._answers(self.target_logits(texts, names))

    def _answers(self, logits: NDArray[np.float32]) -> list[Prediction]:
        found = self.calibrated(self._target_head(), logits)
        least = self.bundle.thresholds[self._target_head()]
        return [
            Prediction(
                sentiment=SENTIMENTS[best],
                sentiment_probabilities=(low, middle, high),
                unsure=frozenset({"target"} if max(low, middle, high) < least else ()),
                model_version=self.bundle.model_version,
                bundle_hash=self.bundle.hash,
            )
            for best, (low, middle, high) in zip(
                found.argmax(axis=1).tolist(), found.tolist(), strict=True
            )
        ]

    def target_probabilities(
        self, texts: Sequence[str], names: Sequence[Sequence[str]]
    ) -> NDArray[np.float64]:
        """Sentiment towards one company per text: a second pass, with the company marked.

        Parameters
        ----------
        texts
            As `models.text.model_input` makes them.
        names
            Of each text, the names of the company as they may stand in it.

        Returns
        -------
        NDArray
            P(negative), P(neutral), P(positive), calibrated, ``(texts, 3) float64``.

        Raises
        ------
        BundleError
            When the bundle has no target head.
        """
        return self.calibrated(self._target_head(), self.target_logits(texts, names))

    def target_logits(
        self, texts: Sequence[str], names: Sequence[Sequence[str]]
    ) -> NDArray[np.float32]:
        """Raw logits behind `target_probabilities`, ``(texts, labels) float32``."""
        head = self._target_head()
        marked = [mark_target(text, each) for text, each in zip(texts, names, strict=True)]
        return self._outputs(marked)[head]

    def _target_head(self) -> str:
        for head in self.bundle.heads:
            if head.kind is HeadKind.TARGET:
                return head.name
        raise BundleError(f"{self.bundle.name} has no head for the sentiment towards a company")

    def _outputs(self, texts: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        result: dict[str, NDArray[np.float32]] = {}
        for start, ids in self._tokenised(texts):
            batches = list(equal_length_batches(ids, self._engine.token_budget))
            computed = self._engine.run([rows for _, rows in batches])
            for (positions, _), values in zip(batches, computed, strict=True):
                places = np.asarray(positions) + start
                for name, part in zip(self.bundle.outputs, values, strict=True):
                    if name not in result:
                        result[name] = np.empty((len(texts), part.shape[1]), dtype=np.float32)
                    result[name][places] = part
        if EMBEDDING in result:
            lengths = np.linalg.norm(result[EMBEDDING], axis=1, keepdims=True)
            result[EMBEDDING] /= np.maximum(lengths, 1e-12)
        return result

    def _tokenised(self, texts: Sequence[str]) -> Iterator[tuple[int, list[Ids]]]:
        """Where each window of texts starts, and its token ids: the next is read while one is computed."""
        window = self._engine.window or max(1, len(texts))
        if len(texts) <= window:
            yield 0, encode(self._tokenizer, texts)
            return
        with ThreadPoolExecutor(1, "tokenise") as ahead:
            starts = range(0, len(texts), window)
            read = ahead.submit(encode, self._tokenizer, texts[:window])
            for start in starts:
                ids = read.result()
                end = start + window
                read = ahead.submit(encode, self._tokenizer, texts[end : end + window])
                yield start, ids

    def probabilities(self, texts: Sequence[str]) -> dict[str, NDArray[np.float64]]:
        """Calibrated probabilities of each head, ``(texts, labels) float64``."""
        return self._calibrated(self.logits(texts))

    def calibrated(self, head: str, logits: NDArray[np.floating]) -> NDArray[np.float64]:
        """Probabilities of one head's logits, by the temperature and power of the bundle."""
        kind = next(each.kind for each in self.bundle.heads if each.name == head)
        power = self.bundle.powers.get(head, 1.0)
        return probabilities_of(kind, logits, self.bundle.temperatures[head], power)

    def _calibrated(
        self, logits: Mapping[str, NDArray[np.float32]]
    ) -> dict[str, NDArray[np.float64]]:
        return {head: self.calibrated(head, values) for head, values in logits.items()}

    def _decode(
        self,
        probabilities: Mapping[str, NDArray[np.float64]],
        embeddings: NDArray[np.float32] | None,
    ) -> list[Prediction]:
        labels = self.bundle.labels
        topics, moods = probabilities.get("topic"), probabilities.get("sentiment")
        if moods is not None and labels["sentiment"] != SENTIMENTS:
            moods = None  # another question under the same name
        count = len(next(iter(probabilities.values())))
        topic: list[tuple[str | None, float | None]] = [(None, None)] * count
        if topics is not None:
            best = topics.argmax(axis=1).tolist()
            topic = [
                (labels["topic"][number], probability)
                for number, probability in zip(best, topics.max(axis=1).tolist(), strict=True)
            ]
        mood: list[tuple[str | None, tuple[float, float, float] | None]] = [(None, None)] * count
        if moods is not None:
            best = moods.argmax(axis=1).tolist()
            mood = [
                (SENTIMENTS[number], (low, middle, high))
                for number, (low, middle, high) in zip(best, moods.tolist(), strict=True)
            ]
        least = self.bundle.thresholds
        events = self._events(probabilities.get("risk"), count)
        vectors: Sequence[NDArray[np.float32] | None] = [None] * count
        if embeddings is not None:
            vectors = list(embeddings)
        return [
            Prediction(
                *first,
                *second,
                unsure=frozenset(
                    head
                    for head, sure in (
                        ("topic", first[1]),
                        ("sentiment", None if second[1] is None else max(second[1])),
                    )
                    if sure is not None and sure < least[head]
                ),
                events=told,
                embedding=vector,
                model_version=self.bundle.model_version,
                bundle_hash=self.bundle.hash,
            )
            for first, second, told, vector in zip(topic, mood, events, vectors, strict=True)
        ]

    def _events(self, found: NDArray[np.float64] | None, count: int) -> list[dict[str, float]]:
        """Risk events of each text that are probable enough, most probable first."""
        events: list[dict[str, float]] = [{} for _ in range(count)]
        if found is None or not self.reads_events:
            return events
        rows, columns = np.nonzero(found >= self.bundle.thresholds["risk"])
        values = found[rows, columns]
        for at in np.argsort(-values, kind="stable").tolist():
            events[rows[at]][self.bundle.labels["risk"][columns[at]]] = float(values[at])
        return events


def _is_text(text: str) -> bool:
    return bool(text) and not text.isspace()
