"""The bar that long work shows on standard error; nothing where that is no terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


def bar(console: Console) -> Progress:
    """Return a bar with no line yet: what is done, how much of how much, for how long."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


@contextmanager
def progress_of(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show one piece of work; yields what to tell (done, total)."""
    with bar(Console(stderr=True)) as shown:
        row = shown.add_task(what, total=None)
        yield lambda done, total: shown.update(row, completed=done, total=total)


@contextmanager
def reading_bar(
    what: str = "reading",
) -> Iterator[Callable[[Callable[[], tuple[int, int]]], Callable[[int], None]]]:
    """Show how much of a file is read, and how many of its items are through.

    Yields what takes how to ask for (bytes read, bytes in all), and returns what is told the items.
    """
    shown = Progress(
        TextColumn(what),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%  {task.fields[items]:,} items through"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    row = shown.add_task("", total=None, items=0)

    def of(read: Callable[[], tuple[int, int]]) -> Callable[[int], None]:
        def update(items: int) -> None:
            done, total = read()
            shown.update(row, completed=done, total=total or None, items=items)

        return update

    with shown:
        yield of
