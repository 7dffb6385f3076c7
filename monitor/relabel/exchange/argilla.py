"""Argilla: a JSON list of records with responses and suggestions, as ``dataset.records.to_json`` has it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from models.labels import Head, HeadKind
from models.tables import SEPARATOR
from monitor.domain import LabelRole
from monitor.errors import ConfigError
from monitor.relabel.exchange.tasks import Said, Task, entries_of, field, moment, role_of, values_of
from monitor.relabel.heads import Question

# Argilla keeps no role and no time with a response: a record's metadata holds them, by head, role and person.
_BY = "labelled"


class Argilla:
    """Argilla's records: a record an item, a question a head, a response a person."""

    def write(self, tasks: Sequence[Task], heads: Mapping[str, Head]) -> str:
        found = []
        for task in tasks:
            responses: dict[str, list[dict[str, Any]]] = {}
            times: dict[str, str] = {}
            for label in task.labels:
                value = _value(label.value or "", heads.get(label.head))
                said = {"value": value, "user_id": label.who}
                responses.setdefault(label.head, []).append(said)
                times[f"{label.head}/{len(responses[label.head]) - 1}"] = (
                    f"{label.role.value} {label.at.isoformat()}"
                )
            article = task.item.article
            about = f"-{task.company_id}" if task.company_id else ""
            found.append(
                {
                    "id": f"{article.id}-{article.revision}{about}",
                    "fields": {"text": task.text},
                    "metadata": {**task.data(), **({_BY: json.dumps(times)} if times else {})},
                    "suggestions": {
                        head: {
                            "value": _value(value, heads.get(head)),
                            "score": probability,
                            "agent": task.item.model_version,
                        }
                        for head, (value, probability) in task.guesses().items()
                    },
                    "responses": responses,
                }
            )
        return json.dumps(found, ensure_ascii=False, indent=1) + "\n"

    def read(self, text: str, heads: Mapping[str, Head]) -> Iterator[Said]:
        for place, record in entries_of(text, "record"):
            data = record.get("metadata")
            if not isinstance(data, dict):
                raise ConfigError(f"{place}: no 'metadata'")
            times = _times(place, data.get(_BY))
            for head, responses in (record.get("responses") or {}).items():
                for number, response in enumerate(responses):
                    value = response.get("value")
                    if isinstance(value, list):
                        value = SEPARATOR.join(map(str, value))
                    role, _, at = times.get(f"{head}/{number}", "").partition(" ")
                    yield Said(
                        place=place,
                        article_id=field(place, data, "article_id"),
                        revision=field(place, data, "revision"),
                        question=Question(str(head), data.get("company_id")),
                        value=str(value),
                        who=field(place, response, "user_id"),
                        role=role_of(place, role) if role else LabelRole.ANNOTATION,
                        at=moment(place, at),
                    )


def _times(place: str, text: object) -> dict[str, str]:
    if text is None:
        return {}
    try:
        return dict(json.loads(str(text)))
    except (ValueError, TypeError):
        raise ConfigError(f"{place}: metadata {_BY!r} cannot be read") from None


def _value(value: str, head: Head | None) -> str | list[str]:
    if head is not None and head.kind is HeadKind.MULTI:
        return values_of(value, head)
    return value
