"""One visit of a multigrid cycle to a level: sweeps of damped block Jacobi on the way down, and again on the way up.

The weights of the sweeps are the reciprocal roots of a Chebyshev polynomial. A positive semi-definite matrix whose
unknowns fall into three groups, within each of which they are not coupled, is at most three times its diagonal, and
the vertices of a 7-point stencil have such groups: (i - j) mod 3. So the eigenvalues of D⁻¹Λ, with D the blocks of
the vertices, are at most 3 whatever was measured, and nothing has to be estimated.

All sweeps of a visit go over the grid together, each a row behind the one before: the matrix comes from memory once.
How the arrays are laid out says `coarsening`; `channels` stands for 1 + C.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]
Float32 = NDArray[np.float32]
Lines = Array | Float32

LARGEST_EIGENVALUE = 3.0
"""Of D⁻¹Λ for any positive semi-definite 7-point block stencil."""


def chebyshev_weights(sweeps: int) -> Float32:
    """(sweeps,) weights of damped Jacobi that together damp best the upper part of the eigenvalues of D⁻¹Λ.

    The more sweeps there are, the farther down that reaches: to a 25th of the largest for 4, a 100th for 8.
    """
    smallest = LARGEST_EIGENVALUE / (1.25 * sweeps) ** 2
    middle, half = (LARGEST_EIGENVALUE + smallest) / 2, (LARGEST_EIGENVALUE - smallest) / 2
    roots = middle + half * np.cos(np.pi * (np.arange(sweeps) + 0.5) / sweeps)
    return (1 / roots).astype(np.float32)


@njit(cache=True, nogil=True, fastmath={"contract"})
def go_down(
    matrix: Float32, inverse: Float32, b: Float32, weights: Float32, x: Float32, coarse: Float32, first: int, last: int
) -> None:
    """Relax Λx = b from x = 0, and give what is left of b to rows first … last - 1 of the coarser grid."""
    rows, sweeps = b.shape[0] - 2, len(weights)
    scratch = 4 * sweeps + 4
    held = np.zeros((scratch + 1, b.shape[1], b.shape[2]), b.dtype)  # the last four rows of each stage, and a residual
    begin, end = 2 * first, 2 * last + 1  # rows whose residual is wanted
    for front in range(max(begin - sweeps, 0), end + sweeps):
        for stage in range(sweeps + 1):
            i = front - stage
            if i < max(begin - sweeps + stage, 0) or i >= min(end + sweeps - stage, rows + 2):
                continue
            above, here, below = _places(i, stage - 1)
            out = 4 * stage + (i & 3)
            if i == 0 or i == rows + 1:
                held[out] = 0
            elif stage == 0:
                _copy(b, i, held, scratch)
                held[out] = 0
                _add_solved(inverse, i, weights[0], scratch, held, out, out)
            elif stage < sweeps:
                residual_row(matrix, b, i, held, above, here, below, held, scratch)
                _add_solved(inverse, i, weights[stage], scratch, held, here, out)
            else:
                residual_row(matrix, b, i, held, above, here, below, held, out)
            if stage == sweeps - 1 and begin < i < min(end, rows + 1):
                _copy(held, out, x, i)
            if stage == sweeps and i > begin and i % 2 == 0:
                _restrict_row(held, *_places(i - 1, stage), coarse, i // 2)


@njit(cache=True, nogil=True, fastmath={"contract"})
def go_up(
    matrix: Float32, inverse: Float32, b: Float32, weights: Float32, x: Float32, coarse: Float32, y: Float32,
    first: int, last: int,
) -> None:  # fmt: skip
    """Rows first … last - 1 of y: x, corrected by the coarser grid's solution, and relaxed."""
    rows, sweeps = b.shape[0] - 2, len(weights)
    scratch = 4 * sweeps + 4
    held = np.zeros((scratch + 1, b.shape[1], b.shape[2]), b.dtype)
    begin, end = first + 1, last + 1
    for front in range(max(begin - sweeps, 0), end + sweeps):
        for stage in range(sweeps + 1):
            i = front - stage
            if i < max(begin - sweeps + stage, 0) or i >= min(end + sweeps - stage, rows + 2):
                continue
            above, here, below = _places(i, stage - 1)
            out = 4 * stage + (i & 3)
            if i == 0 or i == rows + 1:
                held[out] = 0
            elif stage == 0:
                _correct_row(x, coarse, inverse, i, held, out)
            else:
                residual_row(matrix, b, i, held, above, here, below, held, scratch)
                _add_solved(inverse, i, weights[stage - 1], scratch, held, here, out)
                if stage == sweeps and begin <= i < end:
                    _copy(held, out, y, i)


