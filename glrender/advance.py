"""How far long work has come, for whoever waits for it."""

from collections.abc import Callable

Advance = Callable[[int, int], None]
"""advance(done, total): how many of its steps are done."""

OpenEndedAdvance = Callable[[int, int | None], None]
"""The same of work that may go on for nobody knows how long: its total is then None."""


def silently(done: int, total: int | None) -> None:
    """Tell nobody."""
