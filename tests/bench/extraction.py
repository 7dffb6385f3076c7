"""Text of article pages: ours beside the extractor's default, on the same pages.

    python -m tests.bench.extraction [--json]

Token F1 against the text that people took from the pages, the mean over pages; seconds are CPU seconds of
this process for a page, reading of metadata included.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterable

import trafilatura

from monitor.collect.page_text import read_page
from tests.bench.texts import SHARED
from tests.support.extraction import GoldPage, benchmark, chinese, token_f1


def ours(page: GoldPage) -> str:
    read = read_page(page.html, page.url)
    return "" if read is None else read.text


def default(page: GoldPage) -> str:
    """trafilatura as it comes."""
    return trafilatura.extract(page.html, url=page.url) or ""


def main() -> None:
    parser = argparse.ArgumentParser(description="Token F1 of extracted texts.")
    parser.add_argument("--json", action="store_true")
    as_json = parser.parse_args().json
    sets = {
        "scrapinghub's benchmark": list(benchmark(SHARED)),
        "Chinese": list(chinese(SHARED)),
    }
    rows = [
        {"pages": f"{len(pages)}, {name}", "extractor": how.__name__, **measured(how, pages)}
        for name, pages in sets.items()
        for how in (ours, default)
    ]
    if as_json:
        print(json.dumps(rows))
        return
    print(f"{'pages':32}{'extractor':12}{'F1':>8}{'median':>8}{'below 0.8':>11}{'ms a page':>11}")
    for row in rows:
        print(
            f"{row['pages']:32}{row['extractor']:12}{row['f1']:8.4f}{row['median']:8.4f}"
            f"{row['below_0.8']:11}{row['ms']:11.1f}"
        )


def measured(how: Callable[[GoldPage], str], pages: Iterable[GoldPage]) -> dict[str, float]:
    began = time.process_time()
    texts = [(how(page), page.text) for page in pages]
    took_s = time.process_time() - began
    scores = [token_f1(*each) for each in texts]
    return {
        "f1": statistics.mean(scores),
        "median": statistics.median(scores),
        "below_0.8": sum(score < 0.8 for score in scores),
        "ms": took_s / len(scores) * 1_000,
    }


if __name__ == "__main__":
    main()
