"""The audit, for admins: what everybody did, and whether its chain is whole."""

from __future__ import annotations

import json

import pandas as pd
import streamlit as st

from dashboards import data, visitor
from dashboards.pages import frame

LIMIT = 500


def page() -> None:
    """Draw the newest entries; refuse whoever is not an admin."""
    frame.live(_draw)


def _draw(url: str) -> None:
    if not visitor.may("admin"):
        frame.note("The audit is for admins.")
        return
    frame.strip(url, "Audit")
    found = data.audit_verified(url)
    for trouble in found.troubles[:20]:
        st.error(trouble.replace("\\", "\\\\"))
    if not found.troubles:
        frame.note(f"{found.entries} entries, none tampered with; head {found.head}")
    rows = [
        {
            "no.": each.id,
            "at (UTC)": each.entry.at,
            "who": each.entry.who,
            "did": each.entry.act,
            "to": each.entry.subject,
            "before": json.dumps(dict(each.entry.before), ensure_ascii=False),
            "after": json.dumps(dict(each.entry.after), ensure_ascii=False),
            "comment": each.entry.comment,
        }
        for each in data.audit_rows(url, LIMIT)
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, key="audit-rows")
