"""The six outlets of the demo, each with the habits of its kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Outlet:
    """Who publishes, and how its feed looks.

    ``zone`` is the hour offset of its dates, or a zone name of RFC 822 section 5.1 with its offset.
    """

    slug: str
    title: str
    tagline: str
    language: str  # ISO 639-1
    byline: str
    atom: bool = False
    cdata: bool = False  # summaries in CDATA, else escaped
    relative_links: bool = False
    tracked_links: bool = False  # links carry utm parameters
    guid_is_link: bool = False
    zone: tuple[str, int] = ("GMT", 0)

    def date(self, moment: datetime) -> str:
        """Return a moment as this outlet writes it: RFC 3339 in Atom, RFC 822 in RSS."""
        if self.atom:
            return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
        name, hours = self.zone
        local = moment.astimezone(timezone(timedelta(hours=hours)))
        text = format_datetime(local)
        return text[: -len("+0000")] + name if name else text


OUTLETS: Mapping[str, Outlet] = MappingProxyType(
    {
        outlet.slug: outlet
        for outlet in (
            Outlet(
                "halvard-wire",
                "Halvard Wire",
                "Markets and companies, as it happens",
                "en",
                "Halvard Wire newsroom",
            ),
            Outlet(
                "tidewater-ledger",
                "The Tidewater Ledger",
                "The business daily",
                "en",
                "The Ledger's business desk",
                atom=True,
            ),
            Outlet(
                "pressquay",
                "PressQuay",
                "Company news releases",
                "en",
                "Company news release",
                cdata=True,
                zone=("EST", -5),
            ),
            Outlet(
                "cmcs",
                "Commission for Markets and Consumer Safety",
                "Notices and decisions",
                "en",
                "Press office of the Commission",
                relative_links=True,
            ),
            Outlet(
                "tape-and-candle",
                "Tape & Candle",
                "A market blog",
                "en",
                "The candle keeper",
                cdata=True,
                tracked_links=True,
                guid_is_link=True,
                zone=("", -5),
            ),
            Outlet("dongyu-caijing", "东屿财经", "公司与市场", "zh", "东屿财经记者", zone=("", 8)),
        )
    }
)
