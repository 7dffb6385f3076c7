"""Which reports are of one event: copies, updates of one another, and different reports of the same thing.

A story is a set of reports of which each is joined to another. Two reports are joined when they name one
company as their subject, are published within `GAP` of each other, and their titles have enough words in
common: of the words that say something (no company, no filler), the smaller title shares at least
`ALIKE` with the larger (overlap coefficient, Szymkiewicz 1934), or `ALIKE_IN_EVENT` where both tell
events of one episode. Copies of one text are joined whatever they name.

Where an encoder is given, titles that mean the same are joined as well, whatever their words: "slapped with
a $44 mln fine over gold fix", "regulator fines it over gold price setting". The cosine of their embeddings
has to be `MEANS_SAME`, or `MEANS_SAME_IN_EVENT`.

That is a function of the set of articles (and of the encoder) alone: whatever order they arrived in, however
often, the stories are the same, and nothing has to be kept up to date. Two recalls of one maker on one day
are one story when their titles are worded alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from monitor.domain import ClassifiedArticle, RiskMatch, digest
from monitor.entities.fold import fold
from monitor.stories.copies import independent, report_key

GAP = timedelta(hours=36)
ALIKE = 0.8
ALIKE_IN_EVENT = 0.34
# In the space of the shipped bundle. Of same-company titles within `GAP`, other than those joined by words,
# that reach these, about nine in ten are of one event (read: 25 and 25 pairs of a month of a wire).
MEANS_SAME = 0.92
MEANS_SAME_IN_EVENT = 0.88
LEAST_WORDS = 2  # in common, but of copies
STEM = 5  # letters by which the forms of a word are one: recalls, recalled
MOST_SUBJECTS = 3  # a title that names more is a round-up, which would join what is apart
_WORD = re.compile(r"[^\W_]+")
_FILLER = frozenset(
    [
        "a",
        "about",
        "after",
        "again",
        "against",
        "all",
        "amid",
        "an",
        "and",
        "another",
        "are",
        "as",
        "at",
        "be",
        "been",
        "before",
        "being",
        "below",
        "between",
        "but",
        "by",
        "can",
        "could",
        "did",
        "do",
        "does",
        "down",
        "during",
        "for",
        "from",
        "had",
        "has",
        "have",
        "he",
        "her",
        "his",
        "how",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "just",
        "may",
        "more",
        "most",
        "new",
        "no",
        "not",
        "now",
        "of",
        "off",
        "on",
        "one",
        "or",
        "other",
        "out",
        "over",
        "own",
        "report",
        "reports",
        "said",
        "say",
        "says",
        "she",
        "should",
        "so",
        "some",
        "source",
        "sources",
        "than",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "to",
        "up",
        "was",
        "were",
        "what",
        "when",
        "where",
        "which",
        "while",
        "who",
        "why",
        "will",
        "with",
        "would",
        "update",
        "wrapup",
        "exclusive",
        "brief",
    ]
)


#: Unit vectors ``(titles, width) float32`` of what the titles of articles mean; zeros for what is not read.
Meaning = Callable[[Sequence[ClassifiedArticle]], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Story:
    """One event, as far as it was reported.

    Attributes
    ----------
    id
        Of its earliest report; the same as long as that one is.
    title
        Of its earliest report.
    company_ids
        Whom its reports are about, most named first.
    event, severity, stage
        The gravest risk event that its reports tell; ``None``, 0 and "" where they tell none. Stages are
        rumour, confirmed, corrected, denied, withdrawn and resolved.
    publishers
        Who speaks for himself: of each text the first that had it.
    articles
        (id, revision) of its reports, in the order of publication.
    """

    id: str
    title: str
    company_ids: tuple[str, ...]
    event: str | None
    severity: int
    stage: str
    first_at: datetime
    last_at: datetime
    publishers: tuple[str, ...]
    articles: tuple[tuple[str, str], ...]

    def is_open(self, now: datetime) -> bool:
        """Say whether more of it may come: its last report is no older than `GAP`."""
        return now - self.last_at <= GAP


def stories(
    items: Iterable[ClassifiedArticle],
    subjects: Mapping[str, Sequence[str]],
    episodes: Mapping[str, str],
    meaning: Meaning | None = None,
) -> list[Story]:
    """Return the stories of some articles, oldest first; one that nothing joins is a story by itself.

    Parameters
    ----------
    items
        Current revisions; those whose date cannot be believed are left out.
    subjects
        By article id, the companies that it is about (`monitor.alert.about.subjects`); none for a round-up.
    episodes
        By event, as the risk pack says.
    meaning
        The encoder; without it only words are compared.
    """
    reports = sorted(
        (item for item in items if item.article.date_status.believable),
        key=lambda item: (item.article.published_at, item.article.id),
    )
    groups = _Groups(len(reports))
    for one, other in _joined(reports, subjects, episodes, meaning):
        groups.join(one, other)
    return [_story([reports[at] for at in members], subjects) for members in groups.members()]


def _joined(
    reports: Sequence[ClassifiedArticle],
    subjects: Mapping[str, Sequence[str]],
    episodes: Mapping[str, str],
    meaning: Meaning | None,
) -> Iterator[tuple[int, int]]:
    """Yield the places of reports that belong together, the later first."""
    named = [_few(subjects.get(item.article.id, ())) for item in reports]
    compared = [at for at, companies in enumerate(named) if companies]
    vectors: dict[int, NDArray[np.float32]] = {}
    if meaning is not None and compared:
        found = meaning([reports[at] for at in compared])
        vectors = dict(zip(compared, found, strict=True))
    stems = {at: _stems(reports[at]) for at in compared}
    keys = [report_key(item.article.title) for item in reports]
    told = [frozenset(episodes.get(r.event, r.event) for r in item.risks) for item in reports]
    by_key: dict[str, int] = {}
    recent: dict[str, list[int]] = {}
    for at, item in enumerate(reports):
        now = item.article.published_at
        same = by_key.get(keys[at])
        if same is not None and now - reports[same].article.published_at <= GAP:
            yield at, same
        by_key[keys[at]] = at
        for company in named[at]:
            before = recent.setdefault(company, [])
            before[:] = [one for one in before if now - reports[one].article.published_at <= GAP]
            for one in before:
                same_event = bool(told[at] & told[one])
                least = ALIKE_IN_EVENT if same_event else ALIKE
                if _overlap(stems[at], stems[one]) >= least:
                    yield at, one
                elif vectors:
                    least = MEANS_SAME_IN_EVENT if same_event else MEANS_SAME
                    if float(vectors[at] @ vectors[one]) >= least:
                        yield at, one
            before.append(at)


def _few(companies: Sequence[str]) -> Sequence[str]:
    return companies if len(companies) <= MOST_SUBJECTS else ()


def _stems(item: ClassifiedArticle) -> frozenset[str]:
    """The words of a title that say something, cut to their stems, less the names of companies."""
    title = item.article.title
    named = [(m.start, m.end) for m in item.mentions if m.field == "title"]
    return frozenset(
        found[0][:STEM]
        for found in _WORD.finditer(fold(title))
        if found[0] not in _FILLER and not any(start <= found.start() < end for start, end in named)
    )


def _overlap(one: frozenset[str], other: frozenset[str]) -> float:
    common = len(one & other)
    return common / min(len(one), len(other)) if common >= LEAST_WORDS else 0.0


class _Groups:
    """Disjoint sets of places."""

    def __init__(self, size: int) -> None:
        self._parent = list(range(size))

    def join(self, one: int, other: int) -> None:
        one, other = self._root(one), self._root(other)
        self._parent[max(one, other)] = min(one, other)

    def members(self) -> list[list[int]]:
        """Every set, by its least place; places in order."""
        found: dict[int, list[int]] = {}
        for at in range(len(self._parent)):
            found.setdefault(self._root(at), []).append(at)
        return list(found.values())

    def _root(self, at: int) -> int:
        while self._parent[at] != at:
            self._parent[at] = self._parent[self._parent[at]]
            at = self._parent[at]
        return at


def _story(reports: Sequence[ClassifiedArticle], subjects: Mapping[str, Sequence[str]]) -> Story:
    first = reports[0].article
    counted: dict[str, int] = {}
    for item in reports:
        for company in subjects.get(item.article.id, ()):
            counted[company] = counted.get(company, 0) + 1
    risks = [risk for item in reports for risk in item.risks]
    gravest = max(risks, key=lambda risk: (risk.severity, risk.event), default=None)
    if len(reports) == 1:
        voices = frozenset((first.publisher,))
    else:
        voices = independent((item.article.publisher, item.article.title) for item in reports)
    return Story(
        id=digest(f"story\0{first.id}"),
        title=first.title,
        company_ids=tuple(sorted(counted, key=lambda company: (-counted[company], company))),
        event=gravest.event if gravest else None,
        severity=gravest.severity if gravest else 0,
        stage=_stage([risk for risk in risks if gravest and risk.event == gravest.event]),
        first_at=first.published_at,
        last_at=reports[-1].article.published_at,
        publishers=tuple(
            dict.fromkeys(
                item.article.publisher for item in reports if item.article.publisher in voices
            )
        ),
        articles=tuple((item.article.id, item.article.revision) for item in reports),
    )


def _stage(told: Sequence[RiskMatch]) -> str:
    """How sure the event is, from what its reports say in order: a withdrawal outlives the copies."""
    stages = [risk.stage for risk in told]
    if "revoked" in stages:
        return "withdrawn"
    if "resolved" in stages and stages[-1] == "resolved":
        return "resolved"
    if "amended" in stages:
        return "corrected"
    if "confirmed" in stages:
        # A denial by one does not undo what others report; the last word of all may.
        return "denied" if stages[-1] == "denied" else "confirmed"
    return "denied" if "denied" in stages else stages[-1] if stages else ""
