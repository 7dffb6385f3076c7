"""Full text: on both databases the same finds, and none of what is no more current or was deleted."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from datetime import timedelta

from alembic import command
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from monitor.aggregate.recount import rebuild
from monitor.domain import ClassifiedArticle, digest, to_micros
from monitor.store import Store, articles, retention, words
from monitor.store.migrate import alembic_config, upgrade
from tests.support.make import T0, classified

DAY = timedelta(days=1)
TITLES = (
    "Acme recalls 5,000 cookers after burns",
    "Acme files for Chapter 11, lenders say",
    "Nestlé's recall widens: 11 plants, chapter two",
    "恒大集团宣布破产重整",
    "中国银行下调利率，恒大股价上涨",
    "It's a 100% AND-gate: NOT (or) NEAR/2 *x* \"quoted\" 'single' \\ 🙂",
)


def news() -> list[ClassifiedArticle]:
    return [
        classified(f"n{at}", title, published_at=T0 + timedelta(minutes=at), companies=())
        for at, title in enumerate(TITLES)
    ]


def add(store: Store, *items: ClassifiedArticle) -> None:
    with store.write() as connection:
        articles.add(connection, items)


def found(store: Store, question: str, limit: int = 10, any_word: bool = False) -> list[int]:
    """Return the numbers of the titles that were found, in their order."""
    by_id = {digest(f"n{at}"): at for at in range(len(TITLES))}
    with store.read() as connection:
        return [by_id[id_] for id_ in words.find(connection, question, limit, any_word=any_word)]


QUESTIONS: dict[str, list[int]] = {
    "recall": [2, 0],  # the newest first, and beginnings of words
    "RECALLS": [0],
    "acme -recalls": [1],
    '"chapter 11"': [1],
    "chapter 11": [2, 1],  # both words, anywhere
    '"11 chapter"': [],
    "nestle": [2],
    "NESTLÉ’S": [2],
    "破产": [3],
    "破产重整": [3],
    "产破": [],
    "恒大": [4, 3],
    "恒": [4, 3],
    "恒大 -利率": [3],
    "集团宣布破产": [3],
    "团破": [],
    "ac": [],  # too short for a beginning
    "": [],
    "-acme": [],
    "''' \" ( * NEAR": [5],
    "near 2": [5],
    "and-gate": [5],
}


def test_what_questions_find(store: Store) -> None:
    add(store, *news())
    assert {question: found(store, question) for question in QUESTIONS} == QUESTIONS


def test_a_damaged_index_is_made_anew_with_the_buckets(store: Store) -> None:
    add(store, *news())
    with store.write() as connection:
        words.remove(connection, [(news()[0].article.id, to_micros(T0))])
        words.put(connection, [("gone", to_micros(T0), "Acme recalls nothing", "")])
    rebuild(store, {})
    assert found(store, "recalls") == [0]


def test_one_word_is_enough_where_that_is_asked(store: Store) -> None:
    add(store, *news())
    assert found(store, "cookers 利率 nothing", any_word=True) == [4, 0]
    assert found(store, "recall", limit=1) == [2]


def test_only_what_is_current_and_stored_is_found(store: Store) -> None:
    add(store, *news())
    first = news()[0]
    later = replace(
        first.article,
        revision="1" * 16,
        title="Acme calls back cookers",
        ingested_at=first.article.ingested_at + DAY,
    )
    add(store, replace(first, article=later))
    add(store, first)  # a repeat of what is displaced
    assert found(store, "recalls") == [] and found(store, "calls cookers") == [0]
    assert retention.expire(store, T0 + 90 * DAY) == len(TITLES)
    assert found(store, "acme") == [] and found(store, "恒大") == []


def test_an_older_database_is_indexed_when_it_is_upgraded(store: Store) -> None:
    add(store, *news())
    before = found(store, "chapter")
    config = alembic_config()
    with store.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0018")
        assert connection.execute(text("SELECT count(*) FROM articles")).scalar() == len(TITLES)
    upgrade(store.engine)
    assert found(store, "chapter") == before == [2, 1]
    assert found(store, "破产重整") == [3]


@given(st.text(max_size=40))
def test_any_text_is_cut_into_words_of_letters_and_digits(string: str) -> None:
    cut = list(words.cut(string))
    assert all(word and word.replace("_", "") == word for word in cut)
    assert not any(unicodedata.category(sign)[0] in "ZPSC" for word in cut for sign in word)
    for wanted in words.read(string):
        assert all(term for term, _ in wanted)


def test_no_question_breaks_the_query(store: Store) -> None:
    add(store, *news())
    for question in (
        "a" * 300,
        '"' * 9,
        "'); DROP TABLE articles; --",
        "\\:* & | !",
        "x:* <-> y",
        "🙂 ﷽",
    ):
        found(store, question)
        found(store, question, any_word=True)
    assert found(store, "recall") == [2, 0]
