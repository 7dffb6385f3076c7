"""What people say of articles, over both databases: kept as it was said, taken back by whoever said it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.alert.rulebind import load_rules
from monitor.alert.story import Names
from monitor.domain import Label, LabelRole
from monitor.errors import PoisonError
from monitor.pipeline import ALERTS, LABELS
from monitor.store import Store, audit, labels
from monitor.store.labels import LabelRefused
from monitor.stream import LocalStreamSettings, open_broker
from monitor.stream.codec import LABEL
from tests.support.desk import WORLD, Desk
from tests.support.make import T0, classified, label

MINUTE = timedelta(minutes=1)


def put(store: Store, *said: Label) -> list[Label]:
    with store.write() as connection:
        return [labels.add(connection, each) for each in said]


def stored(store: Store) -> list[Label]:
    with store.read() as connection:
        return labels.events(connection)


def test_a_label_is_kept_as_it_was_said_and_is_in_the_audit(store: Store) -> None:
    first, second, third = put(
        store,
        label(),
        label("b", "Earnings", head="topic", predicted=None, probability=None, guess_shown=True),
        label("a", "neutral", "eve", head="target", company_id="acme", role=LabelRole.ADJUDICATION),
    )
    assert stored(store) == [first, second, third]
    assert replace(second, id=None) == label(
        "b", "Earnings", head="topic", predicted=None, probability=None, guess_shown=True
    )
    with store.read() as connection:
        assert labels.events(connection, head="topic") == [second]
        assert labels.events(connection, articles=[first.article_id]) == [first, third]
    trail = audit.trail(store, first.article_id)
    assert [(each.act, each.who, each.comment) for each in trail] == [
        ("labelled", "ann", "sentiment"),
        ("adjudicated", "eve", "target acme"),
    ]
    assert trail[0].after == {"value": "negative", "label": first.id}
    with pytest.raises(LabelRefused, match="needs a value"):
        put(store, label(value=None))


def test_taking_back_is_an_event_of_ones_own(store: Store) -> None:
    said, other = put(store, label(), label(who="bob"))
    with store.write() as connection:
        back = labels.withdraw(connection, said.id or 0, "ann", T0 + MINUTE)
    assert (back.value, back.withdraws, back.question) == (None, said.id, said.question)
    assert stored(store) == [said, other, back]
    refused = [
        (said.id, "ann", "already"),
        (other.id, "ann", "bob's"),
        (99, "ann", "there is none"),
    ]
    for id_, who, why in (*refused, (back.id, "ann", "there is none")):
        with pytest.raises(LabelRefused, match=why), store.write() as connection:
            labels.withdraw(connection, id_ or 0, who, T0)
    assert stored(store) == [said, other, back]
    assert [each.act for each in audit.trail(store, said.article_id)][-1] == "withdrawn"


def test_of_many_who_take_back_at_once_one_does(store: Store) -> None:
    (said,) = put(store, label())
    refused: list[str] = []

    def click() -> None:
        try:
            with store.write() as connection:
                labels.withdraw(connection, said.id or 0, "ann", T0)
        except LabelRefused as error:
            refused.append(str(error))

    threads = [threading.Thread(target=click) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 4 and len(stored(store)) == 2


Deed = tuple[str, str, int]
DEEDS = st.lists(
    st.tuples(st.sampled_from(["ann", "bob"]), st.sampled_from(["say", "back"]), st.integers(0, 6)),
    max_size=12,
)


@pytest.fixture(scope="module")
def one_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store that every example goes on with."""
    store = Store(f"sqlite:///{tmp_path_factory.mktemp('labels') / 'store.db'}")
    yield store
    store.close()


@settings(max_examples=25)
@given(deeds=DEEDS)
def test_a_label_is_never_lost_nor_changed(one_store: Store, deeds: list[Deed]) -> None:
    """Whatever people do: what was there before an act is there after it, unchanged, in its place."""
    store = one_store
    before = stored(store)
    for step, (who, deed, which) in enumerate(deeds):
        now = T0 + step * MINUTE
        try:
            with store.write() as connection:
                if deed == "say":
                    value = ("negative", "neutral", "positive")[which % 3]
                    labels.add(connection, label(f"n{which}", value, who, at=now))
                else:
                    labels.withdraw(connection, len(before) - which, who, now)
        except LabelRefused:
            assert stored(store) == before
        with store.write() as connection:
            labels.mark_relayed(connection, labels.unrelayed(connection, 3))
        after = stored(store)
        assert after[: len(before)] == before
        before = after


def test_labels_reach_their_stream_once(store: Store, tmp_path: Path) -> None:
    broker = open_broker(LocalStreamSettings(path=tmp_path / "streams.db"))
    broker.create({"news.articles": 1, ALERTS: 1, LABELS: 1})
    desk = Desk(store, broker, load_rules(None, WORLD), Names({"acme": "Acme"}, {}))
    desk.tell([classified()], T0 + MINUTE)
    said = put(store, label(), label("b", "Macro", "bob", head="topic"))
    with store.write() as connection:
        said.append(labels.withdraw(connection, said[0].id or 0, "ann", T0 + MINUTE))
    turn = desk.alert.process(())
    sent = [LABEL.decode(message.value) for message in turn.outputs[LABELS]]
    assert sent == said == [LABEL.decode(LABEL.encode(each)) for each in said]
    assert [message.key for message in turn.outputs[LABELS]] == [each.article_id for each in said]
    # Not marked before they are durable: another process would send them again.
    assert desk.alert.process(()).outputs[LABELS] == turn.outputs[LABELS]
    assert turn.after is not None
    turn.after()
    assert LABELS not in desk.alert.process(()).outputs
    assert stored(store) == said
    broker.close()


def test_a_label_of_another_kind_is_poison() -> None:
    wrong = LABEL.encode(label()).replace(b'"role":"annotation"', b'"role":"guess"')
    with pytest.raises(PoisonError, match="role"):
        LABEL.decode(wrong)
