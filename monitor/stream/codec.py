"""The wire format: JSON with a schema version, checked on the way in.

Every record is ``{"schema_version": 1, "kind": ..., "body": ...}``; unknown versions and anything that does
not fit are a `PoisonError`, never a guess.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked

from monitor.domain import Alert, Article, ClassifiedArticle, DeadItem, DeadReason, Label
from monitor.errors import PoisonError

SCHEMA_VERSION = 1

T = TypeVar("T")
_STRICT = ConfigDict(extra="forbid", ser_json_inf_nan="constants")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where in ``news.articles`` a record began: tells a redelivery from a repeat."""

    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Classified:
    """A record of ``news.classified``.

    ``origin`` is ``None`` where a stored article was read again.
    """

    item: ClassifiedArticle
    origin: Origin | None


@dataclass(frozen=True, slots=True)
class AlertChange:
    """A record of ``alerts``: what happened to an alert, and the alert as it was then."""

    seq: int
    change: str
    at_us: int
    alert: Alert


@checked(config=_STRICT, slots=True)
class _ArticleWire:
    body: Article
    schema_version: Literal[1] = 1
    kind: Literal["article"] = "article"


@checked(config=_STRICT, slots=True)
class _ClassifiedWire:
    body: Classified
    schema_version: Literal[1] = 1
    kind: Literal["classified"] = "classified"


@checked(config=_STRICT, slots=True)
class _AlertWire:
    body: AlertChange
    schema_version: Literal[1] = 1
    kind: Literal["alert"] = "alert"


@checked(config=_STRICT, slots=True)
class _LabelWire:
    body: Label
    schema_version: Literal[1] = 1
    kind: Literal["label"] = "label"


@checked(config=_STRICT, slots=True)
class _DeadWire:
    body: DeadItem
    schema_version: Literal[1] = 1
    kind: Literal["dead"] = "dead"


class Codec(Generic[T]):
    """Turns one kind of record into bytes and back."""

    def __init__(self, wire: type) -> None:
        self._wire = wire
        self._adapter: TypeAdapter[object] = TypeAdapter(wire)

    def encode(self, body: T) -> bytes:
        """Return the record's bytes (UTF-8 JSON)."""
        return self._adapter.dump_json(self._wire(body=body))

    def decode(self, value: bytes) -> T:
        """Return the record's body.

        Raises
        ------
        PoisonError
            The bytes are not a record of this kind and of a schema version we know.
        """
        try:
            return self._adapter.validate_json(value).body  # type: ignore[attr-defined, no-any-return]
        except ValidationError as error:
            raise PoisonError(DeadReason.SCHEMA, _explain(value, error)) from None


def _explain(value: bytes, error: ValidationError) -> str:
    try:
        found = json.loads(value)
    except ValueError:
        return "not JSON"
    version = found.get("schema_version") if isinstance(found, dict) else None
    if version is None:
        return "not a Foreshock record: it has no schema_version"
    if version != SCHEMA_VERSION:
        return f"unknown schema_version {version!r}; this version reads {SCHEMA_VERSION}"
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"


ARTICLE: Codec[Article] = Codec(_ArticleWire)
CLASSIFIED: Codec[Classified] = Codec(_ClassifiedWire)
ALERT: Codec[AlertChange] = Codec(_AlertWire)
LABEL: Codec[Label] = Codec(_LabelWire)
DEAD: Codec[DeadItem] = Codec(_DeadWire)
