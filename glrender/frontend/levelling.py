"""A world whose z is up as far as the ground tells: what photographs alone never say."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from glrender.frontend.refine_poses import plane_through
from glrender.geometry import se3

Float64 = NDArray[np.float64]


class Levelled(NamedTuple):
    """What makes ground level."""

    turn: Float64
    """(4, 4) to the level world from the one before, about a camera's centre."""
    height: float
    """Metres of that camera above the ground's plane; not positive if it is below."""


def levelled(points: Float64, centre: Float64) -> Levelled:
    """About a camera's `centre` (3,), by the plane from which points (n, 3) of the ground differ least; n at least 3.

    Their world's z must be up by less than a right angle.
    """
    off = points - centre
    slope_x, slope_y, level = plane_through(np.column_stack([off[:, :2], np.ones(len(off))]), off[:, 2])
    up = np.array([-slope_x, -slope_y, 1.0]) / np.sqrt(1 + slope_x**2 + slope_y**2)
    turn = np.eye(4)
    turn[:3, :3] = se3.shortest_turn(up).T
    turn[:3, 3] = centre - turn[:3, :3] @ centre
    return Levelled(turn, -level * float(up[2]))
