"""sessions_app, the operator's door: how far a long command is: a bar on a terminal, nothing on a pipe or in a log."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn


class Bar:
    """What a command tells; it tells nobody where there is no terminal."""

    def __init__(self, progress: Progress | None, task: Any) -> None:
        self._progress, self._task = progress, task

    def at(self, done: int, said: str | None = None) -> None:
        """So much is done."""
        if self._progress is not None:
            self._progress.update(self._task, completed=done, description=said)


@contextmanager
def progress(stream: Any, said: str, total: int | None = None, *, color: bool = True) -> Iterator[Bar]:
    """A bar on `stream`, which should be standard error: the result alone goes to standard output."""
    if not stream.isatty():
        yield Bar(None, None)
        return
    columns = [TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()]
    if total is not None:
        columns[2:2] = [TaskProgressColumn(), MofNCompleteColumn()]
    console = Console(file=getattr(stream, "_out", stream), no_color=not color or None)
    with Progress(*columns, console=console, transient=True) as shown:
        yield Bar(shown, shown.add_task(said, total=total))
