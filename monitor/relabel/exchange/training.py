"""The labels that count, as a labelled set that ``foreshock train`` reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from models.dataset.splits import split_rows
from models.labels import Head, HeadKind
from models.text import model_input
from monitor.domain import ERASED, ClassifiedArticle
from monitor.relabel.standing import Gold


def training_rows(
    decided: Iterable[Gold],
    items: Mapping[tuple[str, str], ClassifiedArticle],
    head: Head,
    seed: int,
) -> list[dict[str, str]]:
    """Return a row for each label of a head that counts, with a leak-free split.

    Columns split, the head's name, for a head that is asked about a company ``company`` (as the text calls
    it), text, and what says where the label is from: basis, who, article_id, revision.

    Raises
    ------
    DataError
        There are too few texts for a train, a valid and a test split.
    """
    rows = []
    for gold in sorted(decided, key=lambda each: tuple(map(str, each.question))):
        article_id, revision, name, company = gold.question
        item = items.get((article_id, revision))
        if name != head.name or item is None or item.article.title == ERASED:
            continue
        row = {head.name: gold.value}
        if head.kind is HeadKind.TARGET:
            aliases = [each.alias for each in item.mentions if each.company_id == company]
            if not aliases:
                continue  # the watchlist no longer finds it in the text
            row["company"] = aliases[0]
        row["text"] = model_input(item.article.title, item.article.lead)
        row |= {"basis": gold.basis.value, "who": " ".join(gold.who)}
        rows.append({**row, "article_id": article_id, "revision": revision})
    if not rows:
        return []
    splits = split_rows([row["text"] for row in rows], [row[head.name] for row in rows], seed=seed)
    return [{"split": split, **row} for split, row in zip(splits.names, rows, strict=True)]
