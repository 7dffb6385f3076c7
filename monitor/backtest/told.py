"""What people would have been told in a replay: every notification, and the item that decided it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from monitor.domain import Alert, AlertKind, Evidence
from monitor.notify.path import TOLD
from monitor.store import Store, alerts, outbox


@dataclass(frozen=True, slots=True)
class Told:
    """One notification: what was said of an alert, and when.

    ``reason`` is "fired" for an alert's first, else what is new (see `monitor.alert.states.Step`);
    ``decisive`` is the item with which the alert fired or changed, ``None`` where no item did.
    """

    alert: Alert
    family: str
    reason: str
    at: datetime
    decisive: Evidence | None

    @property
    def story(self) -> bool:
        return self.alert.kind is AlertKind.STORY


def told_of(store: Store, families: Mapping[str, str]) -> list[Told]:
    """Return every notification that was not suppressed, oldest first.

    Parameters
    ----------
    families
        Family of each event of the risk pack; that of a surge is ``surge``.
    """
    found = []
    for alert in alerts.latest(store, limit=10**9):
        changes = [each for each in alerts.history(store, alert.id) if each.change in TOLD]
        sent = [note["state"] != outbox.SUPPRESSED for note in outbox.of_alert(store, alert.id)]
        for change, reached in zip(changes, sent, strict=True):
            if reached:
                decisive = next(
                    (item for item in alert.evidence if item.article_id == change.article_id), None
                )
                family = families.get(change.event or alert.event, alert.event)
                if alert.kind is AlertKind.SURGE:
                    family = alert.kind.value
                found.append(Told(alert, family, change.change, change.at, decisive))
    return sorted(found, key=lambda told: (told.at, told.alert.id))
