"""The API over a real server: who may what, what it says, and what it refuses."""

from __future__ import annotations

import csv
import io
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pandas as pd
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as bounded
from schemathesis.core.result import Ok
from starlette.routing import Mount, Route

from dashboards import app, desk
from dashboards.desk import Desk
from models.routing import Router
from monitor.access.roles import Role
from monitor.api.shapes import ArticleOut
from monitor.classify.stage import ClassifyStage
from monitor.client import ApiRefused, Client
from monitor.clock import SystemClock
from monitor.collect.articles import to_article
from monitor.collect.dates import DateRules
from monitor.collect.raw import RawItem
from monitor.collect.source import SourceConfig
from monitor.collect.sources import open_source
from monitor.collect.streams import PushSource
from monitor.domain import Article, Dimension, revision_of
from monitor.entities.resolver import Resolver
from monitor.metrics import Metrics
from monitor.pipeline import CLASSIFIEDS, Input
from monitor.store import Store, alerts, articles, audit, companies, people
from monitor.stories.risk import RiskPack
from monitor.stream import LocalStreamSettings, open_broker
from monitor.stream.codec import CLASSIFIED
from monitor.stream.port import Record
from tests.browser import seed
from tests.support.make import T0, classified
from tests.support.make import alert as alert_of
from tests.support.web import PEOPLE, Browser, populate, web

TRAP = "http://127.0.0.1:9"


@dataclass
class Served:
    """A server, its store, and a token of each role."""

    url: str
    store: Store
    tokens: dict[str, str]

    def client(self, name: str) -> Client:
        return Client(self.url, self.tokens[name])

    def ask(self, name: str | None, method: str, path: str, body: Any = None) -> int:
        headers: dict[str, Any] = {"Authorization": f"Bearer {self.tokens[name]}"} if name else {}
        sent = None if body is None else json.dumps(body).encode()
        if sent is not None:
            headers["Content-Type"] = "application/json"
        return Browser(self.url).ask(path, method=method, body=sent, **headers).status


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("api")
    store = Store(f"sqlite:///{folder / 'foreshock.db'}")
    story = sorted([*seed.pieces(scale=0.05), *seed.hostile(TRAP)], key=lambda piece: piece.at)
    seed.fill(store, folder, story)
    tokens = populate(store)
    (folder / "foreshock.toml").write_text('[[sources]]\nname = "desk"\nkind = "push"\n')
    with web(str(store.url), folder, requests_per_minute=100_000) as url:
        yield Served(url, store, tokens)
    store.close()


