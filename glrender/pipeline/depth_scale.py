"""Whether depth images agree far better with their poses in another unit than the camera file says."""

import numpy as np
from numpy.typing import NDArray

from glrender.pipeline.depth_points import DepthPoints

_IN_USE = (1.0, 100.0, 1000.0, 5000.0, 10000.0)
"""Counts a metre: metres, centimetres, millimetres, a fifth of these, a tenth."""
_BETTER = 0.7
"""Of the spread by the scale that is given. In the right unit depths scatter by 0.2 to 0.6 of a cell, in another one by
0.5 to 3, at least 1.9 times as much; of poses that are wrong, by more than a cell in any."""
_FEWEST = 0.5
"""Of the points, those that have to be in cells with others."""


def likelier_depth_scale(points: DepthPoints, T_world_map: NDArray[np.float64], time_offset: float) -> float | None:
    """Counts a metre by which depth `points` agree far better with each other than as they were read; None: none does.

    Depths in a wrong unit do not fit the way that the camera has come: what several frames see of one place lies apart.
    As `estimate_time_offset` does it, that is told by how the points of a cell scatter, beside the size of the cell.
    """
    points = points.with_poses(time_offset, time_offset)
    count = sum(map(len, points.points))

    def spread(scale: float) -> float:
        scaled = points.at_scale(scale)
        cells = scaled.cells(time_offset, T_world_map)
        if cells is None or cells.counts.sum() < _FEWEST * count:
            return float("inf")
        return cells.spread(cells.most) / scaled.cell

    spreads = {scale: spread(scale) for scale in _IN_USE if scale != points.depth_scale}
    best = min(spreads, key=lambda scale: spreads[scale])
    return best if spreads[best] < min(_BETTER * spread(points.depth_scale), 1.0) else None
