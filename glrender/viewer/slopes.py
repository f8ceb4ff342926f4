"""How steep a map is at its vertices, also beside gaps."""

import numpy as np
from numpy.typing import NDArray

from glrender.geometry.heightmap import HeightMap

Float64 = NDArray[np.float64]


def slopes(surface: HeightMap) -> tuple[Float64, Float64]:
    """(rows, cols) dh/dx and dh/dy: central differences, one-sided beside what nobody has seen, 0 where that is all."""

    def along(heights: Float64) -> Float64:
        steps = np.diff(heights, axis=1, prepend=np.nan, append=np.nan)
        known = np.isfinite(steps)
        sums = np.where(known, steps, 0)
        return (sums[:, :-1] + sums[:, 1:]) / (
            np.maximum(known[:, :-1] + known[:, 1:].astype(int), 1) * surface.spacing
        )

    return along(surface.heights), along(surface.heights.T).T
