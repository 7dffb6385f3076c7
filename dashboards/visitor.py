"""Who looks at the page that is being drawn."""

from __future__ import annotations

import streamlit as st

from dashboards import desk
from dashboards.door import COOKIE
from monitor.access import visitor as visitors
from monitor.access.visitor import Visitor
from monitor.store.clock import time_of


def current() -> Visitor | None:
    """Return who looks, by the session as it is now; ``None`` when it is over.

    A page stays connected for hours: it asks anew each time it draws something or somebody acts.
    """
    shown = desk.current()
    if not shown.login:
        return visitors.local(shown.analyst)
    secret = st.context.cookies.get(COOKIE, "")
    with desk.opened(shown.store_url) as store:
        return visitors.by_session(store, secret, time_of(store))


def may(scope: str) -> bool:
    """Say whether who looks may do something."""
    found = current()
    return found is not None and found.may(scope)
