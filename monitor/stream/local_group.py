"""Groups of the embedded log: who is a member, and which member reads which partition.

There is no coordinator: every member settles its own share in one write transaction, which the
file's lock puts in order. A member

1. renews its lease, and deletes members whose lease has run out;
2. counts its fair share of each stream: partitions divided by live subscribers, the remainder to
   those who hold most already, so that as little as possible moves;
3. gives up what it holds above its share, and takes free partitions up to it.

A partition changes hands only by being given up or by its owner's lease running out, and each time
its *epoch* grows. A commit names member and epoch, so one that comes too late (its process was
stopped, swapped out or slow) changes nothing. Correctness never rests on the clock; a wrong clock
can only move partitions needlessly.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from monitor.stream.local_log import transaction
from monitor.stream.port import Partition


@dataclass(frozen=True, slots=True)
class Claim:
    """A partition that a member holds; ``committed`` is the group's next offset when it was looked up."""

    partition: Partition
    epoch: int
    committed: int


class Membership:
    """One member of one group.

    Parameters
    ----------
    connection
        The reader's own connection.
    clock
        Unix seconds.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        group: str,
        streams: Sequence[str],
        lease_s: float,
        clock: Callable[[], float],
    ) -> None:
        self.group = group
        self.member = uuid.uuid4().hex
        self.polled_at = clock()
        self._connection = connection
        self._streams = json.dumps(sorted(set(streams)))
        self._lease_ms = int(lease_s * 1000)
        self._clock = clock
        self._due_at = clock()
        self._seen = -1

    def stale(self) -> bool:
        """Whether to settle again: the lease wants renewing, or the group changed."""
        return self.due() or self._changes() != self._seen

    def due(self) -> bool:
        """Whether the lease wants renewing; asks only the clock (which may have been set back)."""
        now = self._clock()
        self.polled_at = now
        return now >= self._due_at or now < self._due_at - self._lease_ms / 1000

    def settle(self) -> Mapping[int, Claim]:
        """Renew the lease, take the fair share, and return what is held now, by slot."""
        now = self._clock()
        with transaction(self._connection):
            changed = not self._renew(now)
            live, expired = self._members(int(now * 1000))
            changed |= expired
            held: dict[int, Claim] = {}
            owners = self._owners(live)
            for stream in json.loads(self._streams):
                changed |= self._settle_stream(stream, live, owners, held)
            if changed:
                self._bump()
            self._seen = self._changes()
        self._due_at = now + self._lease_ms / 3000
        return held

    def leave(self) -> None:
        """Give everything up at once."""
        with transaction(self._connection):
            self._connection.execute(
                "UPDATE claims SET member = NULL WHERE group_name = ? AND member = ?",
                (self.group, self.member),
            )
            self._connection.execute(
                "DELETE FROM members WHERE group_name = ? AND member = ?", (self.group, self.member)
            )
            self._bump()

    def commit(self, offsets: Mapping[int, tuple[int, int]]) -> None:
        """Commit ``{slot: (epoch, offset)}``; what this member no longer holds is left out."""
        with transaction(self._connection):
            self._connection.executemany(
                "UPDATE claims SET committed = ? WHERE group_name = ? AND slot = ? AND member = ? "
                "AND epoch = ? AND committed < ?",
                [
                    (offset, self.group, slot, self.member, epoch, offset)
                    for slot, (epoch, offset) in offsets.items()
                ],
            )

    def _changes(self) -> int:
        row = self._connection.execute(
            "SELECT changes FROM groups WHERE name = ?", (self.group,)
        ).fetchone()
        return row[0] if row else 0

    def _bump(self) -> None:
        self._connection.execute(
            "INSERT INTO groups VALUES (?, 1) ON CONFLICT DO UPDATE SET changes = changes + 1",
            (self.group,),
        )

    def _renew(self, now: float) -> bool:
        """Whether the lease was still there."""
        if renew(self._connection, self.group, self.member, now):
            return True
        self._connection.execute(
            "INSERT INTO members VALUES (?, ?, ?, ?, ?)",
            (self.group, self.member, self._streams, int(now * 1000), self._lease_ms),
        )
        return False

    def _members(self, now_ms: int) -> tuple[dict[str, frozenset[str]], bool]:
        """Return the streams of every live member, and whether dead ones were deleted."""
        # abs: after a clock was set back, a lease must not last until the clock catches up.
        dead = self._connection.execute(
            "DELETE FROM members WHERE group_name = ? AND abs(? - renewed_at_ms) >= lease_ms",
            (self.group, now_ms),
        ).rowcount
        rows = self._connection.execute(
            "SELECT member, streams FROM members WHERE group_name = ?", (self.group,)
        )
        return {member: frozenset(json.loads(streams)) for member, streams in rows}, dead > 0

    def _owners(self, live: Collection[str]) -> Counter[str]:
        """How many partitions each live member holds, over all streams."""
        rows = self._connection.execute(
            "SELECT member, count(*) FROM claims WHERE group_name = ? GROUP BY member",
            (self.group,),
        )
        return Counter({member: count for member, count in rows if member in live})

    def _settle_stream(
        self,
        stream: str,
        live: Mapping[str, frozenset[str]],
        totals: Counter[str],
        held: dict[int, Claim],
    ) -> bool:
        """Settle one stream into ``held``; whether a partition changed hands."""
        rows = self._connection.execute(
            "SELECT p.slot, p.number, p.first_offset, c.member, c.epoch, c.committed "
            "FROM partitions p LEFT JOIN claims c ON c.group_name = ? AND c.slot = p.slot "
            "WHERE p.stream = ? ORDER BY p.number",
            (self.group, stream),
        ).fetchall()
        readers = [member for member, streams in live.items() if stream in streams]
        counts = Counter(row[3] for row in rows if row[3] in readers)
        share = fair_share(self.member, len(rows), readers, counts, totals)
        mine = 0
        changed = False
        for slot, number, first_offset, owner, epoch, committed in rows:
            if owner == self.member:
                if mine == share:
                    self._give_up(slot)
                    totals[self.member] -= 1
                    changed = True
                    continue
            elif owner in readers or counts[self.member] >= share:
                continue
            else:
                epoch = (epoch or 0) + 1
                committed = first_offset if committed is None else committed
                self._take(slot, epoch, committed)
                counts[self.member] += 1
                totals[self.member] += 1
                changed = True
            mine += 1
            held[slot] = Claim(Partition(stream, number), epoch, max(committed, first_offset))
        return changed

    def _give_up(self, slot: int) -> None:
        self._connection.execute(
            "UPDATE claims SET member = NULL WHERE group_name = ? AND slot = ?", (self.group, slot)
        )

    def _take(self, slot: int, epoch: int, committed: int) -> None:
        self._connection.execute(
            "INSERT INTO claims VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET member = excluded.member, epoch = excluded.epoch",
            (self.group, slot, self.member, epoch, committed),
        )


def renew(connection: sqlite3.Connection, group: str, member: str, now: float) -> bool:
    """Renew a lease; whether it was still there."""
    cursor = connection.execute(
        "UPDATE members SET renewed_at_ms = ? WHERE group_name = ? AND member = ?",
        (int(now * 1000), group, member),
    )
    return cursor.rowcount > 0


def fair_share(
    member: str,
    partitions: int,
    members: Collection[str],
    held: Mapping[str, int],
    totals: Mapping[str, int],
) -> int:
    """How many of a stream's partitions a member should hold.

    The remainder goes to those who hold most of this stream already (nothing moves needlessly),
    then to those who hold least of all streams.

    Examples
    --------
    >>> held = {"a": 3}
    >>> [fair_share(m, 3, ["a", "b"], held, held) for m in ("a", "b")]
    [2, 1]
    >>> fair_share("b", 1, ["a", "b"], {}, {"a": 4})
    1
    """
    order = sorted(members, key=lambda name: (-held.get(name, 0), totals.get(name, 0), name))
    each, rest = divmod(partitions, len(order))
    return each + (order.index(member) < rest)
