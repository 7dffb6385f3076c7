"""Several bundles as one classifier: every text is read by the bundle of its language."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from models.classifier import Classifier, Prediction
from models.errors import BundleError
from models.prediction_cache import PredictionCache


class Router:
    """Sends each text to the bundle that lists its language. May be called from several threads.

    Parameters
    ----------
    classifiers
        Loaded. The first reads the texts whose language is not known as well.
    cache
        Where predictions are kept and looked for; None: every text is read.

    Raises
    ------
    BundleError
        When two of them list one language.
    """

    def __init__(
        self, classifiers: Sequence[Classifier], cache: PredictionCache | None = None
    ) -> None:
        if not classifiers:
            raise BundleError("no bundle to classify with")
        self.classifiers = tuple(classifiers)
        self.cache = cache
        self._by_language: dict[str | None, Classifier] = {None: self.main}
        for classifier in self.classifiers:
            for language in classifier.bundle.languages:
                other = self._by_language.setdefault(language, classifier)
                if other is not classifier:
                    raise BundleError(
                        f"two bundles read {language!r}: {other.bundle.folder} and "
                        f"{classifier.bundle.folder}; leave one out, or train it for other `languages`"
                    )

    @classmethod
    def load(
        cls,
        bundles: Sequence[Path | None] = (None,),
        engine: str = "auto",
        threads: int | None = None,
        cache: Path | None = None,
    ) -> Router:
        """Load bundles and choose their engines; see `Classifier.load` and `PredictionCache`."""
        kept = None if cache is None else PredictionCache(cache)
        return cls([Classifier.load(bundle, engine, threads) for bundle in bundles], kept)

    @property
    def main(self) -> Classifier:
        """The first: it stands for the whole where a text is read by none."""
        return self.classifiers[0]

    def with_main(self, champion: Classifier) -> Router:
        """Return the same with another first bundle."""
        return Router([champion, *self.classifiers[1:]], self.cache)

    @property
    def languages(self) -> frozenset[str]:
        """ISO 639-1 codes that are read."""
        return frozenset(code for c in self.classifiers for code in c.bundle.languages)

    def predict(
        self, texts: Sequence[str], languages: Sequence[str | None] | None = None
    ) -> list[Prediction]:
        """Classify texts; each depends on itself alone, whichever bundles read the others.

        Parameters
        ----------
        texts
            As `models.text.model_input` makes them.
        languages
            ISO 639-1 code of each text; None, for all or for one, is read by the first bundle.

        Returns
        -------
        list of Prediction
            In the order of `texts`, each with the version and hash of the bundle that read it.

        Raises
        ------
        ValueError
            When `languages` has another length than `texts`.
        """
        predictions = [Prediction()] * len(texts)
        for classifier, chosen in self._parts(len(texts), languages):
            found = self._ask(classifier, [texts[i] for i in chosen])
            for i, prediction in zip(chosen, found, strict=True):
                predictions[i] = prediction
        return predictions

    def predict_with_targets(
        self,
        texts: Sequence[str],
        languages: Sequence[str | None],
        asked: Sequence[tuple[int, Sequence[str]]],
    ) -> tuple[list[Prediction], list[Prediction]]:
        """As `predict`, and `predict_targets` of some of the texts, in one pass where nothing is cached.

        Parameters are those of `predict`; numbers of texts with the names of the company to ask about.
        """
        if self.cache is not None:
            numbers = [i for i, _ in asked]
            return self.predict(texts, languages), self.predict_targets(
                [texts[i] for i in numbers],
                [names for _, names in asked],
                [languages[i] for i in numbers],
            )
        predictions, answers = [Prediction()] * len(texts), [Prediction()] * len(asked)
        for classifier, chosen in self._parts(len(texts), languages):
            place = {i: at for at, i in enumerate(chosen)}
            about = [n for n, (i, _) in enumerate(asked) if i in place and classifier.reads_targets]
            found, told = classifier.predict_with_targets(
                [texts[i] for i in chosen],
                [(place[i], names) for i, names in (asked[n] for n in about)],
            )
            for i, prediction in zip(chosen, found, strict=True):
                predictions[i] = prediction
            for n, answer in zip(about, told, strict=True):
                answers[n] = answer
        return predictions, answers

    def predict_targets(
        self,
        texts: Sequence[str],
        names: Sequence[Sequence[str]],
        languages: Sequence[str | None] | None = None,
    ) -> list[Prediction]:
        """Sentiment towards one company per text; not read where its bundle has no head for that.

        Parameters are those of `predict`, and the names of the company of each text.
        """
        predictions = [Prediction()] * len(texts)
        for classifier, chosen in self._parts(len(texts), languages):
            if classifier.reads_targets:
                found = self._ask(
                    classifier, [texts[i] for i in chosen], [names[i] for i in chosen]
                )
                for i, prediction in zip(chosen, found, strict=True):
                    predictions[i] = prediction
        return predictions

    def _ask(
        self,
        classifier: Classifier,
        texts: Sequence[str],
        names: Sequence[Sequence[str]] | None = None,
    ) -> Sequence[Prediction]:
        """Ask one bundle about texts, or about the company of these names in each, or the cache for it."""

        def read(part: Sequence[int]) -> Sequence[Prediction]:
            chosen = [texts[i] for i in part]
            if names is None:
                return classifier.predict(chosen)
            return classifier.predict_targets(chosen, [names[i] for i in part])

        if self.cache is None:
            return read(range(len(texts)))
        what = "texts" if names is None else "targets"
        asked_of = f"{what}\0{classifier.bundle.hash}\0{classifier.engine_name}"
        if names is not None:
            texts_asked = [
                "\0".join((text, *each)) for text, each in zip(texts, names, strict=True)
            ]
        else:
            texts_asked = list(texts)
        return self.cache.through(asked_of, texts_asked, read)

    def _parts(
        self, count: int, languages: Sequence[str | None] | None
    ) -> Iterator[tuple[Classifier, list[int]]]:
        """Each bundle with the positions it reads."""
        languages = [None] * count if languages is None else languages
        if len(languages) != count:
            raise ValueError(f"{count} texts but {len(languages)} languages")
        for classifier in self.classifiers:
            chosen = [
                i for i, code in enumerate(languages) if self._by_language.get(code) is classifier
            ]
            if chosen:
                yield classifier, chosen
