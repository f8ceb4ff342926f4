"""Points looked up in a photograph, and how what they find there changes with them."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.geometry.camera import Camera

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

NEAREST = 1e-3
"""Metres: what is nearer to the camera is not in its image."""


class Sighting(NamedTuple):
    """What a photograph shows where it should show some points."""

    intensity: Float64
    """(N,) NaN where a point is out of the image, or beside pixels that saw nothing."""
    gradient: Float64
    """(N, 3) d intensity / d point, 1/m in camera axes; orthogonal to the point's ray."""
    points: Float64
    """(N, 3) camera coordinates, metres."""

    @property
    def seen(self) -> NDArray[np.bool_]:
        """(N,)."""
        return ~np.isnan(self.intensity)

    def slope(self, camera: Camera) -> Float64:
        """(N, 2) of the intensity along u and v, 1/pixel."""
        return self.gradient[:, :2] * self.points[:, 2:] / (camera.fx, camera.fy)


def look_up(image: Float32, camera: Camera, T_camera_points: Float64, points: Float64) -> Sighting:
    """`points` (N, 3) in the `image` (height, width) of `camera`, by Catmull-Rom splines and their exact slopes."""
    count = len(points)
    found = Sighting(np.empty(count), np.empty((count, 3)), np.empty((count, 3)))
    intrinsics = (camera.fx, camera.fy, camera.cx, camera.cy)
    _look_up(image, intrinsics, np.ascontiguousarray(T_camera_points), points, *found)
    return found


@njit(cache=True, nogil=True)
def by_twist(gradient: Float64, points: Float64) -> Float64:
    """(N, 6): the change of a value under a twist (v, omega) that moves the points, w (v + omega x X) = (w, X x w).

    Each column is in one piece: normal equations are summed up column by column.
    """
    columns = np.empty((6, len(points)))
    for n in range(len(points)):
        x, y, z = points[n, 0], points[n, 1], points[n, 2]
        a, b, c = gradient[n, 0], gradient[n, 1], gradient[n, 2]
        columns[0, n], columns[1, n], columns[2, n] = a, b, c
        columns[3, n], columns[4, n], columns[5, n] = y * c - z * b, z * a - x * c, x * b - y * a
    return columns.T


@njit(cache=True, nogil=True, error_model="numpy")
def _look_up(
    image: Float32,
    intrinsics: tuple[float, float, float, float],
    T: Float64,
    points: Float64,
    intensity: Float64,
    gradient: Float64,
    moved: Float64,
) -> None:
    fx, fy, cx, cy = intrinsics
    rows, cols = image.shape
    for n in range(len(points)):
        px, py, pz = points[n, 0], points[n, 1], points[n, 2]
        x = T[0, 0] * px + T[0, 1] * py + T[0, 2] * pz + T[0, 3]
        y = T[1, 0] * px + T[1, 1] * py + T[1, 2] * pz + T[1, 3]
        z = T[2, 0] * px + T[2, 1] * py + T[2, 2] * pz + T[2, 3]
        moved[n, 0], moved[n, 1], moved[n, 2] = x, y, z
        intensity[n] = np.nan
        gradient[n, 0] = gradient[n, 1] = gradient[n, 2] = 0.0
        if not z > NEAREST:
            continue
        u, v = fx * x / z + cx, fy * y / z + cy
        if not (u >= 1 and v >= 1 and u < cols - 2 and v < rows - 2):
            continue
        # Unsigned indices wrap round nowhere, and views of rows would count references.
        j, i = np.uint32(u), np.uint32(v)
        s, t = u - j, v - i
        value = du = dv = 0.0
        a0, a1, a2, a3 = _weights(s)
        b0, b1, b2, b3 = _slopes(s)
        c0, c1, c2, c3 = _weights(t)
        d0, d1, d2, d3 = _slopes(t)
        for k in range(4):
            row = np.uint32(i - np.uint32(1) + np.uint32(k))
            p, q = image[row, j - np.uint32(1)], image[row, j]
            r, w = image[row, j + np.uint32(1)], image[row, j + np.uint32(2)]
            along = a0 * p + a1 * q + a2 * r + a3 * w
            c = c0 if k == 0 else c1 if k == 1 else c2 if k == 2 else c3
            d = d0 if k == 0 else d1 if k == 1 else d2 if k == 2 else d3
            value += c * along
            du += c * (b0 * p + b1 * q + b2 * r + b3 * w)
            dv += d * along
        if np.isnan(value):
            continue
        intensity[n] = value
        gx, gy = du * fx / z, dv * fy / z
        gradient[n, 0], gradient[n, 1], gradient[n, 2] = gx, gy, -(gx * x + gy * y) / z


@njit(cache=True, nogil=True, inline="always")
def _weights(s: float) -> tuple[float, float, float, float]:
    """Of four samples at -1, 0, 1, 2, for the value at s in [0, 1) (Catmull and Rom 1974)."""
    return (
        0.5 * s * (s * (2 - s) - 1),
        0.5 * (s * s * (3 * s - 5) + 2),
        0.5 * s * (s * (4 - 3 * s) + 1),
        0.5 * s * s * (s - 1),
    )


@njit(cache=True, nogil=True, inline="always")
def _slopes(s: float) -> tuple[float, float, float, float]:
    """The derivatives of `_weights`."""
    return (
        0.5 * (s * (4 - 3 * s) - 1),
        0.5 * s * (9 * s - 10),
        0.5 * (s * (8 - 9 * s) + 1),
        0.5 * s * (3 * s - 2),
    )
