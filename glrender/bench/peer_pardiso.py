"""MKL's PARDISO by PyPardiso: a Cholesky factorisation, all cores, with the ordering made once and kept.

What is timed is what a frame would need: the numeric factorisation of a matrix of the same pattern, and one solve.
"""

import os

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, triu

from glrender.solve.systems import LinearSystem

# Read when MKL is loaded: its threads would otherwise spin for 200 ms after their work, into the next one's turn.
os.environ.setdefault("KMP_BLOCKTIME", "0")

from pypardiso import PyPardisoSolver

POSITIVE_DEFINITE = 2
FACTORIZE, SOLVE = 22, 33


class PardisoPeer:
    """One system, with its pattern analysed."""

    solvers = ("refactor, solve",)

    def __init__(self, system: LinearSystem, tolerance: float) -> None:
        self.upper = csr_matrix(triu(system.to_csr()))
        self.upper.sort_indices()
        self.vector = system.rhs.reshape(-1, 1)
        self.pardiso = PyPardisoSolver(mtype=POSITIVE_DEFINITE)
        self.pardiso.factorize(self.upper)

    def solve(self, solver: str) -> tuple[NDArray[np.float64], int]:
        """The solution, exact but for rounding, in 0 iterations."""
        # PyPardiso's own functions repeat the analysis, or compare the matrix with the last one first.
        self.pardiso.set_phase(FACTORIZE)
        self.pardiso._call_pardiso(self.upper, self.vector)
        self.pardiso.set_phase(SOLVE)
        return self.pardiso._call_pardiso(self.upper, self.vector).ravel(), 0

    def release(self) -> None:
        """Give the factor's memory back."""
        self.pardiso.free_memory(everything=True)
