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


def size_in_view(T_camera_points: Float64, points: Float64, depth_slope: Float64) -> float:
    """How large the surroundings of a photograph's points (n, 3) appear to a camera at a pose (4, 4), over their size
    in the photograph: the mean of these ratios of areas, each at most 1; 0 of no points.

    `depth_slope` (n, 3) is as in `ReferencePoints`; where it is not known the surface is taken to face the cameras.
    """
    every = max(len(points) // _PROBES, 1)
    return _mean_size(points[::every], depth_slope[::every], np.ascontiguousarray(T_camera_points))


@njit(cache=True, nogil=True, error_model="numpy")
def _mean_size(points: Float64, slopes: Float64, T: Float64) -> float:
    total = 0.0
    for n in range(len(points)):
        x, y, z = points[n, 0], points[n, 1], points[n, 2]
        a, b, c = slopes[n, 0], slopes[n, 1], slopes[n, 2]
        depth = T[2, 0] * x + T[2, 1] * y + T[2, 2] * z + T[2, 3]
        if depth <= 0:
            continue
        # The determinant of the plane's homography: distances of the cameras to the plane, and depths, thrice.
        distance = z
        for k in range(3):
            distance += (T[k, 0] * a + T[k, 1] * b + T[k, 2] * c) * T[k, 3]
        faces = a == 0 and b == 0 and c == 0
        total += min(max((depth if faces else distance) / z * (z / depth) ** 3, 0.0), 1.0)
    return total / max(len(points), 1)
