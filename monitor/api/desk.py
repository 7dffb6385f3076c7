"""Routes on the service itself: who asks, what runs, what is wrong, who did what; and the model's answers."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query

from monitor.api.asking import Actor, Admin, Opened, Reader, Work
from monitor.api.cursors import cursor, place
from monitor.api.news import Cursor, Filter, Limit
from monitor.api.shapes import ArticleOut, AuditOut, DeadOut, Me, Page, Question, Texts
from monitor.collect.articles import to_article
from monitor.collect.raw import RawItem
from monitor.domain import Article, to_micros
from monitor.health import troubles
from monitor.source_report import SourceReport, reports
from monitor.source_state import SourceState
from monitor.store import audit, dead, pages, people, promotions
from monitor.store.clock import time_of

service = APIRouter(tags=["service"])
model = APIRouter(tags=["model"])

States = Annotated[list[Literal["waiting", "retried", "dropped"]] | None, Query()]


@service.get("/me")
def me(visitor: Reader) -> Me:
    """Who asks, and what they may."""
    scopes = [scope for scope in ("read", "act", "admin") if visitor.may(scope)]
    person = visitor.person
    return Me(name=person.name, role=person.role.value, scopes=scopes, csrf=visitor.csrf)


@service.get("/health")
def health(_: Reader, store: Opened, work: Work) -> dict[str, Any]:
    """How far the pipeline is, and what stands still; as `/readyz`."""
    found = pages.standing(store)
    bounds = work.settings.notify.heartbeat.bounds()
    wrong = troubles(store, time_of(store), bounds)
    return {**asdict(found), "as_of": found.as_of, "behind_s": found.behind_s, "troubles": wrong}


@service.get("/sources")
def sources(
    _: Reader, store: Opened, work: Work, state: Annotated[list[SourceState] | None, Query()] = None
) -> list[SourceReport]:
    """Every source as it is now, by name: state and why, visits, cadence, yield, latency."""
    replay = pages.standing(store).replay
    configured = [source.config() for source in work.settings.sources]
    found = reports(store, configured, time_of(store), visiting=not replay)
    return [each for each in found if state is None or each.state in state]


@service.get("/models")
def models(_: Reader, store: Opened) -> dict[str, Any]:
    """What every process runs, and the last promotions."""
    with store.read() as connection:
        running = promotions.reports(connection, time_of(store))
        chosen = promotions.latest(connection, 20)
    return {
        "serving": [asdict(each) for each in running],
        "promotions": [asdict(each) for each in chosen],
    }


@service.get("/dead-letters")
def dead_letters(
    _: Actor,
    store: Opened,
    state: States = None,
    stage: Filter = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[DeadOut]:
    """What could not be processed, the newest first; those that wait, unless states are named."""
    with store.read() as connection:
        found = dead.letters(
            connection,
            tuple(state or (dead.WAITING,)),
            stage=stage,
            before=place(cursor),
            limit=limit + 1,
        )
    shown = found[:limit]
    more = len(found) > limit
    return Page(
        items=[DeadOut.of(letter) for letter in shown],
        next_cursor=_next(shown[-1]) if more else None,
    )


@service.get("/people")
def list_people(_: Admin, store: Opened) -> list[dict[str, Any]]:
    """Who may sign in, as what."""
    with store.read() as connection:
        return [asdict(person) for person in people.load(connection)]


@service.get("/audit")
def list_audit(
    _: Admin,
    store: Opened,
    who: Filter = None,
    before: Annotated[int | None, Query(ge=0, le=2**62, description="Only older ones.")] = None,
    limit: Limit = 50,
) -> list[AuditOut]:
    """What people did, the newest first."""
    return [AuditOut.of(each) for each in audit.newest(store, limit, before=before, who=who)]


@service.get("/audit/verify")
def verify_audit(_: Admin, store: Opened) -> dict[str, Any]:
    """Whether the chain of the audit is whole, and its head."""
    return asdict(audit.verify(store))


@model.post("/classify")
def classify(_: Reader, store: Opened, work: Work, body: Texts) -> list[ArticleOut]:
    """Read some texts as the stream does, with the model in use; nothing is stored."""
    now, rules = time_of(store), work.settings.dates.rules()
    items: list[Article] = []
    for number, text in enumerate(body.items):
        item = to_article(
            RawItem(
                source="api",
                origin=f"api:{number}",
                title=text.title,
                summary=text.summary,
                url=None,
                guid=None,
                published=text.published_at or now,
                language=text.language,
            ),
            now,
            rules,
        )
        if not isinstance(item, Article):
            raise HTTPException(422, f"items.{number}: {item.detail}")
        items.append(item)
    return [ArticleOut.of(each) for each in work.model.classify(store, items)]


@model.post("/explain")
def explain(_: Reader, store: Opened, work: Work, body: Question) -> dict[str, Any]:
    """How much each word of a text speaks for a label, by occlusion; in log-odds."""
    from models.explain import explain as run

    found = run(work.model.main(store), body.text, body.head, body.label, "occlusion")
    return found.as_json()


def _next(letter: dead.DeadLetter) -> str:
    return cursor(to_micros(letter.item.failed_at), letter.id)
