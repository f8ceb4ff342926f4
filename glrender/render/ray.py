"""Rays and triangles on the host: the mathematics of shaders/include/surface.glsl and hit.glsl, in float64.

A height map's heights are one array (rows, cols) of float32, counted from an origin of their own, as the GPU has them;
x and y are counted from vertex (0, 0), in metres along the map's axes.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


class Eye(NamedTuple):
    """The camera over the grid of a height map."""

    R_grid_camera: Float64
    """(3, 3): from camera axes to the map's."""
    x: float
    """Metres along the map's x from vertex (0, 0)."""
    y: float
    z: float
    """Metres above the origin of the heights."""
    spacing: float
    """Metres between the grid's vertices."""
    fx: float
    """Intrinsics of the camera, pixels, as of `Camera`."""
    fy: float
    cx: float
    cy: float


class Triangle(NamedTuple):
    """Half a quad, seen from its right angle, as in shaders/include/surface.glsl."""

    row: int
    """Row and column of the corner, the vertex at the right angle."""
    column: int
    side: int
    """+1: the other two vertices are one step up the axes; -1: down."""
    slope_x: float
    """Change of the height a metre along x, and along y."""
    slope_y: float
    above: float
    """-n . (eye - corner), with the upward normal n = (-slope_x, -slope_y, 1)."""
    x: float
    """Metres from the corner to the eye, along the map's axes."""
    y: float


class Hit(NamedTuple):
    """Where a ray meets a triangle's plane."""

    depth: float
    """Camera z, metres."""
    m_u: float
    """d depth / d height of the point where they meet."""
    along_x: float
    """Barycentric weight of the vertex one step along x, and along y."""
    along_y: float


def eye_over(surface: HeightMap, camera: Camera, T_world_camera: Float64, height_origin: float) -> Eye:
    """The camera at a pose (4, 4), camera to world, over the grid of `surface`."""
    # The position is subtracted in float64: both are large far from the origin, their difference is not.
    T_map_camera = surface.T_map_world @ T_world_camera
    x, y, z = T_map_camera[:3, 3] - np.array([*surface.origin, height_origin])
    R_grid_camera = np.ascontiguousarray(T_map_camera[:3, :3])
    return Eye(R_grid_camera, x, y, z, surface.spacing, camera.fx, camera.fy, camera.cx, camera.cy)


@njit(cache=True, nogil=True, inline="always")
def to_grid(R_grid_camera: Float64, rx: float, ry: float) -> tuple[float, float, float]:
    """The ray (rx, ry, 1) in grid axes."""
    R = R_grid_camera
    return (
        R[0, 0] * rx + R[0, 1] * ry + R[0, 2],
        R[1, 0] * rx + R[1, 1] * ry + R[1, 2],
        R[2, 0] * rx + R[2, 1] * ry + R[2, 2],
    )


@njit(cache=True, nogil=True, inline="always")
def _triangle_at(heights: Float32, row: int, column: int, side: int, eye: Eye) -> Triangle:
    """The triangle with its right angle at a vertex."""
    i, j = np.uintp(row), np.uintp(column)  # without a sign, or they would be checked for being counted from the end
    height = np.float64(heights[i, j])
    step = side * (1.0 / eye.spacing)
    slope_x = (np.float64(heights[i, np.uintp(column + side)]) - height) * step
    slope_y = (np.float64(heights[np.uintp(row + side), j]) - height) * step
    x, y = eye.x - column * eye.spacing, eye.y - row * eye.spacing
    return Triangle(row, column, side, slope_x, slope_y, slope_x * x + slope_y * y - (eye.z - height), x, y)


@njit(cache=True, nogil=True, inline="always")
def triangle_of(heights: Float32, visible: np.uint32, eye: Eye) -> Triangle:
    """The triangle that a pixel sees, by its id + 1."""
    triangle = int(np.int64(visible)) - 1
    quads = heights.shape[1] - 1
    quad = triangle >> 1
    row = int((quad + 0.5) * (1.0 / quads))  # the integer quotient, without a division at each triangle
    upper = triangle & 1
    return _triangle_at(heights, row + upper, quad - row * quads + upper, 1 - 2 * upper, eye)


@njit(cache=True, nogil=True, inline="always")
def hit(t: Triangle, spacing: float, x: float, y: float, z: float) -> Hit:
    """Where the ray (x, y, z), grid axes, meets the plane of a triangle."""
    m_u = 1.0 / (z - t.slope_x * x - t.slope_y * y)
    depth = t.above * m_u
    step = t.side * (1.0 / spacing)
    return Hit(depth, m_u, (t.x + depth * x) * step, (t.y + depth * y) * step)
