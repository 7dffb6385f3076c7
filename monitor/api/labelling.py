"""Routes on labels: what people say of items to teach the model, and what they would be asked next."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query
from fastapi import Path as PathPart

from models.labels import Head
from monitor.api.asking import Actor, Opened, Outfit, Reader, Work
from monitor.api.cursors import cursor as cursor_of
from monitor.api.cursors import place
from monitor.api.news import Cursor, Filter, Limit
from monitor.api.shapes import LabelIn, LabelOut, Page, ToLabel
from monitor.domain import LabelRole
from monitor.relabel.agreement import accuracies, agreements
from monitor.relabel.answers import answer
from monitor.relabel.candidates import load, queue
from monitor.relabel.heads import Question, heads_of
from monitor.relabel.plain import agreement_table, gold_rows
from monitor.relabel.standing import gold
from monitor.store import articles, labels
from monitor.store.clock import time_of

labelling = APIRouter(tags=["labels"])

_LabelId = Annotated[int, PathPart(ge=1, le=2**62)]
SAMPLER = "api"  # who asked for the label: nobody of ours


@labelling.get("/labels")
def list_labels(
    _: Reader,
    store: Opened,
    head: Filter = None,
    who: Filter = None,
    article: Filter = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[LabelOut]:
    """Labels and withdrawals, the newest first: a record that is only ever added to."""
    at = place(cursor)
    with store.read() as connection:
        found = labels.page(
            connection, limit + 1, before=at and at[0], head=head, who=who, article=article
        )
    shown = found[:limit]
    last = shown[-1].id if len(found) > limit else None
    return Page(
        items=[LabelOut.of(each) for each in shown],
        next_cursor=None if last is None else cursor_of(last, ""),
    )


@labelling.get("/labels/queue")
def next_items(
    visitor: Actor,
    store: Opened,
    work: Work,
    size: Annotated[int, Query(ge=1, le=200)] = 20,
    seed: Annotated[int, Query(ge=0, le=2**31)] = 1,
) -> list[ToLabel]:
    """What whoever asks would be shown next on the Relabel page, and why; never what the model said of it."""
    plan = work.settings.relabel.plan()
    stored = load(store, plan.pool)
    heads = _heads(work)
    asked = queue(stored, plan, heads, visitor.person.name, seed, size)
    return [ToLabel.of(each, heads) for each in asked]


@labelling.get("/labels/gold")
def gold_labels(
    _: Reader,
    store: Opened,
    head: Filter = None,
    least: Annotated[int, Query(ge=1, le=10, description="Annotators who agree, at least.")] = 1,
) -> list[dict[str, Any]]:
    """The label that counts of each item: an adjudicator's, a known answer, or the annotators'."""
    with store.read() as connection:
        events = labels.events(connection, head=head)
    return gold_rows(gold(events, least).values())


@labelling.get("/labels/agreement")
def agreement(_: Reader, store: Opened) -> dict[str, Any]:
    """How far annotators agree beyond chance, by head, and how often each is right on known items."""
    with store.read() as connection:
        events = labels.events(connection)
    return agreement_table(agreements(events), accuracies(events))


@labelling.post("/labels", status_code=201)
def add_label(visitor: Actor, store: Opened, work: Work, body: LabelIn) -> LabelOut:
    """Label an article, its current revision. A reference answer (role known) takes an admin."""
    if body.role == LabelRole.KNOWN.value:
        visitor.need("admin")
    now, heads = time_of(store), _heads(work)
    with store.write() as connection:
        found = articles.current(connection, [body.article_id])
        if not found:
            raise HTTPException(404, "there is no such article")
        said = answer(
            *(connection, heads, found[0], Question(body.head, body.company_id), body.value),
            *(visitor.person.name, now),
            sampler=SAMPLER,
            role=LabelRole(body.role),
            guess_shown=body.guess_shown,
        )
    return LabelOut.of(said)


@labelling.delete("/labels/{label_id}")
def withdraw_label(visitor: Actor, store: Opened, label_id: _LabelId) -> LabelOut:
    """Take back a label of one's own; it stays in the record, and no longer counts."""
    now = time_of(store)
    with store.write() as connection:
        return LabelOut.of(labels.withdraw(connection, label_id, visitor.person.name, now))


def _heads(work: Outfit) -> Mapping[str, Head]:
    return _heads_in(tuple(work.settings.model.folders))


@lru_cache(maxsize=1)
def _heads_in(folders: tuple[Path | None, ...]) -> Mapping[str, Head]:
    """Return the heads of the bundles that the settings name; they are read once."""
    return heads_of(folders)
