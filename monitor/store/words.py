"""Full text of stored articles: an index of the words of their titles and leads, in any script.

Words are cut here and not by the database, so that both databases find the same: folded
(`monitor.entities.fold`), and text without spaces (Chinese, Japanese, Thai) in overlapping pairs of
characters, so that a word of two or more is a row of such pairs. SQLite keeps them in an FTS5 table,
PostgreSQL in a ``tsvector`` with a GIN index; neither is in `schema.metadata`, which knows plain tables only.

A row's number begins with the second it was published in: the newest finds are read first, however many
there are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import Connection, text

from monitor.domain import ClassifiedArticle, digest, to_micros
from monitor.entities.fold import fold, is_unspaced
from monitor.store.schema import OTHER_INDEX

TABLE = "item_words"
CHUNK = 5_000  # articles indexed at a time
LEAD_CHARS = 600  # of a lead; what decides stands at its beginning
LEAST_BEGINNING = 3  # letters from which on a word of a question is the beginning of words
MOST_WORDS = 24  # of a question
_HASH_BITS = 31
_BEFORE_ALL_US = -(2**63)
_RUN = re.compile(r"[^\W_]+")
_ASKED = re.compile(r'(-?)(?:"([^"]*)"|(\S+))')


def create(connection: Connection) -> None:
    """Make the index, empty."""
    if connection.dialect.name == "sqlite":
        connection.execute(
            text(
                f"CREATE VIRTUAL TABLE {TABLE} USING fts5(article_id UNINDEXED, words, "
                "tokenize = 'unicode61 remove_diacritics 0')"
            )
        )
        return
    connection.execute(
        text(
            f"CREATE TABLE {TABLE} (place BIGINT PRIMARY KEY, article_id VARCHAR(32) NOT NULL, "
            "words TSVECTOR NOT NULL)"
        )
    )
    connection.execute(text(f"CREATE INDEX ix_{TABLE}_words ON {TABLE} USING gin (words)"))


def drop(connection: Connection) -> None:
    """Drop the index."""
    connection.execute(text(f"DROP TABLE {TABLE}"))


def fill(connection: Connection) -> None:
    """Index every stored article anew, as those of an earlier version and damaged ones need it."""
    connection.execute(text(f"DELETE FROM {TABLE}"))
    stored = text(
        "SELECT id, published_us, title, lead FROM articles "
        "WHERE current AND (published_us, id) > (:after_us, :after) "
        "ORDER BY published_us, id LIMIT :size"
    )
    place = {"after_us": _BEFORE_ALL_US, "after": ""}
    while rows := connection.execute(stored, {**place, "size": CHUNK}).all():
        put(connection, [(row.id, row.published_us, row.title, row.lead) for row in rows])
        place = {"after_us": rows[-1].published_us, "after": rows[-1].id}


def add(connection: Connection, items: Iterable[ClassifiedArticle]) -> None:
    """Index the current revisions of some articles."""
    put(
        connection,
        (
            (a.id, to_micros(a.published_at), a.title, a.lead)
            for a in (item.article for item in items)
        ),
    )


def put(connection: Connection, rows: Iterable[tuple[str, int, str, str]]) -> None:
    """Index rows of (id, published_us, title, lead)."""
    sqlite = connection.dialect.name == "sqlite"
    values: dict[int, tuple[int, str, str]] = {}
    for id_, published_us, title, lead in rows:
        words = list(cut(f"{title} \n {lead[:LEAD_CHARS]}"))
        held = " ".join(words) if sqlite else _vector(words)
        at = place(id_, published_us)
        values[at] = (at, id_, held)
    if not values:
        return
    if sqlite:
        insert = f"INSERT OR REPLACE INTO {TABLE}(rowid, article_id, words) VALUES (?, ?, ?)"
        connection.exec_driver_sql(insert, list(values.values()))
        return
    insert = (
        f"INSERT INTO {TABLE}(place, article_id, words) SELECT at, id, held::tsvector "
        "FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS given(at, id, held) "
        "ON CONFLICT (place) DO UPDATE SET article_id = EXCLUDED.article_id, words = EXCLUDED.words"
    )
    connection.exec_driver_sql(insert, tuple(map(list, zip(*values.values(), strict=True))))


def remove(connection: Connection, rows: Iterable[tuple[str, int]]) -> None:
    """Take rows of (id, published_us) out."""
    places = [(place(id_, published_us),) for id_, published_us in rows]
    if not places:
        return
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"DELETE FROM {TABLE} WHERE rowid = ?", places)
    else:
        connection.exec_driver_sql(f"DELETE FROM {TABLE} WHERE place = %s", places)


def find(connection: Connection, question: str, limit: int, *, any_word: bool = False) -> list[str]:
    """Return the ids of the articles that hold every word of a question, those published last first.

    A word finds words that begin with it, from `LEAST_BEGINNING` letters on; ``"quoted words"`` stand so, one
    behind the other; ``-word`` must not be there. With ``any_word`` one word is enough.
    """
    wanted, unwanted = read(question)
    if not wanted:
        return []
    sqlite = connection.dialect.name == "sqlite"
    one = _sqlite_term if sqlite else _server_term
    joint, no = (" OR ", " NOT ") if sqlite else (" | ", " & !")
    if not any_word:
        joint = " AND " if sqlite else " & "
    asked = "(" + joint.join(one(words, begins) for words, begins in wanted) + ")"
    for words, begins in unwanted:
        asked += f"{no}{one(words, begins)}"
    if sqlite:
        query = (
            f"SELECT article_id FROM {TABLE} WHERE {TABLE} MATCH :asked "
            "ORDER BY rowid DESC LIMIT :limit"
        )
    else:
        query = (
            f"SELECT article_id FROM {TABLE} WHERE words @@ (:asked)::tsquery "
            "ORDER BY place DESC LIMIT :limit"
        )
    found = connection.execute(text(query), {"asked": asked, "limit": limit})
    return list(found.scalars())


def is_schema(name: str | None, kind: str, _parents: object = None) -> bool:
    """Say whether Alembic is to compare something: this index and its parts are not in the metadata.

    Nor is an index that one of the databases has.
    """
    return name != OTHER_INDEX and (kind != "table" or not (name or "").startswith(TABLE))


Term = tuple[tuple[str, ...], bool]
"""Words that stand one behind the other, and whether the last of them is only the beginning of a word."""


def read(question: str) -> tuple[list[Term], list[Term]]:
    """Return what a question wants, and what it does not.

    Examples
    --------
    >>> read('Recall "chapter 11" -rumour')
    ([(('recall',), True), (('chapter', '11'), False)], [(('rumour',), True)])
    >>> [(words, begins)] = read("\\u7834\\u4ea7\\u91cd\\u6574")[0]
    >>> words == ("\\u7834\\u4ea7", "\\u4ea7\\u91cd", "\\u91cd\\u6574"), begins
    (True, False)
    """
    wanted: list[Term] = []
    unwanted: list[Term] = []
    for no, quoted, word in _ASKED.findall(question.replace("\0", " ")):
        words = tuple(cut(quoted or word, asked=True))
        if not words:
            continue
        last = words[-1]
        begins = not quoted and (len(last) >= LEAST_BEGINNING or is_unspaced(last[0]))
        if is_unspaced(last[0]):
            begins = len(last) == 1
        (unwanted if no else wanted).append((words, begins))
    return wanted[:MOST_WORDS], unwanted[:MOST_WORDS]


def cut(string: str, *, asked: bool = False) -> Iterator[str]:
    """Yield the words of a text; of one that is ``asked`` for, a run of pairs ends with a pair.

    Examples
    --------
    >>> list(cut("Nestl\\u00e9's Q3: \\u94f6\\u884c\\u7834\\u4ea7"))[:3]
    ['nestle', 's', 'q3']
    >>> four = "\\u94f6\\u884c\\u7834\\u4ea7"
    >>> len(list(cut(four))), len(list(cut(four, asked=True)))
    (4, 3)
    """
    folded = fold(string)
    if folded.isascii():  # most of what there is
        yield from _RUN.findall(folded)
        return
    for run in _RUN.findall(folded):
        if run.isascii() or not any(map(is_unspaced, run)):
            yield run
            continue
        for part, unspaced in _parts(run):
            if not unspaced:
                yield part
                continue
            ends = len(part) - (asked and len(part) > 1)
            for at in range(ends):
                yield part[at : at + 2]


def place(id_: str, published_us: int) -> int:
    """Return the number of an article's row: the second, then bits of the id."""
    second = max(0, min(published_us // 1_000_000, 2**32 - 1))
    return (second << _HASH_BITS) | (int(digest(id_)[:8], 16) >> 1)


def _parts(run: str) -> Iterator[tuple[str, bool]]:
    begin = 0
    for at in range(1, len(run) + 1):
        if at == len(run) or is_unspaced(run[at]) != is_unspaced(run[begin]):
            yield run[begin:at], is_unspaced(run[begin])
            begin = at


def _sqlite_term(words: Sequence[str], begins: bool) -> str:
    return f'"{" ".join(words)}"{"*" if begins else ""}'


def _server_term(words: Sequence[str], begins: bool) -> str:
    quoted = [f"'{word}'" for word in words]
    return "(" + " <-> ".join(quoted) + (":*" if begins else "") + ")"


def _vector(words: Sequence[str]) -> str:
    """Return PostgreSQL's form of words with their places; words are letters and digits only."""
    places: dict[str, list[int]] = {}
    for at, word in enumerate(words, start=1):
        places.setdefault(word[:500], []).append(min(at, 16_383))
    return " ".join(f"'{word}':{','.join(map(str, at[:200]))}" for word, at in places.items())
