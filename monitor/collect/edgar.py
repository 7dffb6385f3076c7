"""Filings at the SEC: EDGAR full-text search and the feed of current reports (8-K).

The SEC asks programs to say in their User-Agent who they are and how to reach them, and for at most ten
requests a second ("Accessing EDGAR data", sec.gov/os/accessing-edgar-data): ``contact`` is needed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson
from pydantic import Field

from monitor.collect.feed_document import read_feed
from monitor.collect.mapping import Records, read_records, text_at
from monitor.collect.options import Options
from monitor.collect.raw import RawItem
from monitor.collect.source import Failure, SourceConfig, SourceError
from monitor.collect.web_source import WebSource
from monitor.domain import DeadItem

ARCHIVES = "https://www.sec.gov/Archives/edgar/data"
PAGE = 100  # hits of one answer of the search
_HITS = Records(items="hits.hits")

#: Form 8-K (SEC 873), its items; one that is not here is called by its number.
ITEMS: Mapping[str, str] = {
    "1.01": "Entry into a Material Definitive Agreement",
    "1.02": "Termination of a Material Definitive Agreement",
    "1.03": "Bankruptcy or Receivership",
    "1.04": "Mine Safety: Reporting of Shutdowns and Patterns of Violations",
    "1.05": "Material Cybersecurity Incidents",
    "2.01": "Completion of Acquisition or Disposition of Assets",
    "2.02": "Results of Operations and Financial Condition",
    "2.03": "Creation of a Direct Financial Obligation",
    "2.04": "Triggering Events That Accelerate or Increase a Direct Financial Obligation",
    "2.05": "Costs Associated with Exit or Disposal Activities",
    "2.06": "Material Impairments",
    "3.01": "Notice of Delisting or Failure to Satisfy a Continued Listing Rule",
    "3.02": "Unregistered Sales of Equity Securities",
    "3.03": "Material Modification to Rights of Security Holders",
    "4.01": "Changes in Registrant's Certifying Accountant",
    "4.02": "Non-Reliance on Previously Issued Financial Statements",
    "5.01": "Changes in Control of Registrant",
    "5.02": "Departure or Election of Directors or Certain Officers",
    "5.03": "Amendments to Articles of Incorporation or Bylaws",
    "5.07": "Submission of Matters to a Vote of Security Holders",
    "7.01": "Regulation FD Disclosure",
    "8.01": "Other Events",
    "9.01": "Financial Statements and Exhibits",
}

_FEED_TITLE = re.compile(r"(?P<form>[\w/-]+) - (?P<name>.+?) \(\d{10}\) \([\w ]+\)")
_FEED_ITEM = re.compile(r"\bItem (\d\.\d\d)\b")
_SEARCH_NAME = re.compile(r"\s*\(CIK \d+\)\s*$")


class EdgarOptions(Options):
    """Who asks the SEC, and how far."""

    contact: str = Field(
        pattern=r"^[^\x00-\x1f]*\S@\S[^\x00-\x1f]*$",
        description="Who you are and a mail address, as the SEC's rules ask, such as "
        "`Example Bank risk@bank.example`; sent as User-Agent.",
    )
    max_pages: int = Field(
        3, ge=1, le=20, description="Most pages of 100 hits of one visit of the search."
    )


class EdgarSource(WebSource):
    """SEC filings: an EDGAR full-text search (`efts.sec.gov`), or the feed of current reports (8-K)."""

    Options = EdgarOptions
    asks_robots = False

    def __init__(self, config: SourceConfig) -> None:
        super().__init__(config)
        self.options: EdgarOptions = config.options

    def poll(self, now: datetime) -> Iterator[RawItem | DeadItem]:
        """Yield the filings; see `monitor.collect.source.Source.poll`."""
        agent = {"User-Agent": self.options.contact}
        for page in range(self.options.max_pages):
            url = self.location
            if page:
                url += f"{'&' if '?' in url else '?'}from={page * PAGE}"
            fetched = self.get(url, agent)
            if fetched.body is None:
                return
            if not fetched.body.lstrip().startswith(b"{"):
                yield from self._feed(fetched.body, fetched.url, now)
                self.keep(url, fetched)
                return
            hits = read_records(_json(fetched.body, url), _HITS, url)
            yield from (self._hit(hit) for hit in hits)
            if len(hits) < PAGE:
                return

    def _feed(self, data: bytes, url: str, now: datetime) -> Iterator[RawItem | DeadItem]:
        config = replace(self.config, publisher=self.config.publisher or "sec.gov")
        for item in read_feed(data, self.location, url, config, now):
            match = _FEED_TITLE.fullmatch(item.title.strip()) if isinstance(item, RawItem) else None
            if match and isinstance(item, RawItem):
                title = _title(match["name"], match["form"], _FEED_ITEM.findall(item.summary))
                item = replace(item, title=title, language="en")
            yield item

    def _hit(self, hit: Mapping[str, Any]) -> RawItem:
        names = [_SEARCH_NAME.sub("", text_at(hit, f"_source.display_names.{n}")) for n in range(3)]
        form = text_at(hit, "_source.form|_source.root_forms.0|_source.file_type")
        items = _source(hit, "items")
        number, _, file = text_at(hit, "_id").partition(":")
        cik = text_at(hit, "_source.ciks.0").lstrip("0")
        title = _title(" and ".join(name for name in names if name), form, items)
        described = text_at(hit, "_source.file_description")
        return RawItem(
            source=self.name,
            origin=self.location,
            title=title,
            summary=described if described != form else "",
            url=f"{ARCHIVES}/{cik}/{number.replace('-', '')}/{file}" if cik and file else None,
            guid=text_at(hit, "_id") or None,
            published=text_at(hit, "_source.file_date") or None,
            publisher=self.config.publisher or "sec.gov",
            language="en",
        )


def _title(name: str, form: str, items: list[str]) -> str:
    """Say what a filing is, with the items of an 8-K in words.

    Examples
    --------
    >>> _title("ACME CORP", "8-K", ["1.03", "9.01"])
    'ACME CORP: 8-K: Bankruptcy or Receivership; Financial Statements and Exhibits'
    """
    said = "; ".join(ITEMS.get(each, f"Item {each}") for each in dict.fromkeys(items))
    return ": ".join(part for part in (name, form, said) if part)


def _source(hit: Mapping[str, Any], name: str) -> list[str]:
    inner = hit.get("_source")
    found = inner.get(name) if isinstance(inner, Mapping) else None
    return [str(each) for each in found] if isinstance(found, list) else []


def _json(body: bytes, url: str) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise SourceError(
            f"{url}: the answer is not JSON: {error}", kind=Failure.UNREADABLE
        ) from None
