"""Label Studio: a JSON list of tasks with annotations and predictions (https://labelstud.io/guide/task_format)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from models.labels import Head
from models.tables import SEPARATOR
from monitor.domain import Label, LabelRole
from monitor.errors import ConfigError
from monitor.relabel.exchange.tasks import (
    Said,
    Task,
    entries_of,
    field,
    moment,
    role_of,
    values_of,
)
from monitor.relabel.heads import Question


class LabelStudio:
    """Label Studio's JSON: a task an item, an annotation a person, a choice a head."""

    def write(self, tasks: Sequence[Task], heads: Mapping[str, Head]) -> str:
        found = []
        for number, task in enumerate(tasks, start=1):
            people: dict[tuple[str, LabelRole], list[Label]] = {}
            for label in task.labels:
                people.setdefault((label.who, label.role), []).append(label)
            entry: dict[str, Any] = {
                "id": number,
                "data": {"text": task.text, **task.data()},
                "annotations": [_annotation(*key, said, heads) for key, said in people.items()],
            }
            guesses = task.guesses()
            if guesses:
                known = [p for _, p in guesses.values() if p is not None]
                entry["predictions"] = [
                    {
                        "model_version": task.item.model_version,
                        "result": [_choice(h, v, heads) for h, (v, _) in guesses.items()],
                        **({"score": min(known)} if known else {}),
                    }
                ]
            found.append(entry)
        return json.dumps(found, ensure_ascii=False, indent=1) + "\n"

    def read(self, text: str, heads: Mapping[str, Head]) -> Iterator[Said]:
        for place, task in entries_of(text, "task"):
            data = task.get("data")
            if not isinstance(data, dict):
                raise ConfigError(f"{place}: no 'data'")
            for annotation in task.get("annotations") or ():
                if not annotation.get("was_cancelled"):
                    yield from _read(place, data, annotation)


def _read(place: str, data: Mapping[str, Any], annotation: Mapping[str, Any]) -> Iterator[Said]:
    known = LabelRole.KNOWN if annotation.get("ground_truth") else None
    for result in annotation.get("result") or ():
        if result.get("type") != "choices":
            continue
        yield Said(
            place=place,
            article_id=field(place, data, "article_id"),
            revision=field(place, data, "revision"),
            question=Question(str(result.get("from_name")), data.get("company_id")),
            value=SEPARATOR.join(map(str, result.get("value", {}).get("choices", ()))),
            who=_who(place, annotation.get("completed_by")),
            role=known or role_of(place, annotation.get("role")),
            at=moment(place, annotation.get("created_at")),
        )


def _who(place: str, by: object) -> str:
    """Return a person: Label Studio gives an id, or an object with an e-mail address."""
    if isinstance(by, dict):
        by = by.get("email") or by.get("username") or by.get("id")
    if by is None or by == "":
        raise ConfigError(
            f"{place}: an annotation without 'completed_by'; somebody has to have said it"
        )
    return str(by)


def _annotation(
    who: str, role: LabelRole, said: Sequence[Label], heads: Mapping[str, Head]
) -> dict[str, Any]:
    return {
        "completed_by": {"email": who},
        "created_at": max(label.at for label in said).isoformat(),
        "ground_truth": role is LabelRole.KNOWN,
        "was_cancelled": False,
        "role": role.value,
        "result": [_choice(label.head, label.value or "", heads) for label in said],
    }


def _choice(head: str, value: str, heads: Mapping[str, Head]) -> dict[str, Any]:
    return {
        "from_name": head,
        "to_name": "text",
        "type": "choices",
        "value": {"choices": values_of(value, heads.get(head))},
    }