@njit(cache=True, nogil=True)
def _places(i: int, stage: int) -> tuple[int, int, int]:
    """Where the rows i - 1, i and i + 1 of a stage are held."""
    return 4 * stage + ((i - 1) & 3), 4 * stage + (i & 3), 4 * stage + ((i + 1) & 3)


@njit(cache=True, nogil=True)
def _copy(source: Lines, at: int, target: Lines, to: int) -> None:
    for k in range(source.shape[1]):
        for j in range(source.shape[2]):
            target[to, k, j] = source[at, k, j]


@njit(cache=True, nogil=True, fastmath={"contract"})
def residual_row(
    matrix: Lines, b: Lines, i: int, x: Lines, above: int, here: int, below: int, r: Lines, out: int
) -> None:
    """Row `out` of r = row i of b - Λx; the rows of x around it are at `above`, `here` and `below`."""
    _copy(b, i, r, out)
    for to in range(x.shape[1]):
        for k in range(x.shape[1]):
            if to == k:  # a height with heights, or a colour with itself
                _subtract(matrix, min(to, 1), i, x, above, here, below, k, r, out, to)
            elif to == 0 or k == 0:
                _subtract(matrix, 1 + to + k, i, x, above, here, below, k, r, out, to)


@njit(cache=True, nogil=True, fastmath={"contract"})
def _subtract(
    matrix: Lines, e: int, i: int, x: Lines, above: int, here: int, below: int, k: int, r: Lines, out: int, to: int
) -> None:
    """r[to] -= entry e of the blocks times unknown k of the vertices around each one of row i."""
    for j in range(1, x.shape[2] - 1):
        r[out, to, j] -= (
            matrix[i, 0, e, j] * x[here, k, j]
            + matrix[i, 1, e, j] * x[here, k, j + 1]
            + matrix[i, 1, e, j - 1] * x[here, k, j - 1]
            + matrix[i, 2, e, j] * x[below, k, j]
            + matrix[i - 1, 2, e, j] * x[above, k, j]
            + matrix[i, 3, e, j] * x[below, k, j - 1]
            + matrix[i - 1, 3, e, j + 1] * x[above, k, j + 1]
        )


@njit(cache=True, nogil=True, fastmath={"contract"})
def _add_solved(inverse: Float32, i: int, weight: np.float32, r: int, x: Float32, here: int, out: int) -> None:
    """Row `out` of x = row `here` + weight D⁻¹ times row `r`, for row i of the grid; row `r` is used up."""
    cols, channels = x.shape[2] - 2, x.shape[1]
    for k in range(1, channels):
        for j in range(1, cols + 1):
            x[r, 0, j] -= inverse[i, 1 + k, j] * x[r, k, j]
    for j in range(1, cols + 1):
        x[r, 0, j] *= weight * inverse[i, 0, j]
        x[out, 0, j] = x[here, 0, j] + x[r, 0, j]
    for k in range(1, channels):
        for j in range(1, cols + 1):
            x[out, k, j] = x[here, k, j] + weight * inverse[i, 1, j] * x[r, k, j] - inverse[i, 1 + k, j] * x[r, 0, j]


@njit(cache=True, nogil=True)
def _restrict_row(r: Float32, above: int, here: int, below: int, coarse: Float32, out: int) -> None:
    """Row `out` of the coarser grid's right-hand side from three rows of the residual."""
    half = np.float32(0.5)
    for k in range(r.shape[1]):
        for j in range(1, r.shape[2] // 2 + 1):
            f = 2 * j - 1
            coarse[out, k, j] = r[here, k, f] + half * (
                r[here, k, f - 1] + r[here, k, f + 1] + r[above, k, f] + r[above, k, f + 1]
                + r[below, k, f] + r[below, k, f - 1]
            )  # fmt: skip


@njit(cache=True, nogil=True)
def _correct_row(x: Float32, coarse: Float32, inverse: Float32, i: int, held: Float32, out: int) -> None:
    """Row i of x, with the coarser grid's solution interpolated and added for the unknowns that the matrix holds."""
    upper, lower = (i + 1) // 2, i // 2 + 1
    half, none = np.float32(0.5), np.float32(0)
    for k in range(x.shape[1]):
        kind = min(k, 1)
        for j in range(1, x.shape[2] // 2 + 1):
            f = 2 * j - 1
            change = half * (coarse[upper, k, j] + coarse[lower, k, j])
            held[out, k, f] = x[i, k, f] + (change if inverse[i, kind, f] > 0 else none)
        for j in range(1, x.shape[2] // 2):
            f = 2 * j
            change = half * (coarse[upper, k, j + 1] + coarse[lower, k, j])
            held[out, k, f] = x[i, k, f] + (change if inverse[i, kind, f] > 0 else none)
