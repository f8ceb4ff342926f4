"""How long each stage of a piece of work takes."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter


class Stopwatch:
    """Adds up the time of stages by name; a stage that comes more than once counts together."""

    def __init__(self) -> None:
        self.milliseconds: dict[str, float] = {}
        """Of each stage, in the order in which they first came."""

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count what is done inside as `name`."""
        start = perf_counter()
        try:
            yield
        finally:
            self.milliseconds[name] = self.milliseconds.get(name, 0.0) + 1e3 * (perf_counter() - start)
