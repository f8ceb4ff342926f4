"""How much of what one photograph sees another one shows."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.geometry.camera import Camera

Float64 = NDArray[np.float64]

_PROBES = 64  # points by which it is judged, or a few more


def share_in_view(camera: Camera, T_camera_points: Float64, points: Float64) -> Float64:
    """(…,): the share of points (n, 3) that lie in the image of a camera at poses (…, 4, 4); 0 of no points."""
    poses = np.ascontiguousarray(T_camera_points).reshape(-1, 4, 4)
    shares = np.zeros(len(poses))
    # Places in the image, in rays: between its outermost pixels' centres.
    left, right = -camera.cx / camera.fx, (camera.width - 1 - camera.cx) / camera.fx
    top, bottom = -camera.cy / camera.fy, (camera.height - 1 - camera.cy) / camera.fy
    if len(points):
        _count(points[:: max(len(points) // _PROBES, 1)].copy(), poses, (left, right, top, bottom), shares)
    return shares.reshape(T_camera_points.shape[:-2])


@njit(cache=True, nogil=True)
def _count(points: Float64, T: Float64, borders: tuple[float, float, float, float], shares: Float64) -> None:
    """The share of the points (n, 3) that each pose (k, 4, 4) shows."""
    left, right, top, bottom = borders
    for k in range(len(T)):
        count = 0
        for n in range(len(points)):
            x = T[k, 0, 0] * points[n, 0] + T[k, 0, 1] * points[n, 1] + T[k, 0, 2] * points[n, 2] + T[k, 0, 3]
            y = T[k, 1, 0] * points[n, 0] + T[k, 1, 1] * points[n, 1] + T[k, 1, 2] * points[n, 2] + T[k, 1, 3]
            z = T[k, 2, 0] * points[n, 0] + T[k, 2, 1] * points[n, 1] + T[k, 2, 2] * points[n, 2] + T[k, 2, 3]
            count += z > 0 and left * z <= x <= right * z and top * z <= y <= bottom * z
        shares[k] = count / len(points)
