"""A benchmark's report for people."""

from collections.abc import Iterator

from rich.console import Console

from glrender.bench.batch_tables import batch_tables
from glrender.bench.benchmark import Report
from glrender.bench.fusion_tables import aging_lines, fusion_tables, unusable_lines
from glrender.bench.solver_tables import solver_lines, solver_tables
from glrender.bench.stage_tables import roofline_tables, stage_tables
from glrender.bench.timing import NOISY


def print_report(report: Report, console: Console) -> None:
    """Print every table of a report."""
    for line in _head(report):
        console.print(line, highlight=False, markup=False)
    for table in stage_tables(report.stages, report.stage_peers):
        console.print(table)
    if report.solvers is not None:
        for line in solver_lines(report.solvers):
            console.print(line, highlight=False, markup=False)
        for table in solver_tables(report.solvers):
            console.print(table)
    if report.fusion:
        for table in fusion_tables(report.fusion):
            console.print(table)
        for line in unusable_lines(report.fusion, report.fusion_peers):
            console.print(line, highlight=False, markup=False)
    if report.aging is not None:
        for line in aging_lines(report.aging):
            console.print(line, highlight=False)
    if report.batch is not None:
        for table in batch_tables(report.batch, report.batch_peers):
            console.print(table)
    if report.ceilings is not None:
        for table in roofline_tables(report.points, report.ceilings):
            console.print(table)
    for line in _remarks(report):
        console.print(line, highlight=False)


def _head(report: Report) -> Iterator[str]:
    before, after = report.load
    yield f"{report.renderer}, {report.cores} cores, load {before:.1f} before and {after:.1f} after"
    yield f"{report.rounds} rounds in which all take turns; left out is what comes once:"
    if report.first_calls is not None:
        yield f"  shaders {report.first_calls.shaders:.0f} ms, compiled loops {report.first_calls.loops:.0f} ms"
    if report.first_frames is not None:
        yield f"  fusion's first frames {report.first_frames:.0f} ms"
    for peer, version in (report.stage_peers | report.fusion_peers | report.batch_peers).items():
        yield f"{peer}: {version}"


def _remarks(report: Report) -> Iterator[str]:
    noisy, of = report.noisy
    if noisy:
        yield (
            f"noisy: {noisy} of {of} medians exceed the minimum by more than {NOISY - 1:.0%}. Something else "
            "wanted the cores; ratios within this run are worth more than milliseconds"
        )
