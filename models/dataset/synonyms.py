"""Words for words, from a list that keeps form, part of speech and strength."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from pathlib import Path

from models.dataset.lists import read_list
from models.errors import DataError

_LIST = "synonyms.yaml"
SHARE = 0.5


class Synonyms:
    """Replaces listed words by others of their group, each with a probability of `share`.

    Wei and Zou 2019, section 2 (synonym replacement), with a list in the place of WordNet: there
    "shares" has the synonym "parts". At least one word changes where any is listed.

    Parameters
    ----------
    groups
        Words or phrases that may stand for one another; each in one group only.
    share
        Of the listed words of a text, in [0, 1].
    """

    name = "synonyms"

    def __init__(self, groups: Sequence[Sequence[str]], share: float = SHARE) -> None:
        self._group: dict[str, Sequence[str]] = {}
        for group in groups:
            for word in group:
                if word.casefold() in self._group:
                    raise DataError(f"synonyms: {word!r} is in two groups; leave one")
                self._group[word.casefold()] = group
        longest = sorted(self._group, key=len, reverse=True)
        self._words = re.compile(
            rf"(?<![\w$#@])(?:{'|'.join(map(re.escape, longest))})(?!\w)", re.IGNORECASE
        )
        self._share = share

    @classmethod
    def built_in(cls, path: Path | None = None) -> Synonyms:
        """From a YAML list of groups; None for the built-in one."""
        content, place = read_list(_LIST, path)
        if not isinstance(content, list) or not all(
            isinstance(group, list) and len(group) > 1 and all(isinstance(w, str) for w in group)
            for group in content
        ):
            raise DataError(f"{place}: expected a list of groups of two words or more")
        return cls(content)

    def augment(self, text: str, rng: random.Random) -> str:
        """The text with some words replaced; see `models.dataset.augment.Augmentation`."""
        found = list(self._words.finditer(text))
        if not found:
            return text
        certain = rng.randrange(len(found))
        pieces, end = [], 0
        for number, match in enumerate(found):
            word = match.group()
            others = [w for w in self._group[word.casefold()] if w.casefold() != word.casefold()]
            new = rng.choice(others)
            if rng.random() < self._share or number == certain:
                pieces += [text[end : match.start()], _in_case(new, word)]
                end = match.end()
        return "".join(pieces) + text[end:]


def _in_case(new: str, old: str) -> str:
    """A word in the case of the one it replaces; abbreviations keep their own."""
    if old.isupper() and len(old) > 3:
        return new.upper()
    if old.istitle() and not new.isupper():
        # A title-case headline capitalises every word of a phrase.
        return new.title() if " " in old else new[:1].upper() + new[1:]
    return new
