"""A progress bar on stderr for long work; nothing at all where stderr is no terminal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from glrender.advance import OpenEndedAdvance, silently


@contextmanager
def progress(what: str, rate_of: str = "", before: str = "") -> Iterator[OpenEndedAdvance]:
    """Show a bar named `what` while the block runs; the block calls what it is given after each step.

    Until the first step its name is `before`, where that is given. With `rate_of`, such as "views", it says how many
    of them there are a second.
    """
    if not sys.stderr.isatty():
        yield silently
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:.1f} {rate_of}/s" if task.speed else "")

    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
    if rate_of:
        columns.insert(3, Rate())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(before or what, total=None)
        yield lambda done, total: bar.update(task, description=what, completed=done, total=total)
