"""What the pixels of a triangle share: planes over the image, and the table that keeps them while a pass needs them.

A pass keeps the numbers of KEPT triangles in a table, a row each. These functions are compiled into the loops of
`on_host`.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.render.lanes import LANES
from glrender.render.ray import Eye, Triangle

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

Nine = tuple[float, float, float, float, float, float, float, float, float]

KEPT = 1024
"""How many triangles' planes the table keeps. A row of pixels sees about 100 triangles of a map of 65 x 65."""

# Where in its row of the table a triangle has each plane: three numbers, its change along u, its change along v, and
# its value at pixel (0, 0). First come the colours over depth, and 1 / depth. (A row of the plain pass has another
# order: the changes of all four along u, then those along v, then their values.)
RED, GREEN, BLUE, INVERSE_DEPTH = 0, 3, 6, 9
PLAIN = 3 * LANES
"""Numbers in a row of the plain pass."""
# Then m_u over depth, a single number; the barycentric weights along x and along y over depth; and by how much colours
# change along the ray:
M_U, ALONG_X, ALONG_Y, RED_SLOPE, GREEN_SLOPE, BLUE_SLOPE = 12, 13, 16, 19, 22, 25
ALL = 28
"""Numbers in a row where derivatives are made."""


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def rays_of(eye: Eye) -> Nine:
    """The matrix that takes a pixel (u, v, 1) to its ray in grid axes, row by row."""
    R, per_fx, per_fy = eye.R_grid_camera, 1.0 / eye.fx, 1.0 / eye.fy
    xu, yu, zu = R[0, 0] * per_fx, R[1, 0] * per_fx, R[2, 0] * per_fx
    xv, yv, zv = R[0, 1] * per_fy, R[1, 1] * per_fy, R[2, 1] * per_fy
    x, y, z = (R[0, 2] - xu * eye.cx - xv * eye.cy, R[1, 2] - yu * eye.cx - yv * eye.cy,
               R[2, 2] - zu * eye.cx - zv * eye.cy)  # fmt: skip
    return xu, xv, x, yu, yv, y, zu, zv, z


@njit(cache=True, nogil=True, fastmath={"contract"}, error_model="numpy", inline="always")
def write_planes(
    planes: Float64, k: int, apart: int, step: int, t: Triangle, colors: Nine, channels: int, rays: Nine
) -> None:
    """Write the planes of each colour / depth and of 1 / depth into row k of the table.

    Planes begin `apart` numbers from each other, and a plane has a number every `step`: (3, 1) or, in the order of the
    plain pass, (1, LANES). All of these quantities are linear in the image (Heckbert and Moreton, *Interpolation for
    Polygon Texture Mapping and Shading*, 1991): the point seen is eye + depth ray, and n . ray = above / depth.
    """
    xu, xv, x, yu, yv, y, zu, zv, z = rays
    per = 1.0 / t.above
    along_u = (zu - t.slope_x * xu - t.slope_y * yu) * per
    along_v = (zv - t.slope_x * xv - t.slope_y * yv) * per
    there = (z - t.slope_x * x - t.slope_y * y) * per
    plane = 3 * apart
    planes[k, plane], planes[k, plane + step], planes[k, plane + 2 * step] = along_u, along_v, there
    for c in range(channels):
        color, by_x, by_y = colors[3 * c], colors[3 * c + 1], colors[3 * c + 2]
        at_eye = color + t.x * by_x + t.y * by_y
        plane = c * apart
        planes[k, plane] = at_eye * along_u + (by_x * xu + by_y * yu)
        planes[k, plane + step] = at_eye * along_v + (by_x * xv + by_y * yv)
        planes[k, plane + 2 * step] = at_eye * there + (by_x * x + by_y * y)


@njit(cache=True, nogil=True, fastmath={"contract"}, error_model="numpy", inline="always")
def write_factor_planes(
    planes: Float64, k: int, t: Triangle, colors: Nine, channels: int, spacing: float, rays: Nine
) -> None:
    """Behind the planes of `write_planes`, write those that derivatives need.

    How much a colour changes along the ray is linear in the image by itself, without being divided by the depth.
    """
    xu, xv, x, yu, yv, y, _, _, _ = rays
    step = t.side * (1.0 / spacing)
    along_u, along_v, there = planes[k, INVERSE_DEPTH], planes[k, INVERSE_DEPTH + 1], planes[k, INVERSE_DEPTH + 2]
    planes[k, M_U] = 1.0 / t.above
    planes[k, ALONG_X] = (t.x * along_u + xu) * step
    planes[k, ALONG_X + 1] = (t.x * along_v + xv) * step
    planes[k, ALONG_X + 2] = (t.x * there + x) * step
    planes[k, ALONG_Y] = (t.y * along_u + yu) * step
    planes[k, ALONG_Y + 1] = (t.y * along_v + yv) * step
    planes[k, ALONG_Y + 2] = (t.y * there + y) * step
    for c in range(channels):
        by_x, by_y = colors[3 * c + 1], colors[3 * c + 2]
        plane = RED_SLOPE + 3 * c
        planes[k, plane] = by_x * xu + by_y * yu
        planes[k, plane + 1] = by_x * xv + by_y * yv
        planes[k, plane + 2] = by_x * x + by_y * y


@njit(cache=True, nogil=True, inline="always")
def value_at(planes: Float64, k: int, first: int, x: float, y: float) -> float:
    """The value, at a pixel, of the plane whose numbers begin at `first`."""
    return planes[k, first] * x + (planes[k, first + 1] * y + planes[k, first + 2])


@njit(cache=True, nogil=True, inline="always")
def colors_of(texels: Float32, t: Triangle, spacing: float) -> Nine:
    """For each channel, the colour of the corner, and its change per metre along x and along y."""
    step = t.side * (1.0 / spacing)
    r, g, b = texels[t.row, t.column, 1], texels[t.row, t.column, 2], texels[t.row, t.column, 3]
    at_x, at_y = t.column + t.side, t.row + t.side
    return (
        np.float64(r), (texels[t.row, at_x, 1] - r) * step, (texels[at_y, t.column, 1] - r) * step,
        np.float64(g), (texels[t.row, at_x, 2] - g) * step, (texels[at_y, t.column, 2] - g) * step,
        np.float64(b), (texels[t.row, at_x, 3] - b) * step, (texels[at_y, t.column, 3] - b) * step,
    )  # fmt: skip
