"""Solvers of a linear system Λ x = g."""

from dataclasses import dataclass
from typing import NoReturn, Protocol

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import csc_array
from scipy.sparse.linalg import splu

from glrender.checks import check_array
from glrender.errors import SolverError
from glrender.solve.systems import LinearSystem

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LinearSolution:
    """What a linear solver found."""

    x: Array
    """The unknowns, in the shape of the system's right-hand side."""
    iterations: int
    """Products with the matrix; 0 for a direct solver."""
    residual: float
    """|g - Λ x| / |g| (|Λ x| where g is 0), each entry divided by √Λ_ii so that heights and colours compare."""


class LinearSolver(Protocol):
    """What Gauss-Newton needs of a linear solver."""

    def solve(self, system: LinearSystem, guess: Array | None = None) -> LinearSolution:
        """Solve Λ x = g, starting from `guess` where that helps; raises SolverError where there is no solution."""


@dataclass(frozen=True)
class DirectSolver:
    """Sparse factorisation by SuperLU with an ordering for symmetric matrices: exact, and fast on small maps.

    Time and memory grow faster than the map, and much faster where colours are coupled to the heights: from some
    hundred vertices a side on, `glrender.solve.multigrid` is the one to take.
    """

    largest_residual: float = 1e-6
    """A solution with a larger residual is no solution: the matrix is singular to working precision."""

    def solve(self, system: LinearSystem, guess: Array | None = None) -> LinearSolution:
        """Factorise and solve; `guess` does not help a direct solver."""
        check_definite(system)
        try:
            factor = splu(
                csc_array(system.to_csr()),
                permc_spec="MMD_AT_PLUS_A",
                diag_pivot_thresh=0.0,
                options={"SymmetricMode": True},
            )
        except RuntimeError as error:
            refuse(system, f"SuperLU: {error}")
        solution = _solution(system, factor.solve(system.rhs.ravel()).reshape(system.rhs.shape), iterations=0)
        if solution.residual > self.largest_residual:
            refuse(system, f"the direct solution leaves a residual of {solution.residual:.1e}, so Λ is singular")
        return solution


@dataclass(frozen=True)
class ConjugateGradient:
    """Conjugate gradients, preconditioned by the inverse of the block of each vertex with itself."""

    tolerance: float = 1e-8
    """Stops where the residual, in the preconditioner's norm, is below this fraction of the right-hand side's."""
    max_iterations: int = 5000
    """Bound on the products with the matrix."""
    truncated: bool = False
    """Return the last iterate at `max_iterations` (for a few warm-started steps) instead of raising SolverError."""

    def solve(self, system: LinearSystem, guess: Array | None = None) -> LinearSolution:
        """Iterate from `guess` (zero unless given)."""
        check_definite(system)
        g = system.rhs
        inverse = _inverse_blocks(system.diagonal_blocks())
        x = np.zeros_like(g) if guess is None else check_array("guess", guess, g.shape, finite=True).copy()
        r = g - system.matvec(x) if guess is not None else g.copy()
        z = _precondition(inverse, r)
        rz, target = _dot(r, z), self.tolerance**2 * _dot(g, _precondition(inverse, g))
        p, iterations = z.copy(), 0
        while rz > target and iterations < self.max_iterations:
            q = system.matvec(p)
            curvature = _dot(p, q)
            if not curvature > 0:
                refuse(system, f"conjugate gradients met a direction of curvature {curvature:.1e}")
            step = rz / curvature
            x += step * p
            r -= step * q
            z = _precondition(inverse, r)
            rz, previous = _dot(r, z), rz
            p *= rz / previous
            p += z
            iterations += 1
        solution = _solution(system, x, iterations)
        if rz > target and not self.truncated:
            refuse(system, f"no convergence in {iterations} iterations, residual {solution.residual:.1e}")
        return solution


def _dot(a: Array, b: Array) -> float:
    return float(np.einsum("i,i->", a.ravel(), b.ravel()))  # BLAS would wake its threads for this


def _inverse_blocks(blocks: Array) -> Array:
    # A block that is singular belongs to a Λ that is. The little on its diagonal keeps the preconditioner definite, so
    # that the iteration still solves what has a solution.
    each = np.arange(blocks.shape[1])
    blocks = blocks.copy()
    blocks[:, each, each] *= 1 + 1e-10
    return np.asarray(np.linalg.inv(blocks), dtype=np.float64)


def _precondition(inverse: Array, r: Array) -> Array:
    z = np.empty_like(r)
    _multiply_blocks(inverse, r.reshape(inverse.shape[:2]), z.reshape(inverse.shape[:2]))
    return z


@njit(cache=True)
def _multiply_blocks(blocks: Array, x: Array, y: Array) -> None:
    count, size = x.shape
    for n in range(count):
        for k in range(size):
            total = 0.0
            for other in range(size):
                total += blocks[n, k, other] * x[n, other]
            y[n, k] = total


def _solution(system: LinearSystem, x: Array, iterations: int) -> LinearSolution:
    if not np.isfinite(x).all():
        refuse(system, "the solution is not finite")
    scale = 1 / np.sqrt(system.diagonal())
    g, remainder = scale * system.rhs, scale * (system.rhs - system.matvec(x))
    return LinearSolution(x, iterations, float(np.sqrt(_dot(remainder, remainder) / (_dot(g, g) or 1.0))))


def check_definite(system: LinearSystem) -> None:
    """SolverError where the right-hand side or the diagonal shows that there is no solution."""
    diagonal = system.diagonal()
    if not np.isfinite(system.rhs).all():
        refuse(system, "the right-hand side is not finite")
    if not np.isfinite(diagonal).all():
        refuse(system, "the matrix is not finite")
    if not (diagonal > 0).all():
        refuse(system, "the matrix is not positive definite")


def refuse(system: LinearSystem, what: str) -> NoReturn:
    """Raise SolverError saying `what` went wrong, and what helps."""
    diagonal = system.diagonal()
    zero = int(np.count_nonzero(diagonal == 0))
    negative = int(np.count_nonzero(diagonal < 0))
    raise SolverError(
        f"linear system of {diagonal.size} unknowns: {what}; {zero} unknowns have a zero diagonal"
        + (f" and {negative} a negative one" if negative else "")
        + " (no measurement touches them); expected a finite, positive definite system: add a prior, or hold what is "
        "unseen (hold_unseen)"
    )
