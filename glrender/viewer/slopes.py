"""How steep a map is at its vertices, also beside gaps."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.geometry.heightmap import HeightMap

Float64 = NDArray[np.float64]


def slopes(surface: HeightMap) -> tuple[Float64, Float64]:
    """(rows, cols) dh/dx and dh/dy: central differences, one-sided beside what nobody has seen, 0 where that is all."""
    along_x, along_y = np.empty(surface.shape), np.empty(surface.shape)
    _differences(surface.heights, surface.spacing, along_x)
    _differences(surface.heights.T, surface.spacing, along_y.T)
    return along_x, along_y


@njit(cache=True, nogil=True)
def _differences(heights: Float64, spacing: float, result: Float64) -> None:
    """The differences along rows, for each vertex the mean of those to its neighbours that are known."""
    rows, cols = heights.shape
    for i in range(rows):
        for j in range(cols):
            total, known = 0.0, 0
            for k in range(max(j, 1), min(j + 2, cols)):
                step = heights[i, k] - heights[i, k - 1]
                if np.isfinite(step):
                    total += step
                    known += 1
            result[i, j] = total / (max(known, 1) * spacing)
