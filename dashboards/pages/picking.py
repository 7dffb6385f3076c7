"""What a page is about: named by the address, so that it can be sent to somebody, and chosen from a list."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st


def picked(
    parameter: str, label: str, options: Sequence[str], said: Callable[[str], str]
) -> str | None:
    """Draw a list and return what is chosen: by the viewer, by ``?parameter=``, else its first entry.

    ``None`` where the address names something that is not in the list, or the list is empty.
    """
    if not options:
        return None
    widget = f"pick-{parameter}"
    linked = st.query_params.get(parameter)
    if linked is not None and linked in options:
        st.session_state[widget] = linked
    elif linked is None and st.session_state.get(widget) not in options:
        st.session_state[widget] = options[0]

    def choose() -> None:
        if st.session_state[widget] is not None:
            st.query_params[parameter] = st.session_state[widget]

    unknown = linked is not None and linked not in options
    if unknown:
        st.session_state[widget] = None
    # Without an index there is a cross that clears; it is drawn only where nothing is chosen.
    chosen: str | None = st.selectbox(
        label,
        options,
        key=widget,
        index=None if unknown else 0,
        format_func=said,
        on_change=choose,
        label_visibility="collapsed",
        placeholder=label,
    )
    return None if unknown else chosen
