"""Nearly the same text from one source under another name: re-posted, an AMP page, another edition.

Two items are one where their titles are the same without the wire's housekeeping, the same numbers stand in
both, their texts share `SAME` of their shingles (five words, or five characters of Chinese), and they were
published within `WINDOW`. One word that another replaces takes up to ten shingles with it: what an editor
changes in the middle of a short report is news, what stands around a report is not.

How much two texts share is read from the `SKETCH` smallest hashes of each (A. Broder, On the resemblance and
containment of documents, 1997); the standard error of a share of 0.9 is 0.04.
"""

from __future__ import annotations

import re
from array import array
from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta
from hashlib import blake2b

from monitor.domain import Article
from monitor.stories.titles import read_title

SAME = 0.9
SHINGLE = 5
LEAST_TOKENS = 30  # a shorter text is boilerplate too often
SKETCH = 64
WINDOW = timedelta(hours=12)  # a column of every day has one title, and often one text
MAX_CHARS = 20_000
PER_TITLE = 4
LEAST_KEPT = 50  # titles
MOST_KEPT = 1_000
VISITS_KEPT = 2

# Chinese writes no spaces: there a character counts as a word.
_TOKEN = re.compile(r"[\u3400-\u9fff]|[^\W\u3400-\u9fff]+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True, slots=True)
class _Text:
    id: str
    at_s: float
    numbers: int
    sketch: bytes  # the smallest hashes, four bytes each


class NearRepeats:
    """The newest texts of one source by their titles, bounded: about 500 bytes each.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from datetime import UTC, datetime
    >>> at = datetime(2026, 1, 5, tzinfo=UTC)
    >>> text = " ".join(f"word{chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(100))
    >>> first = Article("a", "1", "wire", "wire", "http://x/1", "Profit falls", text, "en", at, at)
    >>> near = NearRepeats(); near.remember(first)
    >>> near.repeated(replace(first, id="b", url="http://x/amp/1", lead=text + " Read more here."))
    True
    >>> near.repeated(replace(first, id="b", lead=text + " Profit was 7 million."))  # another number
    False
    >>> near.repeated(replace(first, revision="2", lead=text + " Read more."))  # an update
    False
    """

    def __init__(self) -> None:
        self._bound = MOST_KEPT
        self._by_title: OrderedDict[int, tuple[_Text, ...]] = OrderedDict()
        self._ids: OrderedDict[str, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_title)

    def repeated(self, article: Article) -> bool:
        """Whether another item with nearly this text was remembered; of what is known by its id, never."""
        if article.id in self._ids:
            return False
        known = self._by_title.get(_hash(_title(article)))
        if not known:
            return False
        read = _text(article)
        return read is not None and any(_near(read, text) for text in known)

    def remember(self, article: Article) -> None:
        """Note that this has been appended; of the revisions of an item, the last counts."""
        self._ids[article.id] = None
        self._ids.move_to_end(article.id)
        title, read = _title(article), _text(article)
        if title and read is not None:
            key = _hash(title)
            kept = [text for text in self._by_title.get(key, ()) if text.id != article.id]
            self._by_title[key] = (*kept, read)[-PER_TITLE:]
            self._by_title.move_to_end(key)
        self._forget()

    def expect(self, items: int) -> None:
        """Keep what belongs to a source that brought so many items in its last visit."""
        self._bound = min(MOST_KEPT, max(LEAST_KEPT, VISITS_KEPT * items))
        self._forget()

    def _forget(self) -> None:
        while len(self._by_title) > self._bound:
            self._by_title.popitem(last=False)
        while len(self._ids) > PER_TITLE * self._bound:
            self._ids.popitem(last=False)


def _title(article: Article) -> str:
    """Return what a repeat must be called, too; empty where the title says that it is none."""
    read = read_title(article.title)
    return "" if read.corrected or read.withdrawn or read.update is not None else read.bare


def _text(article: Article) -> _Text | None:
    text = (article.body or article.lead)[:MAX_CHARS].casefold()
    tokens = _TOKEN.findall(text)
    if len(tokens) < LEAST_TOKENS:
        return None
    shingles = {
        _hash(" ".join(tokens[at : at + SHINGLE])) & 0xFFFFFFFF
        for at in range(len(tokens) - SHINGLE + 1)
    }
    numbers = " ".join(sorted(set(_NUMBER.findall(text))))
    return _Text(
        article.id,
        article.published_at.timestamp(),
        _hash(numbers),
        array("I", sorted(shingles)[:SKETCH]).tobytes(),
    )


def _near(one: _Text, other: _Text) -> bool:
    if one.numbers != other.numbers or abs(one.at_s - other.at_s) > WINDOW.total_seconds():
        return False
    return shared(one.sketch, other.sketch) >= SAME


def shared(one: bytes, other: bytes) -> float:
    """Return the share of shingles that two texts have in common, from their sketches."""
    first, second = set(array("I", one)), set(array("I", other))
    smallest = sorted(first | second)[:SKETCH]
    return sum(each in first and each in second for each in smallest) / len(smallest)


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")
