"""The colours of a map, estimated beside its heights."""

from copy import deepcopy

import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.assembly.absolute import ColorEquations
from glrender.parallel import even_parts, run_parts
from glrender.solve.patch import Patch

Float64 = NDArray[np.float64]

MEAN, SIGMA = 0.5, 0.5
"""All that is known of a colour that nobody has seen."""

_CONVERGED, _MOST_SWEEPS = 1e-6, 1000
_BEYOND = 1.5
"""Of a step, how far sweeps to the solution go: many fewer are enough where a cell has few pixels, some more where it
has many (Young, *Iterative Methods for Solving Partial Difference Equations of Elliptic Type*, 1954)."""


class ColorMemory:
    """What all frames so far said about the colours of a grid of `shape` (rows, cols), and an estimate of them."""

    def __init__(self, shape: tuple[int, int], channels: int) -> None:
        self.channels = channels
        """1 or 3."""
        self.estimate = np.full((*shape, channels), MEAN)
        """(rows, cols, C) linear."""
        self._whole = Patch.whole(shape)
        self._matrix, self._vector = np.zeros((*shape, 4, 1)), np.zeros((*shape, channels))

    def copy(self) -> "ColorMemory":
        """Another with the same memory and estimate."""
        return deepcopy(self)

    def seed(self, patch: Patch, seen: Float64, where: NDArray[np.bool_]) -> None:
        """Replace the estimate by what is finite of `seen` (rows, cols, C) in those cells of a patch (rows, cols)."""
        _take_over(seen, where, patch.top, patch.left, self.estimate)

    def add(self, patch: Patch, said: ColorEquations | None) -> None:
        """Keep what a frame said about a patch; None: it had no image."""
        if said is not None:
            self._matrix[patch.slices] += said.information.matrix
            self._vector[patch.slices] += said.vector

    def relax(self, patch: Patch) -> None:
        """Move a patch's estimate towards the solution: neighbours share few pixels, so two sweeps go most of it."""
        for _ in range(2):
            self._sweep(patch)

    def solve(self) -> None:
        """Move the estimate to the solution."""
        for _ in range(_MOST_SWEEPS):
            if self._sweep(self._whole, _BEYOND) < _CONVERGED:
                break

    def known(self) -> Float64:
        """(rows, cols, C): the colours in [0, 1], NaN where the data say less than the prior."""
        seen = self._matrix[:, :, 0] > SIGMA**-2
        return np.where(seen, np.clip(self.estimate, 0, 1), np.nan)

    def _sweep(self, patch: Patch, beyond: float = 1.0) -> float:
        """Gauss-Seidel over every other row, then over those between, which depend on no other of them, by `beyond`
        times its steps; the largest of them."""
        largest = 0.0
        for odd in (0, 1):
            place = patch.top + odd, patch.left, patch.right
            parts = even_parts((patch.shape[0] + 1 - odd) // 2)
            arguments = (self._matrix, self._vector, SIGMA**-2, beyond, *place, self.estimate)
            largest = max(largest, *run_parts(_relax_rows, parts, *arguments))
        return largest


@njit(cache=True, nogil=True)
def _take_over(seen: Float64, where: NDArray[np.bool_], top: int, left: int, estimate: Float64) -> None:
    rows, cols, channels = seen.shape
    for i in range(rows):
        for j in range(cols):
            if where[i, j]:
                for c in range(channels):
                    if np.isfinite(seen[i, j, c]):
                        estimate[top + i, left + j, c] = seen[i, j, c]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _relax_rows(
    matrix: Float64,
    vector: Float64,
    prior: float,
    beyond: float,
    top: int,
    left: int,
    right: int,
    x: Float64,
    first: int,
    last: int,
) -> float:
    """Rows top + 2 first, … top + 2 last - 2, from one column to another: the colours that any data touch; the largest
    step."""
    rows, cols, channels = x.shape
    largest = 0.0
    for i in range(top + 2 * first, top + 2 * last, 2):
        above, below = max(i - 1, 0), min(i + 1, rows - 1)
        up, down = np.float64(i > 0), np.float64(i + 1 < rows)
        for j in range(left, right):
            own = matrix[i, j, 0, 0]
            if own == 0.0:
                continue
            west, east = max(j - 1, 0), min(j + 1, cols - 1)
            has_west, has_east = np.float64(j > 0), np.float64(j + 1 < cols)
            w, e = has_west * matrix[i, west, 1, 0], has_east * matrix[i, j, 1, 0]
            n, s = up * matrix[above, j, 2, 0], down * matrix[i, j, 2, 0]
            ne, sw = up * has_east * matrix[above, east, 3, 0], down * has_west * matrix[i, j, 3, 0]
            per = 1.0 / (own + prior)
            for c in range(channels):
                others = w * x[i, west, c] + e * x[i, east, c] + n * x[above, j, c] + s * x[below, j, c]
                others += ne * x[above, east, c] + sw * x[below, west, c]
                step = (vector[i, j, c] + prior * MEAN - others) * per - x[i, j, c]
                largest = max(largest, abs(step))
                x[i, j, c] += beyond * step
    return largest
