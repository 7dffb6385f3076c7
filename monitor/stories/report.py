"""The stories of stored articles, for people and programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from models.routing import Router
from monitor.alert.about import subjects
from monitor.domain import ClassifiedArticle
from monitor.stories.join import Meaning, Story, stories
from monitor.stories.meaning import meaning_of
from monitor.stories.risk import RiskPack


def joined(
    items: Sequence[ClassifiedArticle],
    pack: RiskPack | Path | None,
    encoder: Router | Meaning | None,
) -> list[Story]:
    """Put articles together to stories.

    Parameters
    ----------
    pack
        The risk pack, or the file of the settings.
    encoder
        Compares what titles mean: that of a router, or a function; ``None`` compares words only.
    """
    rules = pack if isinstance(pack, RiskPack) else RiskPack.load(pack)
    about = {
        item.article.id: () if rules.ignores(item.article.title) else subjects(item)
        for item in items
        if item.mentions
    }
    meaning = meaning_of(encoder) if isinstance(encoder, Router) else encoder
    return stories(items, about, rules.episodes, meaning)


def gravest_first(found: Sequence[Story]) -> list[Story]:
    """Return stories by severity, then by how many reported them, then by age."""
    return sorted(
        found,
        key=lambda story: (
            *(-story.severity, -len(story.publishers), -len(story.articles)),
            story.first_at,
        ),
    )


def alerts_of(story: Story, alerts: Mapping[str, str]) -> list[str]:
    """Return the alerts that have a report of the story among their evidence, which ``alerts`` maps."""
    return list(dict.fromkeys(alerts[id_] for id_, _ in story.articles if id_ in alerts))


def plain(story: Story, now: datetime, alerts: Mapping[str, str]) -> dict[str, object]:
    """Return a story for a program."""
    return {
        "id": story.id,
        "title": story.title,
        "companies": story.company_ids,
        "event": story.event,
        "severity": story.severity,
        "stage": story.stage,
        "status": "open" if story.is_open(now) else "quiet",
        "first_seen": story.first_at.isoformat(),
        "last_seen": story.last_at.isoformat(),
        "publishers": story.publishers,
        "articles": [article_id for article_id, _ in story.articles],
        "alerts": alerts_of(story, alerts),
    }
