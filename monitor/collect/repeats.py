"""What a source has brought before: a re-read feed re-appends only what is new or changed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from monitor.collect.near import NearRepeats
from monitor.collect.raw import RawItem
from monitor.domain import Article, DateStatus

LONG_LEAD_CHARS = 80
LEAST_KEPT = 500  # keys
VISITS_KEPT = 8  # a visit's keys so many times: what leaves a feed seldom comes back

Key = tuple[str, str]  # (id, revision), or (time, revision)


class Repeats:
    """The newest (id, revision) pairs of one source, bounded; the least recently seen go first.

    It saves work and is no guarantee: a forgotten pair is appended again and the store counts it as
    a repeat. An item whose feed calls it something else each time is known by its text and its time; by these
    alone only where it has no URL or says enough: forty filings of one minute may have one title.

    Nearly the same text under another id is a repeat, too: `monitor.collect.near` says when.

    Remember an article only once its append is durable, or a failed append would lose it.

    Parameters
    ----------
    max_items
        How many keys are kept, one or two of an article, about 300 bytes each with what it was made of.

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
        self.max_items = self._bound = max_items
        self._seen: OrderedDict[Key, None] = OrderedDict()
        self._made: OrderedDict[int, list[Key]] = OrderedDict()  # by the hash of a raw item
        self._near = NearRepeats()

    def __len__(self) -> int:
        return len(self._seen)

    def known(self, raw: RawItem) -> bool:
        """Whether this very item was brought before, to the letter, and made an article that is remembered.

        Most of what a feed brings is, and need not be read again: that is most of the cost of a visit.
        """
        keys = self._made.get(hash(raw))
        if keys is None or not all(key in self._seen for key in keys):
            return False
        self._made.move_to_end(hash(raw))
        for key in keys:
            self._seen.move_to_end(key)
        return True

    def fresh(self, articles: Iterable[Article]) -> list[Article]:
        """Return the articles not remembered, each pair once, in order."""
        fresh: dict[Key, Article] = {}
        here = NearRepeats()  # of these; not remembered before they are appended
        for article in articles:
            keys = _keys(article)
            known = [key for key in keys if key in self._seen]
            for key in known:
                self._seen.move_to_end(key)
            if not known and not any(key in fresh for key in keys):
                if self._near.repeated(article) or here.repeated(article):
                    continue
                here.remember(article)
                fresh.update((key, article) for key in keys)
        return list({id(article): article for article in fresh.values()}.values())

    def remember(self, articles: Iterable[Article]) -> None:
        """Note that these have been appended."""
        for article in articles:
            for key in _keys(article):
                self._seen[key] = None
                self._seen.move_to_end(key)
            self._near.remember(article)
        self._forget()

    def recall(self, articles: Iterable[Article]) -> None:
        """Take up what an earlier process appended, oldest first, to know what is nearly the same.

        What is the same needs no memory: the store knows it by its id and revision.
        """
        for article in articles:
            self._near.remember(article)

    def note(self, raw: RawItem, article: Article) -> None:
        """Note what an article was made of, once it has been appended, now or before."""
        self._made[hash(raw)] = _keys(article)
        self._forget()

    def expect(self, items: int) -> None:
        """Keep what a source is likely to bring again, which brought so many items in its last visit.

        A thousand feeds of 25 items would else fill gigabytes with what left them weeks ago.
        """
        self._bound = min(self.max_items, max(LEAST_KEPT, VISITS_KEPT * items))
        self._near.expect(items)
        self._forget()

    def _forget(self) -> None:
        for kept in (self._seen, self._made):
            while len(kept) > self._bound:
                kept.popitem(last=False)


def _keys(article: Article) -> list[Key]:
    """Return what this item is known by: its id, and its text where that is enough."""
    keys = [(article.id, article.revision)]
    if article.url is None or len(article.lead) >= LONG_LEAD_CHARS:
        dated = article.date_status is not DateStatus.MISSING
        if dated or article.url is None:
            keys.append((article.published_at.isoformat() if dated else "", article.revision))
    return keys