ALERT = "/api/v1/alerts/{alert_id}"
#: The least role for every route, and what is sent. A route that is not here fails a test.
MATRIX: dict[tuple[str, str], tuple[Role, Any]] = {
    **{
        ("GET", f"/api/v1{path}"): (Role.VIEWER, None)
        for path in (
            *("/me", "/articles", "/articles/export", "/articles/{article_id}", "/stories"),
            *("/articles/search?q=x", "/articles/{article_id}/revisions"),
            *("/trends?key=x", "/companies", "/alerts", "/alerts/export", "/alerts/atom"),
            *("/alerts/{alert_id}", "/health", "/sources", "/models"),
            *("/alerts/stream", "/labels", "/labels/gold", "/labels/agreement"),
        )
    },
    ("POST", "/api/v1/classify"): (Role.VIEWER, {"items": [{"title": "Acme fails"}]}),
    ("POST", "/api/v1/explain"): (Role.VIEWER, {"text": "Acme fails", "head": "sentiment"}),
    ("GET", "/api/v1/labels/queue"): (Role.ANALYST, None),
    ("GET", "/api/v1/dead-letters"): (Role.ANALYST, None),
    ("POST", "/api/v1/labels"): (
        Role.ANALYST,
        {"article_id": "none", "head": "sentiment", "value": "negative"},
    ),
    ("DELETE", "/api/v1/labels/{label_id}"): (Role.ANALYST, None),
    ("POST", "/api/v1/sources/{name}/items"): (
        Role.ANALYST,
        {"items": [{"key": "1", "title": "Acme Corp fails"}]},
    ),
    ("POST", f"{ALERT}/acknowledge"): (Role.ANALYST, {}),
    ("POST", f"{ALERT}/assign"): (Role.ANALYST, {"to": "ann"}),
    ("POST", f"{ALERT}/snooze"): (Role.ANALYST, {"hours": 1}),
    ("POST", f"{ALERT}/wake"): (Role.ANALYST, {}),
    ("POST", f"{ALERT}/resolve"): (Role.ANALYST, {}),
    ("POST", f"{ALERT}/reopen"): (Role.ANALYST, {}),
    ("POST", f"{ALERT}/comment"): (Role.ANALYST, {"comment": "x"}),
    ("POST", f"{ALERT}/verdict"): (Role.ANALYST, {"verdict": "true"}),
    **{
        ("GET", f"/api/v1{path}"): (Role.ADMIN, None)
        for path in ("/people", "/audit", "/audit/verify")
    },
    ("GET", "/metrics"): (Role.VIEWER, None),
}
#: Open to everybody, or of a browser's session: `tests/integration/test_login.py` is about these.
OTHERS = {
    "/healthz",
    "/readyz",
    "/login",
    "/login.css",
    "/login/oidc",
    "/login/oidc/start",
    "/account",
}
OTHERS |= {"/account/password", "/account/signout", "/api/v1"}


def test_every_route_is_in_the_matrix(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "_desk", Desk("sqlite:///none.db"))
    own = [route for route in app.routes() if isinstance(route, Route | Mount)]
    schema = Browser(served.url).ask(
        "/api/v1/openapi.json", Authorization=f"Bearer {served.tokens['vic']}"
    )
    listed = {
        (method.upper(), f"/api/v1{path}")
        for path, methods in json.loads(schema.text)["paths"].items()
        for method in methods
    }
    listed |= {("GET", route.path) for route in own if route.path not in OTHERS}
    assert listed == {(method, path.partition("?")[0]) for method, path in MATRIX}


@pytest.mark.parametrize(("method", "path"), MATRIX, ids=lambda each: str(each))
def test_each_role_may_what_is_its_and_nothing_else(served: Served, method: str, path: str) -> None:
    least, body = MATRIX[method, path]
    real = path.format(alert_id="0" * 32, article_id="0" * 32, label_id=2**40, name="desk")
    assert served.ask(None, method, real, body) == 401
    for name, role in PEOPLE.items():
        if path.endswith("/stream") and role.may(least):
            with served.client(name) as client:
                assert next(client.follow(0))[0] > 0
            continue
        status = served.ask(name, method, real, body)
        if role.may(least):
            assert status not in (401, 403) and status < 500, (name, status)
        else:
            assert status == 403, (name, status)


def test_a_token_may_no_more_than_its_scopes_nor_than_its_persons_role_now(served: Served) -> None:
    with served.client("ann") as ann:
        assert ann.me().scopes == ["read", "act"]
        with served.store.write() as connection:
            people.set_role(connection, "ann", Role.VIEWER, "test", T0)
        try:
            assert ann.me().scopes == ["read"]
            with pytest.raises(ApiRefused, match="analyst"):
                ann.acknowledge("0" * 32)
        finally:
            with served.store.write() as connection:
                people.set_role(connection, "ann", Role.ANALYST, "test", T0)
    with pytest.raises(ApiRefused, match="401"), Client(served.url, "foreshock_guess") as nobody:
        nobody.me()


