"""Alerts as an Atom feed (RFC 4287); every text is text, never markup."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from monitor.alert.explain import explain
from monitor.domain import EPOCH, Alert

NAMESPACE = "http://www.w3.org/2005/Atom"
# What XML 1.0 (section 2.2) has no place for.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def feed(alerts: Sequence[Alert], base: str) -> bytes:
    """Return the feed of some alerts, the newest first; links lead to the page of each under ``base``."""
    root = ET.Element("feed", xmlns=NAMESPACE)
    _text(root, "id", f"{base}/alerts")
    _text(root, "title", "Foreshock alerts")
    newest = max((alert.updated_at for alert in alerts), default=EPOCH)
    _text(root, "updated", newest.isoformat())
    for alert in alerts:
        entry = ET.SubElement(root, "entry")
        _text(entry, "id", f"urn:foreshock:alert:{alert.id}")
        _text(entry, "title", f"[{alert.severity}/5] {alert.title}")
        _text(entry, "updated", alert.updated_at.isoformat())
        _text(entry, "published", alert.started_at.isoformat())
        author = ET.SubElement(entry, "author")
        _text(author, "name", "Foreshock")
        ET.SubElement(entry, "link", rel="alternate", href=f"{base}/alerts?alert={alert.id}")
        ET.SubElement(entry, "category", term=alert.state.value)
        lines = [*explain(alert, alert.key)]
        lines += [f"{proof.publisher}: {proof.title}" for proof in alert.evidence[:5]]
        _text(entry, "summary", "\n".join(lines)).set("type", "text")
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _text(parent: ET.Element, name: str, text: str) -> ET.Element:
    child = ET.SubElement(parent, name)
    child.text = _NOT_XML.sub("\ufffd", text)
    return child
