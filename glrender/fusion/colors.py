"""The colours of a map, estimated beside its heights."""

from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.solve.stencil import BlockStencil
from glrender.solve.systems import NormalEquations

Float64 = NDArray[np.float64]

MEAN, SIGMA = 0.5, 0.5
"""All that is known of a colour that nobody has seen."""

_CONVERGED, _MOST_SWEEPS = 1e-6, 1000


@dataclass(frozen=True, eq=False)
class ColorEquations:
    """What a frame said about the colours themselves, not about increments: they are linear."""

    information: BlockStencil
    """Of each colour channel, the same for all; (rows, cols, 4, 1)."""
    vector: Float64
    """(rows, cols, C)."""

    @staticmethod
    def linearized(equations: NormalEquations, colors: Float64) -> "ColorEquations":
        """From a frame's normal equations at `colors` (rows, cols, C)."""
        information = BlockStencil(equations.stencil.matrix[..., 1:2])
        at_colors = [information.matvec(colors[..., c, None]) for c in range(colors.shape[2])]
        return ColorEquations(information, equations.vector[..., 1:] + np.concatenate(at_colors, axis=-1))


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
        """With the estimate moved towards the solution: neighbours share few pixels, so one sweep goes most of it."""
        estimate = self.estimate.copy()
        _sweep(self.data.information.matrix, self.data.vector, SIGMA**-2, estimate)
        return replace(self, estimate=estimate)

    def solved(self) -> "ColorMemory":
        """With the estimate moved to the solution."""
        estimate = self.estimate.copy()
        for _ in range(_MOST_SWEEPS):
            if _sweep(self.data.information.matrix, self.data.vector, SIGMA**-2, estimate) < _CONVERGED:
                break
        return replace(self, estimate=estimate)

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


@njit(cache=True, nogil=True)
def _sweep(matrix: Float64, vector: Float64, prior: float, x: Float64) -> float:
    """A Gauss-Seidel sweep down the map and one up over the colours that any data touch; the largest change."""
    rows, cols, channels = x.shape
    largest = 0.0
    for half in range(2):
        for step in range(rows * cols):
            vertex = step if half == 0 else rows * cols - 1 - step
            i, j = vertex // cols, vertex % cols
            own = matrix[i, j, 0, 0]
            if own == 0.0:
                continue
            for c in range(channels):
                total = vector[i, j, c] + prior * MEAN
                if j + 1 < cols:
                    total -= matrix[i, j, 1, 0] * x[i, j + 1, c]
                if i + 1 < rows:
                    total -= matrix[i, j, 2, 0] * x[i + 1, j, c]
                    if j > 0:
                        total -= matrix[i, j, 3, 0] * x[i + 1, j - 1, c]
                if j > 0:
                    total -= matrix[i, j - 1, 1, 0] * x[i, j - 1, c]
                if i > 0:
                    total -= matrix[i - 1, j, 2, 0] * x[i - 1, j, c]
                    if j + 1 < cols:
                        total -= matrix[i - 1, j + 1, 3, 0] * x[i - 1, j + 1, c]
                value = total / (own + prior)
                largest = max(largest, abs(value - x[i, j, c]))
                x[i, j, c] = value
    return largest
