"""Mends for kafka-python 3.0.12, without which a reader may stand still; on one consumer each.

They reach into private parts: when the library is upgraded, take each away and see whether
``tests/contract/test_streams.py`` still passes.
"""

from __future__ import annotations

from typing import Any


def mend(consumer: Any) -> None:
    """Mend one ``KafkaConsumer``, before its first poll."""
    _keep_finished_joins(consumer._coordinator)
    _give_back_parked_records(consumer._fetcher)


def _keep_finished_joins(coordinator: Any) -> None:
    """Let a join that finishes between two polls count.

    A consumer joins its group in a task on the I/O thread, which `poll` awaits for as long as its
    timeout. When the task finishes after one poll has timed out and before the next begins, the
    next poll throws the finished assignment away and asks to join again (``join_group_async``:
    ``is_done`` starts a new task). That makes every member join again: with short polls, or several
    readers in one thread, a group may rebalance for ever.

    Here the new task returns what the old one had found. An assignment that is out of date by then
    does no harm: the next heartbeat says so, as it does after any poll.
    """
    join = coordinator._do_join_and_sync_async
    complete = coordinator._on_join_complete_async
    unread: list[tuple[Any, bytes]] = []

    async def join_once() -> bytes:
        while unread:
            generation, assignment = unread.pop()
            if generation == coordinator._generation:
                return assignment
        found: bytes = await join()
        unread.append((coordinator._generation, found))
        return found

    async def completed(*arguments: Any) -> None:
        unread.clear()
        await complete(*arguments)

    coordinator._do_join_and_sync_async = join_once
    coordinator._on_join_complete_async = completed


def _give_back_parked_records(fetcher: Any) -> None:
    """Let a resumed partition give its records again.

    The fetcher parks what it had fetched of a paused partition, and fetches nothing more of it. It
    gives the records back when its place for the partition in hand is None, but a partition read to
    its end stays in that place: a resumed partition may be silent for ever.
    """
    fetched_records = fetcher.fetched_records

    def with_a_free_place(*arguments: Any, **options: Any) -> Any:
        if not fetcher._next_partition_records:
            fetcher._next_partition_records = None
        return fetched_records(*arguments, **options)

    fetcher.fetched_records = with_a_free_place
