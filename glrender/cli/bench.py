"""`glrender bench`: how long each stage takes on this machine."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from rich.console import Console
from tyro.conf import arg

from glrender.bench.benchmark import SIZES, run_benchmark
from glrender.bench.solver_benchmark import print_solver_report, run_solver_benchmark
from glrender.bench.solvers import SIZES as SOLVER_SIZES
from glrender.bench.tables import print_report
from glrender.cli.progress import progress
from glrender.errors import InputError, UsageError
from glrender.io.report import write_json


@dataclass(frozen=True)
class Options:
    """Time each stage on one scene: drawing with and without derivatives, reading back, the normal equations.

    All stages take turns, so that their ratios hold on a busy machine too. The solvers are timed on maps of up to
    257 x 257 vertices.
    """

    sizes: Annotated[tuple[int, ...], arg(metavar="N [N ...]")] = SIZES
    """Vertices along each side of the maps: 65, 129, 257, 513."""
    solvers: bool = False
    """Time the solvers alone, on maps of up to 1025 x 1025 vertices or of --sizes."""
    peers: bool = False
    """Time others beside ours: DEODR and Mitsuba, up to 257 vertices, or with --solvers PyAMG and PARDISO; they come
    with `pip install glrender[bench]`."""
    rounds: int = 30
    """How often each stage is timed; solvers, 5 times."""
    json: Annotated[Path | None, arg(metavar="FILE")] = None
    """Write all numbers, of every round, to this file."""


def run(options: Options) -> int:
    """Measure and print the tables."""
    _check(options)
    if options.solvers:
        return _run_solvers(options)
    with progress("timing") as advance:
        report = run_benchmark(options.sizes, peers=options.peers, rounds=options.rounds, advance=advance)
    if options.json is not None:
        write_json(options.json, report.account())
    print_report(report, Console())
    return 0


def _run_solvers(options: Options) -> int:
    sizes = SOLVER_SIZES if options.sizes == SIZES else options.sizes
    with progress("timing") as advance:
        report = run_solver_benchmark(sizes, peers=options.peers, advance=advance)
    if options.json is not None:
        write_json(options.json, report.account())
    print_solver_report(report, Console())
    return 0


def _check(options: Options) -> None:
    valid = SOLVER_SIZES if options.solvers else SIZES
    unknown = [n for n in options.sizes if n not in valid]
    if unknown or not options.sizes:
        received = " ".join(map(str, unknown)) or "none"
        raise UsageError(f"--sizes: received {received}, expected some of {' '.join(map(str, valid))}")
    if len(set(options.sizes)) < len(options.sizes):
        raise UsageError(f"--sizes: received {' '.join(map(str, options.sizes))}, expected each size once")
    if options.rounds < 1:
        raise UsageError(f"--rounds: received {options.rounds}, expected at least 1")
    # Known before minutes are spent.
    if options.json is not None and not options.json.parent.is_dir():
        raise InputError(f"--json: {options.json.parent} is no folder; make it, or choose another file")
    if options.json is not None and options.json.is_dir():
        raise InputError(f"--json: {options.json} is a folder, expected a file to write")
