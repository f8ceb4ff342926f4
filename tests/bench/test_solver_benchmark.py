"""The benchmark of the solvers, small, and its peers."""

import json
from io import StringIO

import numpy as np
import pytest
from installed import installed
from rich.console import Console

from glrender.bench.peers import SOLVERS, SolverPeer
from glrender.bench.solver_benchmark import run_solver_benchmark
from glrender.bench.solver_tables import solver_tables
from glrender.bench.solvers import MULTIGRID, SETUP, SolverTimes, fusion_system
from glrender.bench.timing import Timing
from glrender.gl.context import Context
from glrender.io.report import to_json
from glrender.solve.linear import DirectSolver


def test_a_small_run(context: Context) -> None:
    report = run_solver_benchmark(context, (65,), peers=False, rounds=1)
    (size,) = report.times
    assert size.timings[SETUP].median < size.timings[MULTIGRID].median
    assert not size.agreement
    assert report.counts[65]["heights"] == size.iterations[MULTIGRID]
    assert all(0 < count <= 15 for count in report.counts[65].values())
    out = StringIO()
    Console(file=out, width=100).print(*solver_tables(report))
    assert "with three colours" in out.getvalue()
    account = json.loads(json.dumps(to_json(report.account()), allow_nan=False))
    assert account["times"][0]["milliseconds"][MULTIGRID]["median"] > 0
    assert account["counts"]["65"] == report.counts[65]


@pytest.mark.parametrize("name", SOLVERS)
def test_peers_solve_the_same_system(context: Context, name: str) -> None:
    system = fusion_system(context, 33)
    expected = DirectSolver().solve(system).x.ravel()
    peer: SolverPeer = installed(name)(system, 1e-8)
    for solver in peer.solvers:
        for _ in range(2):  # the first solution must not leave anything behind
            x, _ = peer.solve(solver)
            assert np.linalg.norm(x - expected) < 1e-6 * np.linalg.norm(expected)
    peer.release()


def test_the_matrix_of_fewer_pixels_is_that_of_fewer_pixels(context: Context) -> None:
    full, some = fusion_system(context, 65), fusion_system(context, 65, coverage=0.02)
    assert full.count == 640 * 480
    assert some.count == pytest.approx(0.02 * full.count, rel=0.05)
    assert fusion_system(context, 65, colors=True).stencil.channels == 3


def test_ratios_and_nanoseconds() -> None:
    timings = {MULTIGRID: Timing(np.array([2.0, 4.0])), "PyAMG, quick": Timing(np.array([10.0, 20.0]))}
    size = SolverTimes(100, timings, {}, {"PyAMG, quick": 1e-7})
    assert size.ratios == {"PyAMG, quick": pytest.approx(0.2)}
    assert size.per_unknown(MULTIGRID) == pytest.approx(300)
