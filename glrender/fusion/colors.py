"""The colours of a map, estimated beside its heights."""

from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.assembly.absolute import ColorEquations
from glrender.parallel import even_parts, run_parts
from glrender.solve.stencil import BlockStencil

Float64 = NDArray[np.float64]

MEAN, SIGMA = 0.5, 0.5
"""All that is known of a colour that nobody has seen."""

_CONVERGED, _MOST_SWEEPS = 1e-6, 1000


@dataclass(frozen=True, eq=False)
class ColorMemory:
    """What all frames so far said about the colours, and the estimate that follows from it."""

    data: ColorEquations
    """Of all frames together."""
    estimate: Float64
    """(rows, cols, C) linear."""

    @staticmethod
    def empty(shape: tuple[int, int], channels: int) -> "ColorMemory":
        """Nothing seen yet."""
        nothing = np.zeros((*shape, channels))
        return ColorMemory(ColorEquations(BlockStencil.zeros(*shape, 0), nothing), nothing + MEAN)

    @property
    def channels(self) -> int:
        """1 or 3."""
        return self.estimate.shape[2]

    def seeded(self, seen: Float64, where: NDArray[np.bool_]) -> "ColorMemory":
        """With the estimate (rows, cols, C) replaced by what is finite of `seen` in the cells (rows, cols) `where`."""
        estimate = self.estimate.copy()
        _take_over(seen, where, estimate)
        return replace(self, estimate=estimate)

    def with_frame(self, frame: ColorEquations | None) -> "ColorMemory":
        """With what a frame said added; None: it had no image."""
        if frame is None:
            return self
        data = self.data
        return replace(self, data=ColorEquations(data.information + frame.information, data.vector + frame.vector))

    def relaxed(self) -> "ColorMemory":
        """With the estimate moved towards the solution: neighbours share few pixels, so two sweeps go most of it."""
        estimate = self.estimate.copy()
        for _ in range(2):
            self._sweep(estimate)
        return replace(self, estimate=estimate)

    def solved(self) -> "ColorMemory":
        """With the estimate moved to the solution."""
        estimate = self.estimate.copy()
        for _ in range(_MOST_SWEEPS):
            if self._sweep(estimate) < _CONVERGED:
                break
        return replace(self, estimate=estimate)

    def _sweep(self, x: Float64) -> float:
        """Gauss-Seidel over every other row, then over those between, which depend on no other of them; the largest
        change."""
        largest = 0.0
        for odd in (0, 1):
            arguments = (self.data.information.matrix, self.data.vector, SIGMA**-2, odd, x)
            largest = max(largest, *run_parts(_relax_rows, even_parts((len(x) + 1 - odd) // 2), *arguments))
        return largest

    def known(self) -> Float64:
        """(rows, cols, C): the colours in [0, 1], NaN where the data say less than the prior."""
        seen = self.data.information.diagonal() > SIGMA**-2
        return np.where(seen, np.clip(self.estimate, 0, 1), np.nan)


@njit(cache=True, nogil=True)
def _take_over(seen: Float64, where: NDArray[np.bool_], estimate: Float64) -> None:
    rows, cols, channels = estimate.shape
    for i in range(rows):
        for j in range(cols):
            if where[i, j]:
                for c in range(channels):
                    if np.isfinite(seen[i, j, c]):
                        estimate[i, j, c] = seen[i, j, c]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _relax_rows(matrix: Float64, vector: Float64, prior: float, odd: int, x: Float64, first: int, last: int) -> float:
    """Rows 2 first + odd, … 2 last - 2 + odd: the colours that any data touch; the largest change."""
    rows, cols, channels = x.shape
    largest = 0.0
    for i in range(2 * first + odd, 2 * last + odd, 2):
        above, below = max(i - 1, 0), min(i + 1, rows - 1)
        up, down = np.float64(i > 0), np.float64(i + 1 < rows)
        for j in range(cols):
            own = matrix[i, j, 0, 0]
            if own == 0.0:
                continue
            left, right = max(j - 1, 0), min(j + 1, cols - 1)
            has_left, has_right = np.float64(j > 0), np.float64(j + 1 < cols)
            w, e = has_left * matrix[i, left, 1, 0], has_right * matrix[i, j, 1, 0]
            n, s = up * matrix[above, j, 2, 0], down * matrix[i, j, 2, 0]
            ne, sw = up * has_right * matrix[above, right, 3, 0], down * has_left * matrix[i, j, 3, 0]
            per = 1.0 / (own + prior)
            for c in range(channels):
                others = w * x[i, left, c] + e * x[i, right, c] + n * x[above, j, c] + s * x[below, j, c]
                others += ne * x[above, right, c] + sw * x[below, left, c]
                value = (vector[i, j, c] + prior * MEAN - others) * per
                largest = max(largest, abs(value - x[i, j, c]))
                x[i, j, c] = value
    return largest
