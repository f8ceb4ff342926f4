"""Where to look for depths: each pixel's nearest and farthest inverse depth.

Between the two a sweep goes in equal steps of inverse depth. On the ray r of a pixel, a plane z = h of a frame in
which the camera is at height e has the inverse depth w = r_z / (h - e): equal steps of w at one pixel are equal steps
of 1 / (e - h), whatever the pixel. So each hypothesis of a search between two such planes is itself such a plane, and a
window of pixels is compared as a piece of level ground, which floors seen obliquely need.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from glrender.checks import check_pose
from glrender.errors import InputError
from glrender.geometry import se3
from glrender.geometry.camera import Camera

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

CLOSEST = 0.1
"""Of the distance to the lowest plane: what is nearer than that is not looked for."""


class Bounds(NamedTuple):
    """What each pixel looks for; nothing where both are 0."""

    far: Float32
    """(height, width) smallest inverse depth, 1/metres."""
    near: Float32
    """(height, width) largest inverse depth, 1/metres."""


@dataclass(frozen=True, eq=False)
class Search:
    """Everything between two heights over the plane z = 0 of a map frame, as seen from above.

    A camera below `high` looks down to a tenth of its height over `low`, and no nearer. InputError unless both heights
    are finite and `low` is the lower one.
    """

    T_world_map: Float64
    """(4, 4) map to world."""
    low: float
    """Metres in the map frame."""
    high: float
    """Metres in the map frame."""

    def __post_init__(self) -> None:
        if not (np.isfinite([self.low, self.high]).all() and self.low < self.high):
            raise InputError(f"search: received heights from {self.low} to {self.high}, expected finite low < high")
        object.__setattr__(self, "T_world_map", check_pose("T_world_map", self.T_world_map))

    def bounds(self, camera: Camera, T_world_camera: Float64) -> Bounds:
        """The search of each pixel of a pinhole camera at a pose (4, 4)."""
        T_map_camera = se3.inverse(self.T_world_map) @ T_world_camera
        descent = -(camera.rays() @ T_map_camera[2, :3])  # of each ray, metres down a metre of depth
        over_low = T_map_camera[2, 3] - self.low
        over_high = max(T_map_camera[2, 3] - self.high, CLOSEST * over_low)
        seen = (descent > 0) & (over_low > 0)
        far, near = (np.where(seen, descent / over, 0) for over in (over_low, over_high))
        return Bounds(far.astype(np.float32), near.astype(np.float32))
