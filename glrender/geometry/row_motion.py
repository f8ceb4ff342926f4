"""A camera that moves while the rows of its image are exposed, one after the other (a rolling shutter).

The pose of such an image is that of the row of its principal point. A row that is exposed later shows what the camera
saw from where it had moved on to: a point X of the camera's axes is seen as

    X + s (v + omega × X),   s = (row - cy) / height

with the twist (v, omega) by which T_camera_world goes on from the first row to the last, to first order. Rows are those
of the pinhole's image: where a lens bends them by 15 of 480 pixels, the time of a row is wrong by 3 % of the readout.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glrender.geometry.camera import Camera

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

_ROUNDS = 2
"""Steps of the fixed-point iteration for the rows. Each step leaves as large a share of their error as the motion
stretches the image by: of 6 pixels 3 % after the first, and 3 % of that after the second."""
_FAR = 0.02
"""The least inverse depth that a pixel is taken to show, as a share of the median one: the plane may have a horizon."""


@dataclass(frozen=True, eq=False)
class RowMotion:
    """How a camera moved while one image was exposed, and what it looked at."""

    twist: Float64
    """(6,) (v, omega) in the camera's axes, metres and radians: how T_camera_world goes on from the first row to the
    last."""
    plane: Float64
    """(3,) p with p·r = 1/depth for the ray r of a pixel: the plane that roughly is what the camera saw."""

    def scaled(self, factor: float) -> "RowMotion":
        """The same with all lengths multiplied by `factor`."""
        return RowMotion(self.twist * np.repeat([factor, 1.0], 3), self.plane / factor)

    def pixels(self, camera: Camera) -> tuple[Float32, Float32]:
        """(height, width) columns and rows at which the image shows what each pixel would show, had all rows been
        exposed at once; they may lie outside of it."""
        width, height = camera.width, camera.height
        x = ((np.arange(width) - camera.cx) / camera.fx).astype(np.float32)
        y = ((np.arange(height)[:, None] - camera.cy) / camera.fy).astype(np.float32)
        (vx, vy, vz), (wx, wy, wz) = self.twist.astype(np.float32).reshape(2, 3)
        px, py, pz = self.plane.astype(np.float32)
        inverse_depth = px * x + (py * y + pz)
        inverse_depth = np.maximum(inverse_depth, np.float32(_FAR) * np.median(inverse_depth))
        # v / depth + omega × (x, y, 1)
        by_x, by_y, by_z = (
            inverse_depth * vx + (wy - wz * y),
            inverse_depth * vy + (wz * x - wx),
            inverse_depth * vz + (wx * y - wy * x),
        )
        rows = np.broadcast_to(np.arange(height, dtype=np.float32)[:, None], camera.shape)
        for _ in range(_ROUNDS):
            late = (rows - np.float32(camera.cy)) / np.float32(height)
            over = 1 / (1 + late * by_z)
            rows = np.float32(camera.fy) * (y + late * by_y) * over + np.float32(camera.cy)
        columns = np.float32(camera.fx) * (x + late * by_x) * over + np.float32(camera.cx)
        return columns, rows
