"""A benchmark's report for people."""

from collections.abc import Iterator

from rich import box
from rich.console import Console
from rich.table import Table

from glrender.bench.benchmark import Report, SizeReport
from glrender.bench.peers import SIZES as PEER_SIZES
from glrender.bench.solvers import SolverTimes
from glrender.bench.stages import PLAIN
from glrender.bench.timing import NOISY, Timing


def print_report(report: Report, console: Console) -> None:
    """Print every table of a report."""
    before, after = report.load
    console.print(f"{report.renderer}, {report.cores} cores, load {before:.1f} before and {after:.1f} after")
    console.print(
        f"milliseconds of {report.rounds} rounds in which all take turns; left out is what the first calls do: "
        f"shaders {report.first_calls.shaders:.0f} ms, compiled loops {report.first_calls.loops:.0f} ms"
    )
    for peer, version in report.peers.items():
        console.print(f"{peer}: {version}", highlight=False, markup=False)
    for size in report.sizes:
        console.print(_size_table(size, report))
    console.print(_ratio_table(report))
    if report.solvers:
        console.print(solver_table(report.solvers))
    for line in _remarks(report):
        console.print(line, highlight=False)


def _size_table(size: SizeReport, report: Report) -> Table:
    n = size.vertices
    table = plain_table(f"{n} x {n} vertices, 640 x 480 pixels, RGB")
    for heading in ("stage", "median", "min", "x plain", "of the total"):
        table.add_column(heading, justify="left" if heading == "stage" else "right")
    shares = size.shares
    for stage, timing in size.timings.items():
        share = f"{shares[stage]:.0%}" if stage in shares else ""
        table.add_row(stage, *_times(timing), f"{timing.ratio(size.timings[PLAIN]):.2f}", share)
    if n in PEER_SIZES:
        for peer, version in report.peers.items():
            if peer not in size.agreement:
                table.add_row(peer, version)
    return table


def _ratio_table(report: Report) -> Table:
    table = plain_table("ratios (medians over the rounds); difference of gradients to ours (relative L2)")
    table.add_column("vertices", justify="left")
    for size in report.sizes:
        table.add_column(str(size.vertices), justify="right")
    for row in dict.fromkeys(name for size in report.sizes for name in size.ratios):
        table.add_row(row, *(f"{size.ratios[row]:.2f}" if row in size.ratios else "" for size in report.sizes))
    if any(size.agreement for size in report.sizes):
        table.add_row("fastest peer", *(size.fastest_peer or "" for size in report.sizes))
    for peer in dict.fromkeys(name for size in report.sizes for name in size.agreement):
        for k, of in enumerate(("heights", "colours")):  # as Gradient has them
            errors = (f"{size.agreement[peer][k]:.0e}" if peer in size.agreement else "" for size in report.sizes)
            table.add_row(f"{peer} gradient by {of}", *errors)
    return table


def solver_table(solvers: tuple[SolverTimes, ...]) -> Table:
    """Times, iterations, and how many times as long as a peer multigrid takes, by size of map."""
    table = plain_table("solvers, heights after one frame of depth and a weak prior")
    for heading in ("vertices", "solver", "median", "min", "ns/unknown", "steps", "ours x"):
        table.add_column(heading, justify="left" if heading == "solver" else "right")
    for size in solvers:
        for name, timing in size.timings.items():
            ratio = f"{size.ratios[name]:.2f}" if name in size.ratios else ""
            steps = str(size.iterations.get(name) or "")
            table.add_row(str(size.vertices), name, *_times(timing), f"{size.per_unknown(name):.0f}", steps, ratio)
    return table


def _remarks(report: Report) -> Iterator[str]:
    timings = [timing for size in report.sizes for timing in size.timings.values()]
    noisy = sum(timing.noisy for timing in timings)
    if noisy:
        yield (
            f"noisy: {noisy} of {len(timings)} medians exceed the minimum by more than {NOISY - 1:.0%}. Something else "
            "wanted the cores; ratios within this run are worth more than milliseconds"
        )


def _times(timing: Timing) -> tuple[str, str]:
    return f"{timing.median:.2f}", f"{timing.minimum:.2f}"


def plain_table(title: str) -> Table:
    """A table without columns yet."""
    return Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
