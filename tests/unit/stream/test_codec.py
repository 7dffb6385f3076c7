"""Records of an earlier version are read as they were."""

from __future__ import annotations

import json

from monitor.stream.codec import CLASSIFIED, Classified, Origin
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
