"""The wire format: JSON with a schema version, checked on the way in.

Every record is ``{"schema_version": 1, "kind": ..., "body": ...}``; unknown versions and anything that does
not fit are a `PoisonError`, never a guess.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import msgspec

from monitor.domain import Alert, Article, ClassifiedArticle, DeadItem, DeadReason, Label
from monitor.errors import PoisonError

SCHEMA_VERSION = 1

T = TypeVar("T")


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


class Codec(Generic[T]):
    """Turns one kind of record into bytes and back.

    Parameters
    ----------
    kind
        As it stands in the record.
    body
        The type of its body: dataclasses all the way down. Fields that it does not know are passed over, so
        that a version that writes more can be read by one that does not know of it.
    """

    def __init__(self, kind: str, body: type[T]) -> None:
        self._wire: Any = msgspec.defstruct(
            f"{kind.title()}Record",
            [("schema_version", Literal[1], SCHEMA_VERSION), ("body", body)],
            tag_field="kind",
            tag=kind,
            kw_only=True,
            frozen=True,
            forbid_unknown_fields=True,
        )
        self._encoder = msgspec.json.Encoder()
        self._decoder = msgspec.json.Decoder(self._wire)

    def encode(self, body: T) -> bytes:
        """Return the record's bytes (UTF-8 JSON)."""
        return self._encoder.encode(self._wire(body=body))

    def decode(self, value: bytes) -> T:
        """Return the record's body.

        Raises
        ------
        PoisonError
            The bytes are not a record of this kind and of a schema version we know.
        """
        try:
            body: T = self._decoder.decode(value).body  # type: ignore[attr-defined]
        except (msgspec.DecodeError, RecursionError) as error:  # a ValidationError is the former
            raise PoisonError(DeadReason.SCHEMA, _explain(value, error)) from None
        return body


def _explain(value: bytes, error: Exception) -> str:
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return "not JSON"
    version = found.get("schema_version") if isinstance(found, dict) else None
    if version is None:
        return "not a Foreshock record: it has no schema_version"
    if version != SCHEMA_VERSION:
        return f"unknown schema_version {version!r}; this version reads {SCHEMA_VERSION}"
    return str(error)


ARTICLE = Codec("article", Article)
CLASSIFIED = Codec("classified", Classified)
ALERT = Codec("alert", AlertChange)
LABEL = Codec("label", Label)
DEAD = Codec("dead", DeadItem)
