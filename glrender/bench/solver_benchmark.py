"""The measurement of the solvers alone, up to large maps."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from glrender.advance import Advance, silently
from glrender.bench.peers import SOLVERS, load_peers
from glrender.bench.solvers import SolverTimes, iteration_counts, time_solvers
from glrender.gl.context import Context


@dataclass(frozen=True)
class SolverReport:
    """Everything that was measured of the solvers."""

    cores: int
    """Processors that this process may use."""
    load: tuple[float, float]
    """How many processes wanted to run, on average over a minute, before and after; above 1 before: not alone."""
    rounds: int
    """How often each solver was timed."""
    peers: dict[str, str]
    """By peer: its version, or why it is missing; empty unless asked for."""
    times: tuple[SolverTimes, ...]
    """For each size of map."""
    counts: dict[int, dict[str, int]]
    """Multigrid's iterations, by size of map and by what there is to solve."""

    def account(self) -> dict[str, Any]:
        """The report for a file."""
        return vars(self) | {
            "times": [size.account() for size in self.times],
            "counts": {str(size): counts for size, counts in self.counts.items()},
        }


def run_solver_benchmark(
    context: Context, sizes: Sequence[int], *, peers: bool, rounds: int, advance: Advance = silently
) -> SolverReport:
    """Time the solvers on maps of `sizes` vertices along each side; `advance(done, total)` is called as it goes on."""
    before = os.getloadavg()[0]
    adapters, versions = load_peers(SOLVERS) if peers else ({}, {})
    times, counts = [], {}
    for k, n in enumerate(sizes):
        times.append(time_solvers(context, n, rounds, adapters))
        counts[n] = iteration_counts(context, n)
        advance(k + 1, len(sizes))
    return SolverReport(
        cores=len(os.sched_getaffinity(0)),
        load=(before, os.getloadavg()[0]),
        rounds=rounds,
        peers=versions,
        times=tuple(times),
        counts=counts,
    )
