"""PyAMG: algebraic multigrid set up for each matrix anew, in front of conjugate gradients down to the same residual.

Smoothed aggregation and Ruge-Stüben coarsening take turns in being the faster, so both are timed. BLAS gets one
thread: its threads make PyAMG's small dense products slower on shared cores.
"""

import numpy as np
import pyamg
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from glrender.solve.systems import LinearSystem


class PyamgPeer:
    """One system, ready to be solved."""

    solvers = ("aggregation", "Ruge-Stüben")

    def __init__(self, system: LinearSystem, tolerance: float) -> None:
        self.matrix = csr_matrix(system.to_csr())
        self.vector = system.rhs.ravel()
        self.tolerance = tolerance

    def solve(self, solver: str) -> tuple[NDArray[np.float64], int]:
        """The solution, and the iterations that it took."""
        make = {
            "aggregation": pyamg.smoothed_aggregation_solver,
            "Ruge-Stüben": pyamg.ruge_stuben_solver,
        }[solver]
        residuals: list[float] = []
        with threadpool_limits(1, "blas"):
            grids = make(self.matrix)
            x = grids.solve(self.vector, tol=self.tolerance, accel="cg", maxiter=200, residuals=residuals)
        return x, len(residuals) - 1

    def release(self) -> None:
        """Nothing is kept."""
