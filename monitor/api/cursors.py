"""Cursors: where a page ended, opaque to programs."""

from __future__ import annotations

import base64
import binascii
import json

from fastapi import HTTPException

from monitor.store.listing import Place

MAX_US = 2**62


def cursor(moment_us: int, id_: str) -> str:
    """Return the cursor of the last item of a page.

    Examples
    --------
    >>> place(cursor(1, "a"))
    (1, 'a')
    """
    text = json.dumps([moment_us, id_], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def place(text: str | None) -> Place | None:
    """Return where to go on; refuse what is not a cursor of ours (400)."""
    if text is None:
        return None
    try:
        padded = text + "=" * (-len(text) % 4)
        found = json.loads(base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True))
        moment_us, id_ = found
        fits = type(moment_us) is int and abs(moment_us) < MAX_US and isinstance(id_, str)
        if fits and "\0" not in id_ and id_.isprintable():
            return moment_us, id_
    except (ValueError, TypeError, RecursionError, binascii.Error):
        pass
    raise HTTPException(400, "cursor: take next_cursor of the page before, as it is")
