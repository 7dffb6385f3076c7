"""Old texts among the new ones: what the champion knows is asked of it again, so that it is not forgotten."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from models.labels import Head, HeadKind
from models.text import model_input
from monitor.domain import ClassifiedArticle
from monitor.retrain.collect import Sample, is_held_out
from monitor.retrain.plan import RetrainPlan
from monitor.stories.copies import report_key

POOL = 20_000  # of the newest stored articles, from which old texts are drawn


@dataclass(frozen=True, slots=True)
class Old:
    """A text that was read before, in a fetched set or in the news."""

    text: str
    target: str = ""
    fetched: bool = False


def old_texts(
    head: Head,
    fetched: Sequence[Sample],
    stored: Iterable[ClassifiedArticle],
    taken: frozenset[str],
    plan: RetrainPlan,
) -> list[Old]:
    """Return old texts of a head: rows of fetched sets, up to half, and stored articles.

    Parameters
    ----------
    fetched
        Training rows of the head.
    stored
        Articles that the champion read.
    taken
        Keys of texts that are learnt or measured.
    """
    ready = [each for each in fetched if each.key not in taken]
    found = [
        Old(each.text, each.target, True)
        for each in sorted(ready, key=lambda one: _place(one.text, plan.seed))
    ]
    articles: dict[str, Old] = {}
    for item in stored:
        key = report_key(item.article.title)
        if key in taken or is_held_out(key, plan.held_out):
            continue
        made = _of_article(head, item)
        if made is not None:
            articles.setdefault(key, made)
    drawn = sorted(articles.values(), key=lambda one: _place(one.text, plan.seed))
    most = plan.old if not drawn else max(plan.old // 2, plan.old - len(drawn))
    chosen = found[:most]
    return chosen + drawn[: plan.old - len(chosen)]


def _of_article(head: Head, item: ClassifiedArticle) -> Old | None:
    text = model_input(item.article.title, item.article.lead)
    if head.kind is not HeadKind.TARGET:
        return Old(text)
    return Old(text, item.mentions[0].alias) if item.mentions else None


def _place(text: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}\0{text}".encode()).digest()
