"""Occlusion: what a label loses and gains by one word. Needs the serving engine only."""

from __future__ import annotations

import numpy as np

from models.explain.question import Answer, Question


def occlusion(question: Question) -> Answer:
    """Mask one word at a time, and show one word at a time; the mean of both.

    Masking is Zeiler and Fergus 2014, "Visualizing and Understanding Convolutional Networks",
    section 4.2, with words for patches. Alone it is blind where two words say the same ("beats
    forecasts, shares surge": either suffices), so that the word shown alone is measured too: the
    two are the outermost terms of its Shapley value (Lundberg and Lee 2017, equation 4). One batch
    of twice as many texts as there are words.
    """
    words = len(question.words)
    one = np.eye(words, dtype=np.bool_)
    nothing = question.masked(np.zeros(words, dtype=np.bool_))
    scores = question.score(
        [
            question.text,
            nothing,
            *(question.masked(~row) for row in one),
            *(question.masked(row) for row in one),
        ]
    )
    lost = scores[0] - scores[2 : words + 2]
    gained = scores[words + 2 :] - scores[1]
    return Answer((lost + gained) / 2)
