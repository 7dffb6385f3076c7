"""Feed documents: RSS 2.0 for five outlets, Atom (RFC 4287) for one, imperfect as real ones."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from monitor.demo.items import DemoItem
from monitor.demo.outlets import Outlet


def feed_document(outlet: Outlet, items: Sequence[DemoItem], base_url: str) -> bytes:
    """Return the UTF-8 document of an outlet for these items, in their order."""
    return (_atom if outlet.atom else _rss)(outlet, items, base_url).encode()


def link(outlet: Outlet, item: DemoItem, base_url: str) -> str:
    """Return the link as its feed writes it: absolute, relative, or with tracking parameters."""
    if outlet.relative_links:
        return item.path
    tracking = "?utm_source=rss&utm_medium=feed&utm_campaign=latest" if outlet.tracked_links else ""
    return base_url + item.path + tracking


def _rss(outlet: Outlet, items: Sequence[DemoItem], base_url: str) -> str:
    entries = "\n".join(_rss_item(outlet, item, base_url) for item in items)
    built = f"<lastBuildDate>{outlet.date(items[0].published)}</lastBuildDate>" if items else ""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom"><channel>
<title>{escape(outlet.title)}</title>
<link>{base_url}/</link>
<description>{escape(outlet.tagline)}</description>
<language>{outlet.language}</language>
<atom:link href="{base_url}/feeds/{outlet.slug}.xml" rel="self" type="application/rss+xml"/>
{built}
{entries}
</channel></rss>
"""


def _rss_item(outlet: Outlet, item: DemoItem, base_url: str) -> str:
    permalink = base_url + item.path
    guid = (
        f'<guid isPermaLink="true">{permalink}</guid>'
        if outlet.guid_is_link
        else f'<guid isPermaLink="false">{escape(item.guid)}</guid>'
    )
    summary = _cdata(item.summary) if outlet.cdata else escape(item.summary)
    dated = f"<pubDate>{outlet.date(item.dated)}</pubDate>" if item.dated else ""
    target = escape(link(outlet, item, base_url))
    return (
        f"<item><title>{escape(item.title)}</title><link>{target}</link>"
        f"{guid}{dated}<description>{summary}</description></item>"
    )


def _atom(outlet: Outlet, items: Sequence[DemoItem], base_url: str) -> str:
    entries = "\n".join(_atom_entry(outlet, item, base_url) for item in items)
    # RFC 4287 section 4.1.1 wants an <updated>; an empty feed was last changed at no known time.
    updated = outlet.date(items[0].published) if items else "1970-01-01T00:00:00Z"
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="{outlet.language}">
<title>{escape(outlet.title)}</title>
<subtitle>{escape(outlet.tagline)}</subtitle>
<id>tag:{outlet.slug}.example,2026:feed</id>
<link rel="self" href="{base_url}/feeds/{outlet.slug}.xml"/>
<link rel="alternate" type="text/html" href="{base_url}/"/>
<author><name>{escape(outlet.byline)}</name></author>
<updated>{updated}</updated>
{entries}
</feed>
"""


def _atom_entry(outlet: Outlet, item: DemoItem, base_url: str) -> str:
    published = f"<published>{outlet.date(item.dated)}</published>" if item.dated else ""
    return (
        f'<entry><title type="text">{escape(item.title)}</title>'
        f"<id>tag:{outlet.slug}.example,2026:{escape(item.guid)}</id>"
        f'<link rel="alternate" href={quoteattr(link(outlet, item, base_url))}/>'
        f"{published}<updated>{outlet.date(item.published)}</updated>"
        f'<summary type="html">{escape(item.summary)}</summary></entry>'
    )


def _cdata(html: str) -> str:
    return "<![CDATA[" + html.replace("]]>", "]]]]><![CDATA[>") + "]]>"
