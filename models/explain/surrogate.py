"""Simple models of the model around one text: Kernel SHAP and LIME, by captum.

Both mask words at random and ask the serving engine, so they explain what serves, int8 or not.
"""

from __future__ import annotations

import numpy as np
import torch
from captum._utils.models.linear_model import SkLearnLasso
from captum.attr import KernelShap, Lime
from captum.attr._core.lime import get_exp_kernel_similarity_function
from torch import Tensor

from models.explain.question import Answer, Question, relative_gap
from models.explain.seeded import seeded

_ROWS = 64
# Ribeiro's own code for texts: kernel width 25 over 100 times the cosine distance, without the 2
# that captum divides by.
_LIME_WIDTH = 0.25 / 2**0.5
_LIME_PENALTY = 0.001


def kernel_shap(question: Question) -> Answer:
    """Shapley values of the words by weighted regression.

    Lundberg and Lee 2017, "A Unified Approach to Interpreting Model Predictions", section 4.1,
    theorem 2. The values add up to the difference from the text with every word masked (local
    accuracy); with up to 1,024 samples they are estimates.
    """
    words = len(question.words)
    if words == 1:  # one word has the whole difference, and captum cannot sample subsets of it
        full, none = _ends(question)
        return Answer(np.array([full - none]), 0.0)
    with seeded(question.seed):
        found = KernelShap(_forward(question)).attribute(
            torch.ones(1, words),
            baselines=0,
            n_samples=_samples(words),
            perturbations_per_eval=_ROWS,
        )
    values = found[0].double().numpy()
    full, none = _ends(question)
    return Answer(values, relative_gap(float(values.sum()), full - none))


def lime(question: Question) -> Answer:
    """Weights of a sparse linear model fitted close to the text.

    Ribeiro et al. 2016, "Why Should I Trust You?", section 3.4: random words masked, samples
    weighted by an exponential kernel over cosine distance, fitted with a lasso.
    """
    words = len(question.words)
    with seeded(question.seed):
        method = Lime(
            _forward(question),
            interpretable_model=SkLearnLasso(alpha=_LIME_PENALTY),
            similarity_func=get_exp_kernel_similarity_function("cosine", _LIME_WIDTH),
        )
        found = method.attribute(
            torch.ones(1, words),
            baselines=0,
            n_samples=_samples(words),
            perturbations_per_eval=_ROWS,
        )
    return Answer(found[0].double().numpy())


def _samples(words: int) -> int:
    return min(1_024, max(64, 32 * words))


def _forward(question: Question) -> _Forward:
    return _Forward(question)


class _Forward:
    """From rows of words kept (1) or masked (0), ``(rows, words)``, to log-odds, ``(rows,)``."""

    def __init__(self, question: Question) -> None:
        self._question = question

    def __call__(self, present: Tensor) -> Tensor:
        rows = present.numpy() > 0.5
        scores = self._question.score([self._question.masked(row) for row in rows])
        return torch.from_numpy(scores.astype(np.float32))


def _ends(question: Question) -> tuple[float, float]:
    nothing = question.masked(np.zeros(len(question.words), dtype=np.bool_))
    full, none = question.score([question.text, nothing]).tolist()
    return full, none