def test_pages_are_whole_and_stand_still_when_news_comes_in(served: Served) -> None:
    with served.client("vic") as vic:
        before = [item.id for item in vic.articles(limit=200)]
        assert len(before) == len(set(before)) > 100
        pages = vic.articles(limit=7)
        shown = [item.id for item in itertools.islice(pages, 20)]
        piece = replace(seed.pieces(scale=0.05)[-1], at=seed.END, title="Something new")
        newcomer = seed.item_of(piece)
        with served.store.write() as connection:
            articles.add(connection, [newcomer])
        shown += [item.id for item in pages]
        assert shown == before
        assert next(vic.articles()).id == newcomer.article.id
        one = vic.article(before[0])
        told = [each.id for each in vic.articles(publisher=one.publisher, limit=200)]
        assert one.id in told and len(told) < len(before)
        named = list(vic.articles(company="castlereach-bancorp", since=T0 - timedelta(days=9000)))
        assert named and all("castlereach-bancorp" in each.companies for each in named)
        with pytest.raises(ApiRefused, match="cursor"):
            vic.get("/articles", cursor="WzEsMl0")


def test_an_update_says_what_it_changed(served: Served) -> None:
    first = classified(
        "an update", "Acme recalls 3,000 fans", published_at=T0 - timedelta(days=400)
    )
    texts = (
        ("Acme recalls 3,000 fans", "Two caught fire. Nobody was hurt."),
        ("Acme recalls 5,000 fans", "Two caught fire. One man was hurt."),
        (
            "Acme recalls 5,000 fans",
            "Two caught fire. One man was hurt.",
        ),  # further down, its body differs
    )
    with served.store.write() as connection:
        for hours, (title, lead) in enumerate(texts):
            at = first.article.ingested_at + timedelta(hours=hours)
            revision = revision_of(title, lead if hours < 2 else f"{lead} It has called its bank.")
            article = replace(
                first.article, title=title, lead=lead, revision=revision, ingested_at=at
            )
            articles.add(connection, [replace(first, article=article)])
    with served.client("vic") as vic:
        told = vic.revisions(first.article.id)
        assert [(each.title, each.lead) for each in told] == list(texts)
        assert told[-1].revision == vic.article(first.article.id).revision
        assert [[(c.part, c.before, c.after) for c in each.changes] for each in told] == [
            [],
            [
                ("title", "Acme recalls 3,000 fans", "Acme recalls 5,000 fans"),
                ("lead", "Nobody was hurt.", "One man was hurt."),
            ],
            [("body", "", "")],
        ]
        with pytest.raises(ApiRefused, match="404"):
            vic.revisions("0" * 32)


def test_labels_are_asked_for_given_and_taken_back(served: Served) -> None:
    with served.client("ann") as ann, served.client("vic") as vic:
        asked = ann.to_label(size=5)
        assert len(asked) == 5
        first = asked[0]
        assert {q.head for q in first.questions} <= {"sentiment", "topic"}
        known = ann.article(first.article_id)
        said = ann.label(first.article_id, "sentiment", "negative", guess_shown=False)
        assert (said.who, said.sampler, said.guess_shown) == ("ann", "api", False)
        assert (said.predicted, said.model_version) == (known.sentiment, known.model_version)
        second = ann.label(first.article_id, "topic", first.questions[-1].labels[0])
        assert first.article_id not in {each.article_id for each in ann.to_label(size=200)}
        listed = [each.id for each in vic.labels(limit=1, who="ann")]
        assert listed == [second.id, said.id]
        assert vic.get("/labels/gold", head="sentiment")[0]["value"] == "negative"
        assert {each["head"] for each in vic.get("/labels/agreement")["heads"]} >= {"sentiment"}
        back = ann.withdraw_label(said.id)
        assert (back.withdraws, back.value) == (said.id, None)
        assert vic.get("/labels/gold", head="sentiment") == []
        refused: list[tuple[Callable[[], object], str]] = [
            (lambda: ann.withdraw_label(said.id), "409: .* taken back already"),
            (lambda: ann.withdraw_label(2**40), "409: .* there is none"),
            (lambda: ann.label(first.article_id, "sentiment", "grim"), "422: .* no label 'grim'"),
            (lambda: ann.label(first.article_id, "mood", "x"), "422: no head 'mood'"),
            (lambda: ann.label("0" * 32, "sentiment", "negative"), "404"),
            (lambda: ann.label(first.article_id, "topic", "x", role="known"), "403"),
            (lambda: vic.label(first.article_id, "sentiment", "negative"), "403"),
        ]
        for act, why in refused:
            with pytest.raises(ApiRefused, match=why):
                act()
    trail = [each.entry.act for each in audit.newest(served.store, 5)]
    assert trail[:3] == ["withdrawn", "labelled", "labelled"]


