from __future__ import annotations

import pytest

from monitor.domain import Company, Relevance
from monitor.entities import Resolver

DESK = Resolver([Company("acme", "Acme"), Company("bank", "Zenith Bank")])


@pytest.mark.parametrize(
    ("title", "lead", "relevance"),
    [
        ("Acme recalls pumps", "", "subject"),
        ("UPDATE 2-Acme recalls pumps", "", "subject"),
        ("BRIEF-Acme recalls pumps", "", "subject"),
        ("Japan's Acme recalls pumps", "", "subject"),
        ("Pump makers fall as Acme recalls", "", "title"),
        ("Pump sales may fall: Acme", "", "passing"),
        ("Pumps unsafe, says analyst at Acme", "", "passing"),
        ("Acme analysts cut pump makers", "", "passing"),
        ("Pumps recalled", "Pumps of Acme fail. Police ask why.", "lead"),
        ("Pumps recalled", "Pumps fail. Acme is asked why.", "passing"),
    ],
)
def test_relevance(title: str, lead: str, relevance: str) -> None:
    (mention,) = DESK.resolve(title, lead)
    assert mention.relevance is Relevance(relevance)
