"""Old news with a new date, known by its text: it was published before, long ago.

In 2008 a report of a bankruptcy of 2002 was found without a date, taken for new, and cost an airline most of
its price within minutes.
"""

from __future__ import annotations

import re
from datetime import timedelta

from monitor.domain import Article, ClassifiedArticle
from monitor.entities.fold import fold
from monitor.store import Connection, articles, weights
from monitor.stories.copies import report_key, text_key

# Routine news comes again in the same few words, so that a title by itself must say enough. What is as grave
# as can be hardly comes twice.
WORDS = 8
WORDS_OF_THE_GRAVEST = 5
GRAVEST = 5
MOST = 20  # earlier articles that are looked at
_WORD = re.compile(r"[\u3400-\u9fff]{2}|[^\W_\u3400-\u9fff]+")


def published_before(connection: Connection, item: ClassifiedArticle, age: timedelta) -> bool:
    """Say whether an article of the same text was published at least so long before this one.

    The same text is the same title and the same lead; where one of the two has no lead, a title of enough
    words.
    """
    article = item.article
    ids = weights.of_text(connection, text_key(article.title), article.published_at - age)
    others = [id_ for id_ in ids if id_ != article.id][:MOST]
    enough = _says_enough(article.title, max((risk.severity for risk in item.risks), default=0))
    return any(
        _same(article, earlier.article, enough) for earlier in articles.current(connection, others)
    )


def _same(one: Article, other: Article, title_is_enough: bool) -> bool:
    if one.lead and other.lead:
        return fold(one.lead) == fold(other.lead)
    return title_is_enough


def _says_enough(title: str, severity: int) -> bool:
    words = len(_WORD.findall(report_key(title)))
    return words >= (WORDS_OF_THE_GRAVEST if severity >= GRAVEST else WORDS)