def test_alerts_are_listed_shown_and_acted_on(served: Served) -> None:
    open_one = alert_of(id="a" * 32, fingerprint="api", event="fraud", severity=5)
    with served.store.write() as connection:
        alerts.save(connection, open_one)
        alerts.record_event(connection, open_one.id, alerts.AlertEvent(T0, "fired", "foreshock"))
    with served.client("ann") as ann:
        listed = {each.id for each in ann.alerts(limit=3)}
        assert listed == {each.id for each in alerts.latest(served.store)}
        assert all(each.severity >= 4 for each in ann.alerts(min_severity=4, state=["firing"]))
        assert ann.acknowledge(open_one.id, "on it").acknowledged_by == "ann"
        with pytest.raises(ApiRefused, match=r"409.*ann acknowledged it") as refused:
            ann.acknowledge(open_one.id)
        assert refused.value.status == 409
        assert ann.assign(open_one.id, "ada").assigned_to == "ada"
        assert ann.snooze(open_one.id, 4).snoozed_until is not None
        assert ann.wake(open_one.id).snoozed_until is None
        assert ann.resolve(open_one.id).closed_by == "ann"
        assert ann.reopen(open_one.id).state == "firing"
        ann.comment(open_one.id, "well")
        whole = ann.verdict(open_one.id, "wrong_company", "another Acme")
        assert whole.verdicts[0]["who"] == "ann" and whole.history[-1]["change"] == "judged"
        with pytest.raises(ApiRefused, match="404"):
            ann.alert("f" * 32)
    told = [entry.act for entry in audit.trail(served.store, open_one.id)]
    assert told[0] == "acknowledged" and told[-1] == "judged" and len(told) == 8
    assert audit.verify(served.store).troubles == ()


def test_events_are_followed_and_gone_on_with(served: Served) -> None:
    one = alert_of(id="b" * 32, fingerprint="events", event="fraud")
    with served.store.write() as connection:
        alerts.save(connection, one)
    with served.client("ann") as ann, served.client("vic") as vic:
        history = [seq for seq, _ in itertools.islice(vic.follow(0), 3)]
        assert history == sorted(history)
        again = [seq for seq, _ in itertools.islice(vic.follow(history[0]), 2)]
        assert again == history[1:]
        threading.Timer(1.0, lambda: ann.comment(one.id, "first")).start()
        seq, happened = next(vic.follow())
        assert (happened.change, happened.actor, happened.alert.id) == ("commented", "ann", one.id)
        ann.comment(one.id, "second")
        later, happened = next(vic.follow(seq))
        assert later > seq and happened.change == "commented"


def test_what_is_pushed_waits_for_collecting(served: Served) -> None:
    path, item = "/api/v1/sources/desk/items", {"key": "push-1", "title": "Acme Corp fails"}
    assert served.ask("ann", "POST", path, {"items": [item]}) == 202
    assert served.ask("ann", "POST", path, {"items": [item]}) == 202  # again, after a lost answer
    assert served.ask("ann", "POST", "/api/v1/sources/none/items", {"items": [item]}) == 404
    assert served.ask("ann", "POST", path, {"items": []}) == 422
    assert served.ask("ann", "POST", path, {"items": [{**item, "titel": "x"}]}) == 422
    assert served.ask("ann", "POST", path, {"items": [{**item, "text": "x" * 2**23}]}) == 413
    database = Path(str(served.store.url).removeprefix("sqlite:///"))
    streams = LocalStreamSettings(database.with_name("foreshock-streams.db"))
    source = open_source(SourceConfig("desk", "push", ""))
    assert isinstance(source, PushSource)
    with closing(open_broker(streams)) as broker, closing(source):
        source.attach(broker, 1)
        found = [each for each in source.poll(T0) if isinstance(each, RawItem)]
    assert [each.title for each in found if each.guid == "push-1"] == ["Acme Corp fails"] * 2


