"""Honest probabilities: temperatures and thresholds, from the logits of the graph that serves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from models.abstain import risk_coverage, several_threshold
from models.bundle import Bundle
from models.calibrate import fit_calibration
from models.classifier import Classifier
from models.labels import HeadKind
from models.metrics import probabilities_of
from models.training.data import Source


def calibrated(draft: Bundle, own: Sequence[Source], precision: float) -> Bundle:
    """Fit each head's temperature, power and threshold on its validation split.

    Parameters
    ----------
    draft
        Written to its folder.
    own
        The first set of each head.
    precision
        Share of right answers that a head's threshold keeps, on those rows.

    Returns
    -------
    Bundle
        With them; not written.
    """
    classifier = Classifier.load(draft.folder, "openvino")
    temperatures, powers = dict(draft.temperatures), dict(draft.powers)
    thresholds = dict(draft.thresholds)
    for source in own:
        head, part = source.head, source.splits["valid"]
        if head.kind is HeadKind.TARGET:
            logits = classifier.target_logits(part.texts, [[name] for name in part.targets])
        else:
            logits = classifier.logits(part.texts)[head.name]
        truth = np.asarray(part.labels)
        temperature, power = fit_calibration(logits, truth)
        temperatures[head.name] = temperature
        if power != 1.0:
            powers[head.name] = power
        probabilities = probabilities_of(head.kind, logits, temperature, power)
        if head.kind is HeadKind.MULTI:
            thresholds[head.name] = several_threshold(truth > 0, probabilities, precision)
        else:
            thresholds[head.name] = risk_coverage(truth, probabilities).threshold(precision)
    return replace(draft, temperatures=temperatures, powers=powers, thresholds=thresholds)
