"""Records come back as they went, those of other versions are read as they were, and others are refused."""

from __future__ import annotations

import json

import pytest

from monitor.domain import DeadReason
from monitor.errors import PoisonError
from monitor.stream.codec import ALERT, CLASSIFIED, Classified, Origin
from tests.support.make import classified


def test_a_record_comes_back_as_it_went() -> None:
    record = Classified(classified(companies=("acme", "zenith")), Origin(1, 2))
    assert CLASSIFIED.decode(CLASSIFIED.encode(record)) == record


def test_a_mention_from_before_relevance_was_read_has_none() -> None:
    wire = json.loads(CLASSIFIED.encode(Classified(classified(companies=("acme",)), Origin(1, 2))))
    for mention in wire["body"]["item"]["mentions"]:
        assert mention.pop("relevance") == "title"
    (mention,) = CLASSIFIED.decode(json.dumps(wire).encode()).item.mentions
    assert (mention.company_id, mention.relevance) == ("acme", None)


def test_an_article_from_before_authors_were_kept_names_none() -> None:
    wire = json.loads(CLASSIFIED.encode(Classified(classified(), Origin(1, 2))))
    assert wire["body"]["item"]["article"].pop("author") == ""
    assert CLASSIFIED.decode(json.dumps(wire).encode()).item.article.author == ""


def test_a_field_of_a_later_version_is_passed_over() -> None:
    record = Classified(classified(companies=("acme",)), Origin(1, 2))
    wire = json.loads(CLASSIFIED.encode(record))
    wire["body"]["item"]["article"]["colour"] = "blue"
    assert CLASSIFIED.decode(json.dumps(wire).encode()) == record


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"schema_version": 2}, "unknown schema_version 2; this version reads 1"),
        ({"schema_version": None}, "not a Foreshock record: it has no schema_version"),
        ({"kind": "article"}, "$.kind"),
        ({"colour": "blue"}, "unknown field `colour`"),
        ({"body": {"item": 3, "origin": None}}, "$.body.item"),
    ],
)
def test_what_is_not_ours_is_refused_and_says_why(change: dict[str, object], why: str) -> None:
    wire = json.loads(CLASSIFIED.encode(Classified(classified(), None))) | change
    with pytest.raises(PoisonError) as refused:
        CLASSIFIED.decode(json.dumps(wire).encode())
    assert refused.value.reason is DeadReason.SCHEMA
    assert why in str(refused.value)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\xff",
        b"[]",
        b"null",
        b'{"a":' * 100_000,
        b'{"schema_version":1,"body":' + b"[" * 100_000,
    ],
    ids=["empty", "not UTF-8", "a list", "null", "deep", "deep body"],
)
def test_any_bytes_are_refused_quietly(value: bytes) -> None:
    for codec in (CLASSIFIED, ALERT):
        with pytest.raises(PoisonError):
            codec.decode(value)
