"""Methods that follow gradients to the word embeddings, in torch, by captum."""

from __future__ import annotations

import numpy as np
import torch
from captum.attr import GradientShap, IntegratedGradients
from numpy.typing import NDArray
from torch import Tensor, nn

from models.explain.explanation import GAP_WARNING
from models.explain.question import Answer, Question, relative_gap
from models.explain.seeded import seeded
from models.explain.words import merge

_STEPS = (32, 128, 512)
_ROWS = 32
_SHAP_ROUNDS = 8


class Embedded:
    """The label's log-odds as a function of the word embeddings.

    The baseline is the text with every word piece masked, special tokens in place: the same
    "nothing was said" as occlusion and Kernel SHAP have.

    Parameters
    ----------
    question
        What is asked.

    Attributes
    ----------
    text, baseline
        Embeddings, ``(1, tokens, width) float32``.
    """

    def __init__(self, question: Question) -> None:
        network = question.subject.network()
        self._network = network.eval()
        self._question = question
        layer = network.encoder.get_input_embeddings()  # type: ignore[operator]
        assert isinstance(layer, nn.Module)
        self._layer = layer
        ids = torch.tensor([question.ids])
        blank = _blank_id(question)
        masked = [
            i if owner is None else blank
            for i, owner in zip(question.ids, question.owners, strict=True)
        ]
        self._ids = ids
        with torch.no_grad():
            self.text: Tensor = layer(ids).detach()
            self.baseline: Tensor = layer(torch.tensor([masked])).detach()

    def __call__(self, embeddings: Tensor) -> Tensor:
        """Log-odds, ``(rows,)``, of rows of word embeddings, ``(rows, tokens, width)``."""
        # The encoder takes ids: let it look them up, and put ours in their place.
        handle = self._layer.register_forward_hook(lambda *_: embeddings)
        try:
            features = self._network.features(self._ids.expand(len(embeddings), -1))
        finally:
            handle.remove()
        logits = self._network.logits(self._question.head, features)
        return _log_odds(logits, self._question.index, many=self._question.many)

    def difference(self) -> float:
        """What the attributions should add up to."""
        with torch.no_grad():
            text, baseline = self(torch.cat([self.text, self.baseline])).tolist()
        return float(text - baseline)


def integrated_gradients(question: Question) -> Answer:
    """Gradients along the straight way from the baseline, times the way.

    Sundararajan et al. 2017, "Axiomatic Attribution for Deep Networks", section 3; their sum is
    the difference of the log-odds (section 3, proposition 1: completeness), which is checked. The
    integral is Gauss-Legendre quadrature; its points are multiplied until the gap is small.
    """
    forward = Embedded(question)
    difference = forward.difference()
    method = IntegratedGradients(forward)
    for steps in _STEPS:
        found = method.attribute(
            forward.text.clone().requires_grad_(),
            baselines=forward.baseline,
            n_steps=steps,
            method="gausslegendre",
            internal_batch_size=_ROWS,
        )
        values = _per_token(found)
        gap = relative_gap(float(values.sum()), difference)
        if gap <= GAP_WARNING / 5:
            break
    return Answer(merge(values, question.owners, len(question.words)), gap)


def gradient_shap(question: Question) -> Answer:
    """Expected gradients: random points on the way from the baseline.

    Lundberg and Lee 2017, section 4, with the estimator of Erion et al. 2021 ("Improving
    performance of deep learning models with axiomatic attribution priors and expected gradients",
    equation 4), as captum has it. With one baseline and no noise it is `integrated_gradients` by
    chance: its gap is that of 256 samples.
    """
    forward = Embedded(question)
    method = GradientShap(forward)
    rounds = []
    with seeded(question.seed):
        for _ in range(_SHAP_ROUNDS):
            found = method.attribute(
                forward.text.clone().requires_grad_(),
                baselines=forward.baseline,
                n_samples=_ROWS,
                stdevs=0.0,
            )
            rounds.append(_per_token(found))
    values = np.mean(rounds, axis=0)
    gap = relative_gap(float(values.sum()), forward.difference())
    return Answer(merge(values, question.owners, len(question.words)), gap)


def _per_token(found: Tensor) -> NDArray[np.float64]:
    summed: NDArray[np.float64] = found.detach()[0].double().sum(dim=1).numpy()
    return summed


def _blank_id(question: Question) -> int:
    token = question.subject.token("[MASK]", "<mask>", "[PAD]", "<pad>", "[UNK]", "<unk>")
    found = None if token is None else question.subject.tokenizer.token_to_id(token)
    return 0 if found is None else int(found)


def _log_odds(logits: Tensor, index: int, *, many: bool) -> Tensor:
    """As `models.explain.question.log_odds`, for gradients to flow through."""
    if many or logits.shape[1] == 1:
        return logits[:, index]
    others = torch.cat([logits[:, :index], logits[:, index + 1 :]], dim=1)
    return logits[:, index] - torch.logsumexp(others, dim=1)
