"""How much of what one photograph sees another one shows."""

import numpy as np
from numpy.typing import NDArray

from glrender.geometry.camera import Camera

Float64 = NDArray[np.float64]

_PROBES = 64  # points by which it is judged, or a few more


def share_in_view(camera: Camera, T_camera_points: Float64, points: Float64) -> Float64:
    """(…,): the share of points (n, 3) that lie in the image of a camera at poses (…, 4, 4); 0 of no points."""
    T = T_camera_points
    if not len(points):
        return np.zeros(T.shape[:-2])
    some = points[:: max(len(points) // _PROBES, 1)]
    seen = some @ T[..., :3, :3].swapaxes(-1, -2) + T[..., None, :3, 3]
    return np.asarray(camera.contains(camera.project(seen)).mean(axis=-1))
