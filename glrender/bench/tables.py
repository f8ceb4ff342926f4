"""What the benchmark's tables have in common."""

from rich import box
from rich.table import Table

from glrender.bench.timing import Timing


def plain_table(title: str, *headings: str) -> Table:
    """A table with a column for each heading, the first to the left and all others to the right."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for k, heading in enumerate(headings):
        table.add_column(heading, justify="right" if k else "left")
    return table


def milliseconds(timing: Timing) -> tuple[str, str]:
    """Median and minimum."""
    return f"{timing.median:.2f}", f"{timing.minimum:.2f}"
