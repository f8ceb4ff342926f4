"""What the benchmark's tables have in common, and the solvers' table."""

from rich import box
from rich.table import Table

from glrender.bench.ceilings import HOST_COPY
from glrender.bench.solvers import SolverTimes
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


def solver_table(solvers: tuple[SolverTimes, ...]) -> Table:
    """Times, iterations, and how many times as long as a peer multigrid takes, by size of map."""
    table = plain_table("solvers, heights after one frame of depth and a weak prior")
    for heading in ("vertices", "solver", "median", "min", "ns/unknown", "steps", "ours x"):
        table.add_column(heading, justify="left" if heading == "solver" else "right")
    for size in solvers:
        for name, timing in size.timings.items():
            if name == HOST_COPY:
                continue
            ratio = f"{size.ratios[name]:.2f}" if name in size.ratios else ""
            steps = str(size.iterations.get(name) or "")
            unknown = f"{size.per_unknown(name):.0f}"
            table.add_row(str(size.vertices), name, *milliseconds(timing), unknown, steps, ratio)
    return table
