"""The grids of a multigrid hierarchy, each with every other vertex of the one before, and the matrices on them.

A correction is interpolated linearly on the triangles of the coarser grid. Its triangles are made of four finer ones
each, the diagonals running the same way, so a vertex between is the middle of one coarse edge, and the Galerkin
product PᵀΛP is a 7-point block stencil again, entry by entry.

A level's arrays go row by row, and hold in a row one line of columns for each entry: matrices are
(rows + 2, 4, E, cols + 2), vectors (rows + 2, 1 + C, cols + 2). Short loops along a line become vector instructions.
Around the grid is a frame of zeros, where couplings that point out of it end. Rows and columns are odd in number: an
even grid gets one more, that nothing touches.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.solve.stencil import BlockStencil

Array = NDArray[np.float64]
Float32 = NDArray[np.float32]

_LEAST_PIVOT = 1e-6  # of a height's own information, once the colours of its vertex are eliminated
_TINY = 1e-30  # information below this has a reciprocal that is taken to be 1 / this, for the range of single precision


def to_lines(values: Array) -> Array:
    """(rows', K, cols') lines of (rows, cols, K) values."""
    rows, cols, count = values.shape
    lines = np.zeros(((rows | 1) + 2, count, (cols | 1) + 2))
    lines[1 : rows + 1, :, 1 : cols + 1] = values.transpose(0, 2, 1)
    return lines


def from_lines(lines: Array, rows: int, cols: int) -> Array:
    """The (rows, cols, K) values of lines."""
    return np.ascontiguousarray(lines[1 : rows + 1, :, 1 : cols + 1].transpose(0, 2, 1))


def zero_lines(rows: int, cols: int, entries: int) -> Array:
    """A matrix of zeros on a grid that is made odd, (rows', 4, E, cols')."""
    return np.zeros(((rows | 1) + 2, 4, entries, (cols | 1) + 2))


@njit(cache=True, nogil=True)
def fill_lines(stencil: Array, lines: Array, first: int, last: int) -> None:
    """Rows first … last - 1 of a stencil (rows, cols, 4, E) as lines, without the couplings that point out of it."""
    rows, cols = stencil.shape[:2]
    for i in range(first, last):
        for axis in range(4):
            if axis >= 2 and i == rows - 1:
                continue
            start, stop = 1 if axis == 3 else 0, cols - 1 if axis == 1 else cols
            for e in range(stencil.shape[3]):
                for j in range(start, stop):
                    lines[i + 1, axis, e, j + 1] = stencil[i, j, axis, e]


@njit(cache=True, nogil=True)
def set_apart(lines: Array, alone: Array, first: int, last: int) -> None:
    """Move the diagonal of each unknown that is coupled to no other from a matrix to `alone`.

    `alone` is (rows', 1, cols') or, with colours, (rows', 2, cols'): one for the height and one for all colours.
    """
    entries, cols = lines.shape[2], lines.shape[3]
    total = np.empty(cols)
    for i in range(first + 1, last + 1):
        for kind in range(alone.shape[1]):
            total[:] = 0.0
            for e in range(entries):
                if e == 1 - kind:
                    continue
                if e > 1:
                    for j in range(1, cols - 1):
                        total[j] += abs(lines[i, 0, e, j])
                for j in range(1, cols - 1):
                    total[j] += (
                        abs(lines[i, 1, e, j]) + abs(lines[i, 1, e, j - 1])
                        + abs(lines[i, 2, e, j]) + abs(lines[i - 1, 2, e, j])
                        + abs(lines[i, 3, e, j]) + abs(lines[i - 1, 3, e, j + 1])
                    )  # fmt: skip
            for j in range(1, cols - 1):
                diagonal = lines[i, 0, kind, j]
                alone[i, kind, j] = diagonal if total[j] == 0.0 else 0.0
                lines[i, 0, kind, j] = 0.0 if total[j] == 0.0 else diagonal


@njit(cache=True, nogil=True, error_model="numpy")
def prepare(lines: Array, single: Float32, inverse: Float32, first: int, last: int) -> None:
    """A matrix in single precision, and (rows', E, cols') the inverse of each vertex's own block, 0 where that is 0.

    Of a block [[h, t], [tᵀ, c·1]], `inverse` holds 1 / (h - t·t / c), 1 / c, and t / c.
    """
    entries = lines.shape[2]
    for i in range(first + 1, last + 1):
        for axis in range(4):
            for e in range(entries):
                for j in range(lines.shape[3]):
                    single[i, axis, e, j] = lines[i, axis, e, j]
        for j in range(1, lines.shape[3] - 1):
            h = lines[i, 0, 0, j]
            pivot = h
            if entries > 1 and lines[i, 0, 1, j] > 0:
                c = max(lines[i, 0, 1, j], _TINY)
                inverse[i, 1, j] = 1 / c
                for e in range(2, entries):
                    pivot -= lines[i, 0, e, j] * lines[i, 0, e, j] / c
                    inverse[i, e, j] = lines[i, 0, e, j] / c
            if h > 0:
                inverse[i, 0, j] = 1 / max(pivot, _LEAST_PIVOT * h, _TINY)


@njit(cache=True, nogil=True, fastmath={"contract"})
def coarsen(fine: Array, coarse: Array, first: int, last: int) -> None:
    """Rows first … last - 1 of the Galerkin product, for each entry of the blocks by itself.

    The basis function of a coarse vertex is 1 there, and 1/2 at the six vertices around it.
    """
    rows, cols = fine.shape[0] - 2, (fine.shape[3] - 1) // 2
    for row in range(first + 1, last + 1):
        i = 2 * row - 1
        for e in range(fine.shape[2]):
            D0, E0, S0, W0 = fine[i - 1, 0, e], fine[i - 1, 1, e], fine[i - 1, 2, e], fine[i - 1, 3, e]
            D1, E1, S1, W1 = fine[i, 0, e], fine[i, 1, e], fine[i, 2, e], fine[i, 3, e]  # self, east, south, south-west
            D2, E2, S2, W2 = fine[i + 1, 0, e], fine[i + 1, 1, e], fine[i + 1, 2, e], fine[i + 1, 3, e]
            for col in range(1, cols + 1):
                j = 2 * col - 1
                spokes = E1[j] + E1[j - 1] + S1[j] + S0[j] + W1[j] + W0[j + 1]
                rim = S0[j + 1] + E0[j] + W0[j] + S1[j - 1] + E2[j - 1] + W1[j + 1]
                ends = D1[j + 1] + D1[j - 1] + D2[j] + D0[j] + D2[j - 1] + D0[j + 1]
                coarse[row, 0, e, col] = D1[j] + spokes + 0.5 * rim + 0.25 * ends
                # An edge: its two halves, its middle, the middle with the vertices on both sides, and these along it.
                if col < cols:
                    sides = S0[j + 1] + W0[j + 2] + S1[j + 1] + W1[j + 1] + E0[j + 1] + E2[j]
                    coarse[row, 1, e, col] = 0.5 * (E1[j] + E1[j + 1]) + 0.25 * (D1[j + 1] + sides)
                if i == rows:
                    continue
                sides = E2[j] + E2[j - 1] + W1[j + 1] + W2[j] + S1[j + 1] + S2[j - 1]
                coarse[row, 2, e, col] = 0.5 * (S1[j] + S2[j]) + 0.25 * (D2[j] + sides)
                if col > 1:
                    sides = E2[j - 1] + E2[j - 2] + S1[j - 1] + S2[j - 1] + W1[j - 1] + W2[j]
                    coarse[row, 3, e, col] = 0.5 * (W1[j] + W2[j - 1]) + 0.25 * (D2[j - 1] + sides)


def to_stencil(matrix: Array) -> BlockStencil:
    """The stencil of a matrix's lines."""
    return BlockStencil(np.ascontiguousarray(matrix[1:-1, :, :, 1:-1].transpose(0, 3, 1, 2)))
