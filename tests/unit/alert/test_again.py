"""Which articles are of a text that was published before."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.aggregate.stage import count
from monitor.aggregate.weights import Scale
from monitor.alert.again import published_before
from monitor.domain import ClassifiedArticle
from monitor.store import Store
from tests.support.make import T0, classified, risk

MONTH = timedelta(days=30)
LONG = "Acme recalls 5,000 cookers after burns at three homes"
SHORT = "Acme recalls cookers after burns"


def article(
    name: str, title: str, lead: str = "", days: float = 0, severity: int = 4
) -> ClassifiedArticle:
    found = classified(
        name,
        title,
        published_at=T0 + timedelta(days=days),
        risks=[risk("recall", severity)],
    )
    return replace(found, article=replace(found.article, lead=lead))


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (article("old", LONG, days=-40), article("new", LONG), True),
        (article("old", LONG, days=-40), article("new", f"UPDATE 1-{LONG.title()}"), True),
        (article("old", LONG, days=-29), article("new", LONG), False),
        (article("old", LONG, days=-40), article("old", LONG), False),  # itself
        (article("old", LONG, days=-40), article("new", LONG.replace("5", "6")), False),
        # A few words come again of themselves, but for the gravest.
        (article("old", SHORT, days=-40), article("new", SHORT), False),
        (article("old", SHORT, days=-40), article("new", SHORT, severity=5), True),
        # Where both have a lead, it decides.
        (article("old", SHORT, "Lead.", days=-40), article("new", SHORT, "LEAD."), True),
        (article("old", LONG, "Lead.", days=-40), article("new", LONG, "Another."), False),
        (article("old", LONG, "Lead.", days=-40), article("new", LONG), True),
        (
            article("old", "艾克米公司因质量问题召回五千台炊具", days=-40),
            article("new", "艾克米公司因质量问题召回五千台炊具"),
            True,
        ),
    ],
)
def test_published_before(
    store: Store, before: ClassifiedArticle, now: ClassifiedArticle, expected: bool
) -> None:
    with store.write() as connection:
        count(connection, [before, now], Scale())
        assert published_before(connection, now, MONTH) is expected
