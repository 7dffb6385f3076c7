"""The one place where explaining touches classifiers and bundles."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.errors import MissingExtraError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from models.bundle import Bundle
    from models.classifier import Classifier
    from models.encoder import MultiHead


@dataclass(frozen=True, slots=True)
class Subject:
    """A model to be explained; make it once for many texts.

    Parameters
    ----------
    name
        For people.
    labels
        Of each head, in the order of its logits.
    many
        Heads that may give several labels at once (a sigmoid each).
    tokenizer
        Truncates as the model does.
    logits
        Texts to ``(texts, labels) float32`` of each head, by the engine that serves.
    network
        The same model in torch, in float32 on the CPU; called by the methods that need gradients
        or attention only, keeps what it loaded.
    """

    name: str
    labels: Mapping[str, tuple[str, ...]]
    many: frozenset[str]
    tokenizer: Tokenizer
    logits: Callable[[Sequence[str]], Mapping[str, NDArray[np.float32]]]
    network: Callable[[], MultiHead]

    @classmethod
    def of(cls, model: Classifier | Bundle | Subject) -> Subject:
        """Subject of a loaded classifier, or of a bundle, which is loaded."""
        from models.bundle import TOKENIZER, Bundle
        from models.classifier import Classifier
        from models.tokens import load_tokenizer

        if isinstance(model, Subject):
            return model
        classifier = Classifier.load(model.folder) if isinstance(model, Bundle) else model
        bundle = classifier.bundle
        return cls(
            name=f"{bundle.name} {bundle.version}",
            labels=bundle.labels,
            many=frozenset(head for head in bundle.labels if answers_many(bundle, head)),
            tokenizer=load_tokenizer(bundle.path(TOKENIZER), bundle.max_tokens),
            logits=classifier.logits,
            network=cache(lambda: _network(bundle)),
        )

    def token(self, *names: str) -> str | None:
        """The first of some special tokens that the tokenizer knows."""
        return next((n for n in names if self.tokenizer.token_to_id(n) is not None), None)

    @property
    def mask(self) -> str:
        """What stands for a word that is taken away; empty where the tokenizer has no such."""
        return self.token("[MASK]", "<mask>") or ""


def answers_many(bundle: Any, head: str) -> bool:
    """Whether a head of a bundle may give several labels at once.

    Bundles that do not say what kind their heads are of have single-label ones.
    """
    heads = getattr(bundle, "heads", ())
    listed: Iterable[Any] = heads.values() if isinstance(heads, Mapping) else heads
    return any(
        getattr(h, "name", None) == head and getattr(h, "kind", None) == "multi" for h in listed
    )


def _network(bundle: Bundle) -> MultiHead:
    try:
        from models.encoder import restore
    except ImportError as error:
        raise MissingExtraError("this explanation", "train", error.name or "torch") from error
    return restore(bundle)
