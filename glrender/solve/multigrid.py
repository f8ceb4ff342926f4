"""Geometric multigrid for the 7-point block stencil of a height map, alone and in front of conjugate gradients.

A V-cycle relaxes the error that is rough on each grid (`relaxation`) and leaves the smooth rest to a grid with every
other vertex (`coarsening`). What it does to a right-hand side is symmetric and positive definite, so it makes a
preconditioner; it runs in single precision, and the conjugate gradients around it (`krylov`) in double.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glrender.checks import check_array
from glrender.errors import InputError, UsageError
from glrender.parallel import even_parts, run_parts
from glrender.solve import krylov
from glrender.solve.coarsening import (
    coarsen,
    fill_lines,
    from_lines,
    prepare,
    set_apart,
    to_lines,
    to_stencil,
    zero_lines,
)
from glrender.solve.linear import LinearSolution, check_definite, refuse
from glrender.solve.relaxation import chebyshev_weights, go_down, go_up
from glrender.solve.stencil import BlockStencil
from glrender.solve.systems import Damped, LinearSystem, NormalEquations

Array = NDArray[np.float64]
Float32 = NDArray[np.float32]
Parts = Sequence[tuple[int, int]]

_COARSEST = 3  # rows and columns of the grid that is solved directly
_NEGLIGIBLE = 1e-13  # of the largest eigenvalue of its matrix
_WORTH_THREADS = 300_000  # entries of a matrix; below, waking a thread costs as much as it gains

_HEIGHT_SWEEPS, _COLOR_SWEEPS = 4, 8
# Where there are fewer pixels than vertices, a pixel ties the three vertices around it together much harder than
# anything else holds each of them, which only relaxing undoes. No smoothness holds colours: they need more of it.


@dataclass(frozen=True, eq=False)
class _Level:
    """A grid of the hierarchy."""

    matrix: Float32
    """(rows', 4, E, cols') lines."""
    inverse: Float32
    """(rows', E, cols') lines: the inverses of the diagonal blocks."""


@dataclass(frozen=True, eq=False)
class _Vectors:
    """What a cycle keeps on a level, each (rows', 1 + C, cols') lines."""

    b: Float32
    """The right-hand side."""
    x: Float32
    """The solution on the way down."""
    y: Float32
    """The solution."""


class Multigrid:
    """The hierarchy of grids of one matrix, which must be positive definite.

    Made once, it serves any number of right-hand sides. A cycle relaxes by so many `sweeps` on each grid, going down
    and again going up; None: by as many as converge fastest.
    """

    def __init__(self, stencil: BlockStencil, sweeps: int | None = None) -> None:
        self.stencil = stencil
        rows, cols = stencil.shape
        matrix = zero_lines(rows, cols, stencil.matrix.shape[3])
        run_parts(fill_lines, _parts(matrix, rows), stencil.matrix, matrix)
        # What nothing couples, such as unseen cells, is solved by itself and does not take part.
        alone = np.zeros((matrix.shape[0], min(matrix.shape[2], 2), matrix.shape[3]))
        run_parts(set_apart, _parts(matrix, rows), matrix, alone)
        self._alone = np.repeat(alone, (1, stencil.channels)[: alone.shape[1]], axis=1)
        self._coupled = self._alone == 0
        self._matrix = matrix
        self._levels = [_level(matrix)]
        while max(matrix.shape[0], matrix.shape[3]) - 2 > _COARSEST:
            fine, rows, cols = matrix, (matrix.shape[0] - 1) // 2, (matrix.shape[3] - 1) // 2
            matrix = zero_lines(rows, cols, fine.shape[2])
            run_parts(coarsen, _parts(fine, rows), fine, matrix)
            self._levels.append(_level(matrix))
        last = to_stencil(matrix)
        units = np.eye(last.diagonal().size).reshape(-1, *last.diagonal().shape)
        dense = np.stack([last.matvec(unit).ravel() for unit in units])
        if not np.isfinite(dense).all():  # everything is summed up here
            refuse(NormalEquations(stencil, np.zeros(self._shape), 0.0, 0), "the matrix is not finite")
        values, vectors = np.linalg.eigh(dense)
        # Not all coarse vertices have something to do with a fine one.
        counts = values > _NEGLIGIBLE * values[-1]
        self._last = (vectors[:, counts] / values[counts]) @ vectors[:, counts].T
        self._weights = chebyshev_weights(sweeps or (_COLOR_SWEEPS if stencil.channels else _HEIGHT_SWEEPS))

    def cycle(self, rhs: ArrayLike, x: ArrayLike | None = None) -> Array:
        """(rows, cols, 1 + C): x (0 unless given), improved as a solution of Λx = rhs by one V-cycle.

        From x = 0 this is a symmetric positive definite function of rhs, but for the rounding of single precision.
        """
        g, alone = self._split(self._checked("rhs", rhs))
        before = np.zeros_like(g) if x is None else to_lines(self._checked("x", x)) * self._coupled
        rows, r, vectors = g.shape[0] - 2, np.zeros_like(g), self._vectors()
        parts = _parts(self._matrix, rows)
        run_parts(krylov.residual, parts, self._matrix, g, before, r)
        vectors[0].b[:] = r
        self._descend(vectors, threads=True)
        return self._joined(before + vectors[0].y, alone)

    def solve(
        self,
        rhs: ArrayLike,
        guess: ArrayLike | None = None,
        *,
        tolerance: float = 1e-6,
        max_iterations: int = 100,
        truncated: bool = False,
    ) -> LinearSolution:
        """Solve Λx = rhs, (rows, cols, 1 + C), by conjugate gradients with one V-cycle an iteration.

        Stop where the residual, each entry divided by √Λ_ii, is below `tolerance` times the right-hand side's; at
        `max_iterations` it returns what it has if `truncated`, and raises SolverError if not. SolverError also where
        the matrix is not positive definite.
        """
        system = NormalEquations(self.stencil, self._checked("rhs", rhs), 0.0, 0)
        start = None if guess is None else self._checked("guess", guess)
        check_definite(system)
        return self._conjugate(system, start, tolerance, max_iterations, truncated, threads=True)

    def solve_all(self, rhs: ArrayLike, *, tolerance: float = 1e-6, max_iterations: int = 100) -> Array:
        """The solutions of several right-hand sides, (count, rows, cols, 1 + C), as by `solve`, but faster."""
        columns = check_array("rhs", rhs, (None, *self._shape), finite=True)
        solutions = np.empty_like(columns)
        check_definite(NormalEquations(self.stencil, np.zeros(self._shape), 0.0, 0))

        def solve_some(first: int, last: int) -> None:
            for k in range(first, last):
                system = NormalEquations(self.stencil, columns[k], 0.0, 0)
                solutions[k] = self._conjugate(system, None, tolerance, max_iterations, False, threads=False).x

        run_parts(solve_some, even_parts(len(columns)))
        return solutions

    @property
    def _shape(self) -> tuple[int, int, int]:
        return (*self.stencil.shape, 1 + self.stencil.channels)

    def _checked(self, name: str, values: ArrayLike) -> Array:
        return check_array(name, values, self._shape)

    def _split(self, rhs: Array) -> tuple[Array, Array]:
        """The right-hand side of what takes part, and the solution of what does not, as lines with zeros elsewhere."""
        g = to_lines(rhs)
        return g * self._coupled, np.divide(g, self._alone, out=np.zeros_like(g), where=~self._coupled)

    def _joined(self, x: Array, alone: Array) -> Array:
        """(rows, cols, 1 + C): both parts of the solution."""
        return from_lines(x + alone, *self.stencil.shape)

    def _vectors(self) -> list[_Vectors]:
        shapes = [(level.matrix.shape[0], self._shape[2], level.matrix.shape[3]) for level in self._levels]
        return [_Vectors(*(np.zeros(shape, np.float32) for _ in range(3))) for shape in shapes]

    def _descend(self, vectors: list[_Vectors], *, threads: bool, depth: int = 0) -> None:
        """vectors[depth].y from vectors[depth].b."""
        level, here = self._levels[depth], vectors[depth]
        if depth + 1 == len(self._levels):
            b, y = (lines[1:-1, :, 1:-1].transpose(0, 2, 1) for lines in (here.b, here.y))
            y[:] = (self._last @ b.ravel()).reshape(b.shape)
            return
        below, rows = vectors[depth + 1], here.b.shape[0] - 2
        run_parts(
            go_down, _parts(level.matrix, (rows + 1) // 2, threads=threads),
            level.matrix, level.inverse, here.b, self._weights, here.x, below.b,
        )  # fmt: skip
        self._descend(vectors, threads=threads, depth=depth + 1)
        run_parts(
            go_up, _parts(level.matrix, rows, threads=threads),
            level.matrix, level.inverse, here.b, self._weights, here.x, below.y, here.y,
        )  # fmt: skip

    def _conjugate(
        self,
        system: NormalEquations,
        guess: Array | None,
        tolerance: float,
        max_iterations: int,
        truncated: bool,
        *,
        threads: bool,
    ) -> LinearSolution:
        matrix, (g, alone) = self._matrix, self._split(system.rhs)
        parts = _parts(matrix, g.shape[0] - 2, threads=threads)
        vectors = self._vectors()
        b, z = vectors[0].b, vectors[0].y
        zero, r, p, q = (np.zeros_like(g) for _ in range(4))
        x = np.zeros_like(g) if guess is None else to_lines(guess) * self._coupled
        run_parts(krylov.residual, parts, matrix, g, x, r)
        whole = sum(run_parts(krylov.hand_over, parts, matrix, g, b))
        left = sum(run_parts(krylov.hand_over, parts, matrix, r, b))
        target = tolerance**2 * whole
        step = previous = 1.0
        iterations = 0
        while not left <= target and iterations < max_iterations:
            self._descend(vectors, threads=threads)
            products = run_parts(krylov.project, parts, z, r, q)
            along, across = (sum(part[k] for part in products) for k in (0, 1))
            # z·(r - r before) over (z·r) before, as Polak and Ribière have it, forgives what rounding adds to z.
            run_parts(krylov.turn, parts, z, step * across / previous, p)
            curvature = -sum(run_parts(krylov.multiply, parts, matrix, zero, p, q))
            if not curvature > 0:
                refuse(system, f"conjugate gradients met a direction of curvature {curvature:.1e}")
            step, previous = along / curvature, along
            left = sum(run_parts(krylov.advance, parts, step, matrix, p, q, x, r, b))
            iterations += 1
        solution = LinearSolution(self._joined(x, alone), iterations, float(np.sqrt(left / (whole or 1.0))))
        if not left <= target and not truncated:
            refuse(system, f"no convergence in {iterations} iterations, residual {solution.residual:.1e}")
        return solution


@dataclass(frozen=True)
class MultigridSolver:
    """Conjugate gradients with a multigrid cycle as preconditioner, for the systems of height maps.

    Around ten iterations reduce the residual by 1e-6, whatever the size of the map. For a few warm-started cycles
    that leave the rest to the next call, set `max_iterations` and `truncated`.
    """

    tolerance: float = 1e-6
    """Stops where the residual, as `LinearSolution` has it, is below this."""
    max_iterations: int = 100
    """Bound on the cycles."""
    truncated: bool = False
    """Return the last iterate at `max_iterations` instead of raising SolverError."""
    sweeps: int | None = None
    """Sweeps of relaxation on each grid, each way; None: as many as converge fastest. Fewer make a cycle cheaper."""

    def solve(self, system: LinearSystem, guess: Array | None = None) -> LinearSolution:
        """Iterate from `guess` (zero unless given); raises UsageError for a system that is not a height map's."""
        return Multigrid(grid_stencil(system), self.sweeps).solve(
            system.rhs,
            guess,
            tolerance=self.tolerance,
            max_iterations=self.max_iterations,
            truncated=self.truncated,
        )


