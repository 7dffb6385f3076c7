"""What a source has brought before: a re-read feed re-appends only what is new or changed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from monitor.domain import Article


class Repeats:
    """The newest (id, revision) pairs of one source, bounded; the least recently seen go first.

    It saves work and is no guarantee: a forgotten pair is appended again and the store counts it as
    a repeat. Remember an article only once its append is durable, or a failed append would lose it.

    Parameters
    ----------
    max_items
        How many pairs are kept, about 150 bytes each.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> at = datetime(2026, 1, 5, tzinfo=UTC)
    >>> article = Article("a", "1", "wire", "wire", None, "Profit falls", "", "en", at, at)
    >>> repeats = Repeats()
    >>> repeats.fresh([article, article]) == [article]
    True
    >>> repeats.remember([article]); repeats.fresh([article])
    []
    """

    def __init__(self, max_items: int = 10_000) -> None:
        if max_items < 1:
            raise ValueError(f"max_items must be at least 1, not {max_items}")
        self.max_items = max_items
        self._seen: OrderedDict[tuple[str, str], None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._seen)

    def fresh(self, articles: Iterable[Article]) -> list[Article]:
        """Return the articles not remembered, each pair once, in order."""
        fresh: dict[tuple[str, str], Article] = {}
        for article in articles:
            key = (article.id, article.revision)
            if key in self._seen:
                self._seen.move_to_end(key)
            else:
                fresh.setdefault(key, article)
        return list(fresh.values())

    def remember(self, articles: Iterable[Article]) -> None:
        """Note that these have been appended."""
        for article in articles:
            key = (article.id, article.revision)
            self._seen[key] = None
            self._seen.move_to_end(key)
        while len(self._seen) > self.max_items:
            self._seen.popitem(last=False)