HOSTILE = (
    ("Acme Corp files for Chapter 11", "It owes <b>two</b> billion; call jane.doe@example.com"),
    ("Castlereach Bancorp: profit rises &amp; dividend doubles", ""),
    ("=HYPERLINK(1) Noxarel Semiconductor recalls its chips", "![](http://127.0.0.1:9/x.png)"),
)


def test_classify_says_what_the_stream_stores(served: Served) -> None:
    stored_at = SystemClock().now()
    router = Router.load()
    resolver, pack = Resolver(companies.load(served.store)), RiskPack.load(None)
    stage = ClassifyStage(lambda: router, resolver, 1, pack, SystemClock(), Metrics())
    batch = []
    for number, (title, summary) in enumerate(HOSTILE):
        raw = RawItem("wire", "x:1", title, summary, f"http://a.example/{number}", None, stored_at)
        article = to_article(replace(raw, language="en"), stored_at, DateRules())
        assert isinstance(article, Article)
        batch.append(Input(article, Record("news.articles", 0, number, article.id, b"", 0)))
    messages = stage.process(batch).outputs[CLASSIFIEDS]
    streamed = [ArticleOut.of(CLASSIFIED.decode(each.value).item) for each in messages]
    with served.client("vic") as vic:
        answered = vic.classify(
            [{"title": t, "summary": s, "published_at": stored_at} for t, s in HOSTILE]
        )
    own = {"id", "source", "publisher", "url", "ingested_at"}  # of where an item came from
    for said, stored in zip(answered, streamed, strict=True):
        assert said.model_dump(exclude=own) == stored.model_dump(exclude=own)
    assert [risk["event"] for risk in answered[0].risks] == ["bankruptcy"]
    assert "castlereach-bancorp" in answered[1].companies
    assert answered[0].sentiment is not None and "jane.doe" not in answered[0].lead


def test_explain_names_the_words(served: Served) -> None:
    with served.client("vic") as vic:
        found = vic.explain("Acme profit collapses", "sentiment", "negative")
        strongest = max(found["words"], key=lambda word: word["attribution"])
        assert found["label"] == "negative" and strongest["word"] in ("collapses", "profit")
        with pytest.raises(ApiRefused, match="no head"):
            vic.explain("Acme profit collapses", "no such head")


def test_no_cell_of_an_export_is_a_formula(served: Served) -> None:
    token = served.tokens["vic"]
    answer = Browser(served.url).ask(
        "/api/v1/articles/export?limit=20000", Authorization=f"Bearer {token}"
    )
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    cells = [cell for row in rows for name, cell in row.items() if name != "score"]
    assert not [cell for cell in cells if cell.lstrip()[:1] in tuple("=+-@")]
    assert [cell for cell in cells if cell.startswith("'=cmd|")]
    assert answer.headers["content-type"].startswith("text/csv")
    assert "attachment" in answer.headers["content-disposition"]


def test_exports_hold_what_the_lists_hold(served: Served, tmp_path: Path) -> None:
    import httpx2

    headers: dict[str, Any] = {"Authorization": f"Bearer {served.tokens['vic']}"}
    base = f"{served.url}/api/v1"
    for what in ("articles", "alerts"):
        path = tmp_path / f"{what}.parquet"
        found = httpx2.get(f"{base}/{what}/export?format=parquet&limit=5", headers=headers)
        path.write_bytes(found.content)
        with served.client("vic") as vic:
            listed = [item["id"] for item in vic.get(f"/{what}", limit=5)["items"]]
        assert pd.read_parquet(path)["id"].tolist() == listed


