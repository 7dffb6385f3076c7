"""The script that Streamlit runs for every viewer and every click: the frame around all pages."""

from __future__ import annotations

import streamlit as st

from dashboards import desk, theme, visitor
from dashboards.pages import (
    alerts,
    audit,
    backtest,
    board,
    company,
    feeds,
    frame,
    mine,
    models,
    relabel,
    search,
    story,
    topic,
)

shown = desk.current()
pages = {
    "board": st.Page(board.page, title="Board", default=True),
    "alerts": st.Page(alerts.page, title="Alerts", url_path="alerts"),
    "company": st.Page(company.page, title="Company", url_path="company"),
    "topic": st.Page(topic.page, title="Topic", url_path="topic"),
    "story": st.Page(story.page, title="Stories", url_path="story"),
    "search": st.Page(search.page, title="Search", url_path="search"),
    "mine": st.Page(mine.page, title="My watchlist", url_path="mine"),
    "relabel": st.Page(relabel.page, title="Relabel", url_path="relabel"),
    "models": st.Page(models.page, title="Models", url_path="models"),
    "feeds": st.Page(feeds.page, title="Feeds", url_path="feeds"),
    "backtest": st.Page(backtest.page, title="Backtest", url_path="backtest"),
}
looks = visitor.current()
if looks is not None and looks.may("admin"):
    pages["audit"] = st.Page(audit.page, title="Audit", url_path="audit")
page = st.navigation(list(pages.values()), position="top")
st.set_page_config(page_title=f"{page.title} · {shown.title}", page_icon=theme.ICON, layout="wide")
st.session_state["pages"] = pages
st.html(theme.css())
tone = st.context.theme.type or "light"
st.logo(theme.WORDMARK.format(ink=theme.INK[tone]), size="large")
if looks is not None and shown.login:
    frame.signed_in(looks.person)
page.run()
