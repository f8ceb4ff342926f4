"""The solvers' times for people."""

from collections.abc import Iterator, Mapping, Sequence

from rich.table import Table

from glrender.bench.ceilings import HOST_COPY
from glrender.bench.solver_benchmark import SolverReport
from glrender.bench.solvers import TOLERANCE, SolverTimes
from glrender.bench.tables import milliseconds, plain_table


def solver_lines(report: SolverReport) -> Iterator[str]:
    """What the machine was like meanwhile, and which peers there are."""
    before, after = report.load
    yield f"{report.cores} cores, load {before:.1f} before and {after:.1f} after, {report.rounds} rounds"
    for peer, version in report.peers.items():
        yield f"{peer}: {version}"


def solver_tables(report: SolverReport) -> Iterator[Table]:
    """How long each solver takes, and multigrid's iterations, by size of map."""
    yield _time_table(report.times)
    yield _iteration_table(report.counts)


def _time_table(times: Sequence[SolverTimes]) -> Table:
    table = plain_table("solvers, heights after one frame of depth and a weak prior")
    for heading in ("vertices", "solver", "median", "min", "ns/unknown", "steps", "ours x"):
        table.add_column(heading, justify="left" if heading == "solver" else "right")
    for size in times:
        for name, timing in size.timings.items():
            if name == HOST_COPY:
                continue
            ratio = f"{size.ratios[name]:.2f}" if name in size.ratios else ""
            steps = str(size.iterations.get(name) or "")
            unknown = f"{size.per_unknown(name):.0f}"
            table.add_row(str(size.vertices), name, *milliseconds(timing), unknown, steps, ratio)
    return table


def _iteration_table(counts: Mapping[int, Mapping[str, int]]) -> Table:
    table = plain_table(
        f"iterations of multigrid down to a residual of {TOLERANCE:.0e}", "vertices", *(str(n) for n in counts)
    )
    for kind in dict.fromkeys(kind for each in counts.values() for kind in each):
        table.add_row(kind, *(str(each.get(kind, "")) for each in counts.values()))
    return table
