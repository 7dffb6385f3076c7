"""Whom an event happened to, on headlines that name a watched company and tell of somebody else."""

from __future__ import annotations

import pytest

from monitor.alert.about import concerned, is_cause
from monitor.alert.story import Names
from monitor.domain import Article, ClassifiedArticle, Company
from monitor.entities import Resolver
from monitor.stories import RiskPack
from tests.support.make import classified

PACK = RiskPack.load()
RESOLVER = Resolver(
    [
        Company("acme", "Acme"),
        Company("brown", "Brown Motor"),
        Company("freedonia", "Freedonia"),
        Company("gr", "Greece"),
    ]
)


def read(title: str) -> ClassifiedArticle:
    item = classified(title=title)
    article: Article = item.article
    return ClassifiedArticle(
        **{
            **{name: getattr(item, name) for name in ClassifiedArticle.__dataclass_fields__},
            "article": article,
            "mentions": RESOLVER.resolve(title),
            "risks": PACK.match(title),
        }
    )


def affected(title: str, event: str) -> tuple[str, ...]:
    item = read(title)
    (risk,) = (risk for risk in item.risks if risk.event == event)
    return concerned(item, risk, PACK.rules[risk.rule].about)


@pytest.mark.parametrize(
    ("title", "event", "companies"),
    [
        ("Zenith to buy Acme for $2.5 bln", "takeover_target", ("acme",)),
        ("Acme to buy Zenith for $2.5 bln", "takeover_target", ()),
        ("Zenith to acquire Acme's lamps", "takeover_target", ()),
        ("Zenith buys Acme lamp works", "takeover_target", ()),
        ("Acme shares jump after Zenith offer", "takeover_target", ("acme",)),
        ("Acme shares plunge after outlook", "share_plunge", ("acme",)),
        ("Freedonia stocks hurt as miner Zenith, Acme tumble", "share_plunge", ("acme",)),
        ("Lamp stocks plunge on property and Acme news", "share_plunge", ()),
        ("Acme mulls bid for insolvent Karstetter, sources say", "bankruptcy", ()),
        ("Insolvent Acme finds buyer", "bankruptcy", ("acme",)),
        ("Zenith CEO resigned; receives notice from Acme", "executive_exit", ()),
        ("Lamp maker may default on bonds - Acme", "default", ()),
        ("Freedonia fines Acme over cartel", "fine", ("acme",)),
        ("Acme fined by Freedonia over cartel", "fine", ("acme", "freedonia")),
        ("Regulator fines Acme, Brown Motor over cartel", "fine", ("acme", "brown")),
        ("Lamp stocks tumble on Acme capex plan", "share_plunge", ()),
        ("Lamp maker fails to pay Acme", "default", ()),
        ("Acme fails to pay Brown Motor", "default", ("acme",)),
        ("Lenders Including Acme back Chapter 11 plan for lamp maker", "bankruptcy", ()),
        ("Acme chief economist calls for bank bailout", "rescue", ()),
        ("Acme chief economist says Brown Motor needs bailout", "rescue", ("brown",)),
        ("Acme says investigating report on its factory", "probe", ()),
    ],
)
def test_whom_it_happened_to(title: str, event: str, companies: tuple[str, ...]) -> None:
    assert set(affected(title, event)) == set(companies)


@pytest.mark.parametrize(
    ("title", "event", "who"),
    [
        ("Greece asks for bailout", "rescue", ("gr",)),
        ("Greece's Acme asks for bailout", "rescue", ("acme",)),  # only where Acme is
        ("Greece's bailout in doubt", "rescue", ("gr",)),
        ("Greece's Acme says CEO resigns", "executive_exit", ("acme",)),
        ("Greece CEO resigns", "executive_exit", ()),  # a state has none
    ],
)
def test_a_state_is_no_company(title: str, event: str, who: tuple[str, ...]) -> None:
    names = Names({}, {}, companies_only=PACK.companies_only, states=frozenset({"gr"}))
    item = read(title)
    (risk,) = (risk for risk in item.risks if risk.event == event)
    assert names.concerned(item, risk) == who


def test_a_cause_is_not_the_news() -> None:
    item = read("Acme CEO steps down in wake of data breach")
    exit_, breach = (
        next(risk for risk in item.risks if risk.event == event)
        for event in ("executive_exit", "cyber")
    )
    assert is_cause(breach, exit_)
    assert not is_cause(exit_, breach)
