"""The methods by name, and the one function that asks them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np

from models.errors import MissingExtraError, ModelError
from models.explain.explanation import Explanation, Word
from models.explain.question import Answer, Question
from models.explain.subject import Subject
from models.explain.words import word_spans
from models.text import model_input

if TYPE_CHECKING:
    from models.bundle import Bundle
    from models.classifier import Classifier

#: Module and function of each; loaded when asked for, since most need foreshock[train].
METHODS: Mapping[str, tuple[str, str]] = {
    "occlusion": ("models.explain.occlusion", "occlusion"),
    "ig": ("models.explain.gradients", "integrated_gradients"),
    "gradient_shap": ("models.explain.gradients", "gradient_shap"),
    "kernel_shap": ("models.explain.surrogate", "kernel_shap"),
    "lime": ("models.explain.surrogate", "lime"),
    "attention": ("models.explain.attention", "attention"),
}


def explain(
    model: Classifier | Bundle | Subject,
    text: str,
    head: str,
    label: str | None = None,
    method: str = "occlusion",
    *,
    seed: int = 0,
) -> Explanation:
    """How much each word of a text speaks for a label.

    Parameters
    ----------
    model
        A loaded classifier, whose engine is asked; a bundle, which is loaded; or a `Subject`, so
        that many explanations share one loaded model.
    text
        Any; read as `models.text.model_input` makes it. For a head about one company, with its
        marker in place.
    head
        One of the model's.
    label
        None for the most probable one.
    method
        One of `METHODS`.
    seed
        Of the methods that sample.

    Raises
    ------
    ModelError
        When head, label or method do not exist, or the text is empty.
    MissingExtraError
        When the method needs a library that is not installed.
    """
    if method not in METHODS:
        raise ModelError(f"method {method!r}: expected one of {', '.join(METHODS)}")
    subject = Subject.of(model)
    if head not in subject.labels:
        raise ModelError(
            f"no head {head!r} in {subject.name}; it has {', '.join(map(repr, subject.labels))}"
        )
    names = subject.labels[head]
    if label is not None and label not in names:
        raise ModelError(
            f"head {head!r} has no label {label!r}; it has {', '.join(map(repr, names))}"
        )
    whole = model_input(text)
    read = _as_far_as_read(subject, whole)
    if not word_spans(read):
        raise ModelError("nothing to explain: the model reads no word in this text")
    index = int(subject.logits([read])[head][0].argmax()) if label is None else names.index(label)
    question = Question(subject, read, head, index, seed)
    nothing = question.masked(np.zeros(len(question.words), dtype=np.bool_))
    full, none = question.score([read, nothing]).tolist()
    answer = _method(method)(question)
    values = dict(zip(question.words, answer.values.tolist(), strict=True))
    words = tuple(
        Word(whole[start:end], start, end, float(values.get((start, end), 0.0)))
        for start, end in word_spans(whole)
    )
    return Explanation(
        whole, head, names[index], method, subject.name, words, full, none, answer.gap
    )


def _as_far_as_read(subject: Subject, text: str) -> str:
    """The text up to the length limit, to the end of the last word that is read in part."""
    last = max((end for _, end in subject.tokenizer.encode(text).offsets), default=0)
    return text[: next((end for _, end in word_spans(text) if end >= last), last)]


def _method(name: str) -> Callable[[Question], Answer]:
    module, function = METHODS[name]
    try:
        found: Callable[[Question], Answer] = getattr(import_module(module), function)
    except ImportError as error:
        raise MissingExtraError(f"explaining by {name}", "train", error.name or "captum") from error
    return found
