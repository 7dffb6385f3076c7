"""Article pages with the text that people took from them, and how near an extracted text is to it."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

# A Chinese character is a token, and so is a word of any other script.
_TOKEN = re.compile("[\u3400-\u9fff]|[^\\W\u3400-\u9fff]+")


class GoldPage(NamedTuple):
    """A page, where it was, and its text."""

    name: str
    url: str
    html: bytes
    text: str


def benchmark(shared_data: Path) -> Iterator[GoldPage]:
    """The 181 pages of scrapinghub's article extraction benchmark."""
    folder = shared_data / "fixtures" / "article_extraction_benchmark"
    for name, gold in json.loads((folder / "ground-truth.json").read_text("utf-8")).items():
        html = gzip.decompress((folder / "html" / f"{name}.html.gz").read_bytes())
        yield GoldPage(name, gold["url"], html, gold["articleBody"])


def chinese(shared_data: Path) -> Iterator[GoldPage]:
    """The three Chinese pages of newspaper4k's tests."""
    for page in sorted((shared_data / "fixtures" / "newspaper4k_zh").glob("*.html")):
        text = page.with_suffix(".txt").read_text("utf-8")
        yield GoldPage(page.stem, "https://news.example/1", page.read_bytes(), text)


def token_f1(text: str, gold: str) -> float:
    """Return the harmonic mean of precision and recall of tokens, as bags; 1 for two empty texts.

    Examples
    --------
    >>> token_f1("a b c", "a b d"), round(token_f1("央行降准", "央行降息"), 2)
    (0.6666666666666666, 0.75)
    """
    said, meant = Counter(_TOKEN.findall(text)), Counter(_TOKEN.findall(gold))
    total = said.total() + meant.total()
    return 2 * (said & meant).total() / total if total else 1.0
