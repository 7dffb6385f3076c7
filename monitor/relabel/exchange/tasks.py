"""What every format carries: tasks with the labels on them, and labels as they come back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from models.labels import Head, HeadKind
from models.tables import SEPARATOR
from models.text import model_input
from monitor.domain import ClassifiedArticle, Label, LabelRole
from monitor.errors import ConfigError
from monitor.relabel.heads import Question, predicted

EPOCH_TEXT = "1970-01-01T00:00:00+00:00"


@dataclass(frozen=True, slots=True)
class Task:
    """An item to be labelled, or one that was; about one company where ``company_id`` says so."""

    item: ClassifiedArticle
    company_id: str | None
    company: str | None  # its name
    heads: tuple[str, ...]  # that are asked
    labels: tuple[Label, ...] = ()

    @property
    def text(self) -> str:
        return model_input(self.item.article.title, self.item.article.lead)

    def data(self) -> dict[str, str]:
        """Return what says which item it is, in every format: without empty fields."""
        article = self.item.article
        found = {
            "article_id": article.id,
            "revision": article.revision,
            "company_id": self.company_id or "",
            "company": self.company or "",
            "publisher": article.publisher,
            "published_at": article.published_at.isoformat(),
        }
        return {name: value for name, value in found.items() if value}

    def guesses(self) -> dict[str, tuple[str, float | None]]:
        """Return what the model says of the heads that are asked, where it says anything."""
        found = {}
        for head in self.heads:
            value, probability = predicted(self.item, Question(head, self.company_id))
            if value:
                found[head] = (value, probability)
        return found


@dataclass(frozen=True, slots=True)
class Said:
    """A label as a file gives it; what it does not say is ``None``."""

    place: str  # in the file, for errors
    article_id: str
    revision: str
    question: Question
    value: str
    who: str
    role: LabelRole = LabelRole.ANNOTATION
    at: datetime | None = None
    model_version: str | None = None
    predicted: str | None = None
    probability: float | None = None
    guess_shown: bool = False
    sampler: str = "import"


class Format(Protocol):
    """One file format."""

    def write(self, tasks: Sequence[Task], heads: Mapping[str, Head]) -> str:
        """Return the file's text."""
        ...

    def read(self, text: str, heads: Mapping[str, Head]) -> Iterator[Said]:
        """Yield the labels of a file's text; raises `ConfigError` with the place of what is wrong."""
        ...


def values_of(value: str, head: Head | None) -> list[str]:
    """Return a label as a list: several of a head that may give several."""
    if head is not None and head.kind is HeadKind.MULTI:
        return [name for name in value.split(SEPARATOR) if name]
    return [value]


def json_of(text: str) -> Any:
    """Return what a JSON text holds.

    Raises
    ------
    ConfigError
        It is not JSON; names the line.
    """
    try:
        return json.loads(text)
    except ValueError as error:
        raise ConfigError(f"not JSON: {error}") from None


def entries_of(text: str, what: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the objects of a JSON list, each with its place.

    Raises
    ------
    ConfigError
        It is no list of objects.
    """
    found = json_of(text)
    if not isinstance(found, list):
        raise ConfigError(f"expected a JSON list of {what}s")
    for number, entry in enumerate(found):
        if not isinstance(entry, dict):
            raise ConfigError(f"{what} {number}: expected an object")
        yield f"{what} {number}", entry


def field(place: str, entry: Mapping[str, Any], name: str) -> str:
    """Return a text field that has to be there.

    Raises
    ------
    ConfigError
        It is missing or no text.
    """
    value = entry.get(name)
    if not isinstance(value, str) or not value:
        raise ConfigError(
            f"{place}: no {name!r}; every label needs article_id, revision, head, who"
        )
    return value


def moment(place: str, text: object) -> datetime | None:
    """Return a time, UTC where it names no zone; ``None`` for none.

    Raises
    ------
    ConfigError
        It cannot be read.
    """
    if text is None or text == "":
        return None
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        raise ConfigError(f"{place}: time {text!r}; write it as {EPOCH_TEXT}") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def role_of(place: str, text: object) -> LabelRole:
    """Return a role by its name, an annotation where there is none."""
    try:
        return LabelRole(str(text)) if text else LabelRole.ANNOTATION
    except ValueError:
        known = ", ".join(role.value for role in LabelRole)
        raise ConfigError(f"{place}: no role {text!r}; roles are {known}") from None


def tasks_of(
    items: Iterable[ClassifiedArticle],
    labels: Iterable[Label],
    asked: Sequence[str],
    heads: Mapping[str, Head],
    names: Mapping[str, str],
) -> list[Task]:
    """Return a task for each item, and one for each of its companies that a head is asked about.

    ``labels`` are those that stand; ``names`` are the companies' by id.
    """
    by_item: dict[tuple[str, str], dict[str | None, list[Label]]] = {}
    for label in labels:
        said_of = by_item.setdefault((label.article_id, label.revision), {})
        said_of.setdefault(label.company_id, []).append(label)
    targets = tuple(name for name in asked if heads[name].kind is HeadKind.TARGET)
    plain = tuple(name for name in asked if name not in targets)
    found = []
    for item in items:
        mine = by_item.get((item.article.id, item.article.revision), {})
        about: list[str | None] = [None, *(item.company_ids if targets else ())]
        about += [company for company in mine if company not in about]
        for company in about:
            said = tuple(mine.get(company, ()))
            of_it = plain if company is None else targets
            of_it += tuple(dict.fromkeys(each.head for each in said if each.head not in of_it))
            if of_it:
                name = None if company is None else names.get(company, company)
                found.append(Task(item, company, name, of_it, said))
    return found
