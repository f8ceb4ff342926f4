"""Heights between the vertices of a height map."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glrender.geometry.heightmap import HeightMap

SNAP = 1e-6
"""Points this close to a grid line, in units of the spacing, lie on it: far from the origin rounding
moves them off, and the heights beyond the line need not be known."""


def sample_heights(surface: HeightMap, x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
    """The height of the map's triangles at map coordinates `x` and `y` (metres, of equal shape).

    Exactly the surface that is drawn; NaN outside the grid and where a height that counts is unknown. On a
    vertex only its own height counts, on a line between two vertices only theirs.
    """
    rows, cols = surface.shape
    column = (np.asarray(x, np.float64) - surface.origin[0]) / surface.spacing
    row = (np.asarray(y, np.float64) - surface.origin[1]) / surface.spacing
    inside = (column > -SNAP) & (column < cols - 1 + SNAP) & (row > -SNAP) & (row < rows - 1 + SNAP)
    column, row = (_snapped(np.where(inside, coordinate, 0)) for coordinate in (column, row))
    j = np.minimum(column.astype(np.int64), cols - 2)
    i = np.minimum(row.astype(np.int64), rows - 2)
    s, t = column - j, row - i
    upper = s + t > 1
    corners = (
        (0, 0, np.maximum(1 - s - t, 0)),
        (0, 1, np.where(upper, 1 - t, s)),
        (1, 0, np.where(upper, 1 - s, t)),
        (1, 1, np.maximum(s + t - 1, 0)),
    )
    result = np.where(inside, 0.0, np.nan)
    for di, dj, weight in corners:
        counts = weight > SNAP**2
        result += np.where(counts, weight * np.where(counts, surface.heights[i + di, j + dj], 0), 0)
    return result


def _snapped(coordinate: NDArray[np.float64]) -> NDArray[np.float64]:
    nearest = np.rint(coordinate)
    return np.where(np.abs(coordinate - nearest) < SNAP, nearest, coordinate)
