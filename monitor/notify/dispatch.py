"""What has waited long enough: it goes the path again, and what goes out then goes together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import groupby

from monitor.domain import Alert, AlertState, digest
from monitor.metrics import Metrics
from monitor.notify.message import render_group
from monitor.notify.path import Path, apart
from monitor.notify.routes import Routing
from monitor.store import Connection, alerts, outbox
from monitor.store.outbox import Draft, Waiting

TOGETHER = ("group", "digest")  # changes that messages of several alerts have
NEWER = "a newer message of the same alert is sent"


class Dispatch:
    """Lets messages go that waited, puts them off, or ends them; `monitor.notify.delivery` sends them."""

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics

    def flush(self, connection: Connection, path: Path, routing: Routing, now: datetime) -> None:
        """Put together what has waited: one message for each channel and group.

        The path is gone again: a silence, a snooze, an alert that explains it may be newer than the message.
        A digest holds what is over by now, too.
        """
        waiting = sorted(outbox.ripe(connection, now), key=lambda each: (each.channel, each.group))
        for _, members in groupby(waiting, key=lambda each: (each.channel, each.group)):
            together = sorted(members, key=lambda each: each.id)
            is_digest = together[-1].route in routing.digests
            newest = {each.alert_id: each for each in together}  # the last message of each alert
            for each in together:
                if each is not newest[each.alert_id]:
                    self._end(connection, each, NEWER, now)
            going = [
                self._if_it_goes(connection, each, is_digest, path, routing, now)
                for each in newest.values()
            ]
            left = [each for each in going if each is not None]
            if len(left) == 1 and not is_digest:
                outbox.release(connection, [left[0].id], now)
            elif left:
                self._together(connection, left, is_digest, now)

    def _if_it_goes(
        self,
        connection: Connection,
        message: Waiting,
        is_digest: bool,
        path: Path,
        routing: Routing,
        now: datetime,
    ) -> Waiting | None:
        """Return a message that goes out now, as it shall read; one that does not is ended or put off."""
        alert = alerts.get(connection, message.alert_id)
        if alert is None:
            return message
        was_silenced = message.stage == "silence"
        over = "" if is_digest and not was_silenced else _settled(connection, alert, message)
        if was_silenced and not over and outbox.told_after(connection, message):
            over = NEWER
        if over:
            self._end(connection, message, over, now)
            return None
        verdict = path.held_by_now(connection, alert, message, routing, now)
        if was_silenced and (verdict is None or verdict.stage != "silence"):
            why = f"{message.payload.get('reason')}; it was silenced until now"
            subject, body, payload = path.render(alert, why, routing.named(message.route))
            outbox.reword(connection, message.id, subject, body, payload)
            message = replace(message, subject=subject, body=body, payload=payload)
        if verdict is None:
            return message
        self.metrics.held.labels(verdict.stage).inc()
        if verdict.due_at is None:
            self._end(connection, message, verdict.reason, now)
        else:
            group = apart(message.group.partition(".")[0], verdict.stage)
            outbox.put_off(connection, message.id, verdict.reason, verdict.due_at, group)
        return None

    def _together(
        self, connection: Connection, members: Sequence[Waiting], is_digest: bool, now: datetime
    ) -> None:
        first = members[0]
        key = digest("\0".join(str(each.id) for each in members))
        subject, body, payload = render_group(
            [(each.subject, each.body, each.payload) for each in members], is_digest
        )
        change = TOGETHER[is_digest]
        draft = Draft(
            idempotency_key=f"group:{key}:{first.channel}",
            channel=first.channel,
            alert_id=first.alert_id,
            subject=subject,
            body=body,
            payload=payload,
            state=outbox.PENDING,
            reason="",
            route=first.route,
            group=first.group,
            change=change,
        )
        if outbox.add(connection, draft, now):
            self.metrics.notifications.labels(outbox.PENDING).inc()
        reason = f"sent within the {change} {key[:8]}"
        outbox.end(connection, [each.id for each in members], outbox.GROUPED, reason, now)
        self.metrics.notifications.labels(outbox.GROUPED).inc(len(members))

    def _end(self, connection: Connection, message: Waiting, reason: str, now: datetime) -> None:
        outbox.end(connection, [message.id], outbox.SUPPRESSED, reason, now)
        self.metrics.notifications.labels(outbox.SUPPRESSED).inc()


def _settled(connection: Connection, alert: Alert, message: Waiting) -> str:
    """Return why a message that waited is no news any more, or nothing."""
    if alert.state is AlertState.RESOLVED and (
        message.change != "resolved"
        # The end of what nobody heard of.
        or outbox.told_at(connection, message.channel, alert_id=alert.id) is None
    ):
        return "the alert was over before it was told"
    if alert.state is AlertState.ACKNOWLEDGED and message.change in ("fired", "reminder"):
        return f"{alert.acknowledged_by} acknowledged the alert before it was told"
    return ""
