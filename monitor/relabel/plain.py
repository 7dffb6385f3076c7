"""Agreement and gold labels as JSON, the same from the API and from ``foreshock labels``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from monitor.relabel.agreement import Accuracy, Agreement
from monitor.relabel.standing import Gold


def agreement_table(heads: Iterable[Agreement], people: Iterable[Accuracy]) -> dict[str, Any]:
    """Return ``{"heads": [...], "people": [...]}``; a pair of annotators and its kappa are one entry."""
    return {
        "heads": [
            {
                **asdict(each),
                "kappa": [{"who": list(pair), "kappa": k} for pair, k in each.kappa.items()],
            }
            for each in heads
        ],
        "people": [asdict(each) for each in people],
    }


def gold_rows(found: Iterable[Gold]) -> list[dict[str, Any]]:
    """Return a row for each label that counts: its question, value, basis, and who says so."""
    names = ("article_id", "revision", "head", "company_id")
    return [
        {
            **dict(zip(names, each.question, strict=True)),
            "value": each.value,
            "basis": each.basis.value,
            "who": list(each.who),
        }
        for each in found
    ]
