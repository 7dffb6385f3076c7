"""Why the model said so: how much each word of a text speaks for a label.

`explain` asks one of `METHODS`. Occlusion needs nothing but the serving engine; the others come
with foreshock[train]. A new method is a function from a `Question` to an `Answer` and a line in
`models.explain.methods`.
"""

from __future__ import annotations

from models.explain.explanation import Explanation, Word, evidence_span
from models.explain.methods import METHODS, explain
from models.explain.subject import Subject

__all__ = ["METHODS", "Explanation", "Subject", "Word", "evidence_span", "explain"]