def grid_stencil(system: LinearSystem) -> BlockStencil:
    """The matrix of a height map's system, damped or not; UsageError for any other system."""
    if isinstance(system, NormalEquations):
        return system.stencil
    if not isinstance(system, Damped):
        raise UsageError(
            f"multigrid: received {type(system).__name__}, expected the normal equations of a height map, damped or "
            "not; solve others by ConjugateGradient or DirectSolver"
        )
    stencil = grid_stencil(system.system)
    damping = system.damping
    if (damping[..., 1:] != damping[..., 1:2]).any():
        raise InputError("damping: received one that differs between the colours of a vertex, expected one for all")
    matrix = stencil.matrix.copy()
    entries = min(2, matrix.shape[3])
    matrix[:, :, 0, :entries] += damping[..., :entries]
    return BlockStencil(matrix)


def _level(matrix: Array) -> _Level:
    rows, _, entries, cols = matrix.shape
    level = _Level(np.zeros(matrix.shape, np.float32), np.zeros((rows, entries, cols), np.float32))
    run_parts(prepare, _parts(matrix, rows - 2), matrix, level.matrix, level.inverse)
    return level


def _parts(matrix: Array | Float32, rows: int, *, threads: bool = True) -> Parts:
    """The rows that each thread takes of a loop over a grid with this matrix."""
    return even_parts(rows) if threads and matrix.size > _WORTH_THREADS else [(0, rows)]
