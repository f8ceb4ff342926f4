"""A benchmark's report for people."""

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from glrender.bench.batch_tables import batch_tables
from glrender.bench.benchmark import Report
from glrender.bench.fusion_tables import aging_lines, fusion_tables, unusable_lines
from glrender.bench.solver_tables import solver_lines, solver_tables
from glrender.bench.stage_tables import roofline_tables, stage_tables
from glrender.bench.timing import NOISY


def print_report(report: Report, console: Console) -> None:
    """Print every table of a report."""
    for part in _parts(report):
        if isinstance(part, str):
            console.print(part, highlight=False, markup=False)
        else:
            console.print(part)


def _parts(report: Report) -> Iterator[str | Table]:
    """Lines and tables, in their order."""
    yield from _head(report)
    yield from stage_tables(report.stages, report.stage_peers)
    if report.solvers is not None:
        yield from solver_lines(report.solvers)
        yield from solver_tables(report.solvers)
    if report.fusion:
        yield from fusion_tables(report.fusion)
        yield from unusable_lines(report.fusion, report.fusion_peers)
    if report.aging is not None:
        yield from aging_lines(report.aging)
    if report.batch is not None:
        yield from batch_tables(report.batch, report.batch_peers)
    if report.ceilings is not None:
        yield from roofline_tables(report.points, report.ceilings)
    yield from _remarks(report)


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