def test_the_atom_feed_is_text(served: Served) -> None:
    headers: dict[str, Any] = {"Authorization": f"Bearer {served.tokens['vic']}"}
    answer = Browser(served.url).ask("/api/v1/alerts/atom", **headers)
    root = ET.fromstring(answer.text)
    space = {"a": "http://www.w3.org/2005/Atom"}
    entries = root.findall("a:entry", space)
    assert entries
    for entry in entries:
        link = entry.find("a:link", space)
        assert link is not None and link.get("href", "").startswith(f"{served.url}/alerts?alert=")
        summary = entry.find("a:summary", space)
        assert summary is not None and summary.get("type") == "text" and not list(summary)
    assert "<script" not in answer.text and "&lt;script&gt;" in answer.text


def test_trends_companies_and_the_service_are_told(served: Served) -> None:
    with served.client("vic") as vic:
        rows = vic.get("/trends", key="castlereach-bancorp", hours=48)
        assert len(rows) == 48 and any(row["items"] for row in rows)
        assert all(row["index"] is None for row in rows if not row["reports"])
        assert vic.get("/trends", key="nobody", grain="day", hours=48)[0]["index"] is None
        assert vic.get("/trends", key="all", dimension=Dimension.MARKET.value)
        known = {each["id"] for each in vic.get("/companies")}
        assert "castlereach-bancorp" in known
        assert vic.get("/health")["as_of"]
        assert [each["source"] for each in vic.get("/sources")] == ["desk"]
        assert vic.get("/sources", state="blocked") == []
        found = vic.get("/articles/search", q='"limits withdrawals" -minister', limit=3)
        assert found and all("limits withdrawals" in each["title"] for each in found)
        assert set(vic.get("/models")) == {"serving", "promotions"}
        stories = vic.get("/stories", least=1)
        assert stories and all(story["companies"] for story in stories)
    with served.client("ada") as ada:
        assert ada.get("/dead-letters")["items"] == []
        assert {each["name"] for each in ada.get("/people")} == set(PEOPLE)
        assert ada.get("/audit", limit=2)[0]["id"] == ada.get("/audit/verify")["entries"]


def test_no_request_is_a_fault_of_the_server(served: Served) -> None:
    """Schemathesis over the OpenAPI, with an admin's token; a stream that goes on is told apart."""
    schema = schemathesis.openapi.from_url(
        f"{served.url}/api/v1/openapi.json",
        headers={"Authorization": f"Bearer {served.tokens['ada']}"},
    )
    schema.config.update(base_url=f"{served.url}/api/v1")
    seen: set[str] = set()
    for result in schema.get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()
        if operation.path in ("/alerts/stream", "/stories", "/explain"):
            continue

        @given(case=operation.as_strategy())
        @bounded(
            max_examples=5,
            deadline=None,
            phases=[Phase.generate],
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        def holds(case: schemathesis.Case[Any]) -> None:
            headers: dict[str, Any] = {"Authorization": f"Bearer {served.tokens['ada']}"}
            answer = case.call(headers=headers)
            seen.add(case.operation.label)
            assert answer.status_code < 500, (case.operation.label, answer.text)
            if answer.status_code >= 400:
                assert answer.headers["content-type"][0] == "application/problem+json"

        holds()
    assert len(seen) > 20


def test_too_many_requests_wait(served: Served, tmp_path: Path) -> None:
    with web(str(served.store.url), tmp_path, requests_per_minute=3) as url:
        headers: dict[str, Any] = {"Authorization": f"Bearer {served.tokens['vic']}"}
        answers = [Browser(url).ask("/api/v1/me", **headers) for _ in range(5)]
        assert [answer.status for answer in answers] == [200, 200, 200, 429, 429]
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 21
        other: dict[str, Any] = {"Authorization": f"Bearer {served.tokens['ann']}"}
        assert Browser(url).ask("/api/v1/me", **other).status == 200
