"""Which triangle each pixel sees, by scan conversion on the host: for contexts in which the processor draws anyway.

Edges are planes through the eye (Olano and Greer, *Triangle Scan Conversion using 2D Homogeneous Coordinates*, Graphics
Hardware 1997), so nothing is clipped, and in float64, so no vertex is moved to a grid of subpixels: a pixel's triangle
is the one that its ray really meets. The two triangles of an edge find the same number where it crosses a row of
pixels, which one of them takes as its end and the other as its beginning.
"""

from itertools import pairwise

import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.geometry.camera import Camera
from glrender.parallel import cores_free, run_parts
from glrender.recycle import Recycler
from glrender.render.lanes import LANES, draw_lanes
from glrender.render.ray import Eye
from glrender.render.surface import UNSEEN

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
UInt32 = NDArray[np.uint32]

_SAMPLE = 1.0  # how long the 32 triangles around a sampled vertex take, beside a row of pixels
_WIDE = 5.0  # pixels that a quad takes in a row, from which on they are drawn by lanes
_MOST = float(np.finfo(np.float32).max)
_MARGIN = 1e-6  # pixels: an edge may pass through a pixel's centre, and its ends be rounded to this side of it


class ScanConverter:
    """Finds what the pixels of a camera see, in memory that it uses again."""

    def __init__(self) -> None:
        self._recycler = Recycler()

    def scan(self, heights: Float32, camera: Camera, eye: Eye, near: float) -> tuple[UInt32, Float32]:
        """(height, width) triangle id + 1, 0 for nothing; and (height, width) 1 / depth of the point seen, 1/metres.

        `heights` (rows, cols) are those that `eye` counts from; UNSEEN where there is none. The upper side alone is
        visible, and nothing nearer than `near` metres.
        """
        triangles, nearness = (self._recycler.empty(camera.shape, dtype) for dtype in (np.uint32, np.float32))
        lens = np.array([[eye.fx, 0.0, eye.cx], [0.0, eye.fy, eye.cy], [0.0, 0.0, 1.0]])
        to_pixels = lens @ eye.R_grid_camera.T
        corner = -to_pixels @ np.array([eye.x, eye.y, eye.z])
        steps = to_pixels * np.array([eye.spacing, eye.spacing, 1.0])
        bands = _bands(heights, camera, corner, steps)
        nearest = np.float32(min(1.0 / near, _MOST))
        if float(nearest) > 1.0 / near:
            nearest = np.nextafter(nearest, np.float32(0))
        run_parts(_scan_band, bands, heights, corner, steps, nearest, triangles, nearness)
        return triangles, nearness


def _bands(heights: Float32, camera: Camera, corner: Float64, steps: Float64) -> list[tuple[int, int]]:
    """(first, last) rows of a band of the image for each core that is free, such that all have about as much to do.

    Each band looks at the whole map.
    """
    parts = cores_free()
    if parts == 1:
        return [(0, camera.height)]
    sample = heights[::4, ::4]
    i, j = 4.0 * np.arange(sample.shape[0])[:, None], 4.0 * np.arange(sample.shape[1])
    _, y, z = (corner[k] + steps[k, 0] * j + steps[k, 1] * i + steps[k, 2] * sample for k in range(3))
    with np.errstate(divide="ignore", invalid="ignore"):
        row = np.where(z > 0, y / z, -1)
    rows = row[(row > -0.5) & (row < camera.height - 0.5)]
    work = np.bincount(np.rint(rows).astype(np.int64), minlength=camera.height) * _SAMPLE + 1.0
    below = np.cumsum(work)
    cuts = np.searchsorted(below, below[-1] * np.arange(1, parts) / parts)
    return list(pairwise([0, *(int(cut) for cut in cuts), camera.height]))


@njit(cache=True, nogil=True, error_model="numpy")
def _scan_band(
    heights: Float32,
    corner: Float64,
    steps: Float64,
    nearest: np.float32,
    triangles: UInt32,
    nearness: Float32,
    first: int,
    last: int,
) -> None:
    """Rows first … last - 1 of the image.

    Vertex (i, j) lies at q = corner + steps @ (j, i, height): it is seen at pixel (q0, q1) / q2, and its depth is q2.
    """
    rows, cols = heights.shape
    width = triangles.shape[1]
    for v in range(first, last):
        for u in range(width):
            triangles[v, u] = 0
            nearness[v, u] = 0
    above, below = np.empty((5, cols)), np.empty((5, cols))
    _project(heights, 0, corner, steps, below)
    for i in range(rows - 1):
        above, below = below, above
        _project(heights, i + 1, corner, steps, below)
        for j in range(cols - 1):
            a2, b2, c2, d2 = above[2, j], above[2, j + 1], below[2, j], below[2, j + 1]
            top, bottom, wide = first, last - 1, False
            if min(min(a2, b2), min(c2, d2)) > 0.0:
                ax, bx, cx, dx = above[3, j], above[3, j + 1], below[3, j], below[3, j + 1]
                leftmost, rightmost = min(min(ax, bx), min(cx, dx)), max(max(ax, bx), max(cx, dx))
                if leftmost > width - 1 + _MARGIN or rightmost < -_MARGIN:
                    continue
                wide = rightmost - leftmost > _WIDE and width >= LANES
                ay, by, cy, dy = above[4, j], above[4, j + 1], below[4, j], below[4, j + 1]
                low = min(min(ay, by), min(cy, dy)) - _MARGIN
                high = max(max(ay, by), max(cy, dy)) + _MARGIN
                if high < top or low > bottom:
                    continue
                top, bottom = max(top, int(np.ceil(low))), min(bottom, int(np.floor(high)))
            elif max(max(a2, b2), max(c2, d2)) <= 0.0:
                continue
            b_seen, c_seen = heights[i, j + 1] < UNSEEN, heights[i + 1, j] < UNSEEN
            if not (b_seen and c_seen):
                continue
            b0, b1, c0, c1 = above[0, j + 1], above[1, j + 1], below[0, j], below[1, j]
            number = 2 * (i * (cols - 1) + j) + 1
            if heights[i, j] < UNSEEN:
                a0, a1 = above[0, j], above[1, j]
                _draw(a0, a1, a2, b0, b1, b2, c0, c1, c2, number, nearest, triangles, nearness, top, bottom, wide)
            if heights[i + 1, j + 1] < UNSEEN:
                d0, d1 = below[0, j + 1], below[1, j + 1]
                _draw(d0, d1, d2, c0, c1, c2, b0, b1, b2, number + 1, nearest, triangles, nearness, top, bottom, wide)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _project(heights: Float32, i: int, corner: Float64, steps: Float64, vertices: Float64) -> None:
    """Row i of vertices (5, cols): q, and the pixel's column and row, which have no meaning behind the camera."""
    for j in range(heights.shape[1]):
        height = np.float64(heights[i, j])
        q0 = corner[0] + steps[0, 0] * j + steps[0, 1] * i + steps[0, 2] * height
        q1 = corner[1] + steps[1, 0] * j + steps[1, 1] * i + steps[1, 2] * height
        q2 = corner[2] + steps[2, 0] * j + steps[2, 1] * i + steps[2, 2] * height
        per = 1.0 / q2
        vertices[0, j], vertices[1, j], vertices[2, j] = q0, q1, q2
        vertices[3, j], vertices[4, j] = q0 * per, q1 * per


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _narrowed(left: float, right: float, slope: float, across: float, per: float) -> tuple[float, float]:
    """What is left of the columns from `left` to `right` where slope u + across is not below 0; `per` is -1 / slope."""
    if slope > 0.0:
        left = max(left, across * per)
    elif slope < 0.0:
        right = min(right, across * per)
    elif across < 0.0:
        right = -np.inf
    return left, right


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _span(
    v: int, width: int, e0: float, e1: float, e2: float, e_per: float, f0: float, f1: float, f2: float, f_per: float,
    g0: float, g1: float, g2: float, g_per: float,
) -> tuple[float, float]:  # fmt: skip
    """From where to before where row v is on the inner side of all three edges."""
    left, right = -0.5, width - 0.5
    left, right = _narrowed(left, right, e0, e1 * v + e2, e_per)
    left, right = _narrowed(left, right, f0, f1 * v + f2, f_per)
    return _narrowed(left, right, g0, g1 * v + g2, g_per)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _edge(p0: float, p1: float, p2: float, q0: float, q1: float, q2: float) -> tuple[float, float, float]:
    """q x p: its product with (u, v, 1) is positive on one side of the edge, and its opposite is exactly p x q."""
    return q1 * p2 - q2 * p1, q2 * p0 - q0 * p2, q0 * p1 - q1 * p0


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _draw(
    a0: float, a1: float, a2: float, b0: float, b1: float, b2: float, c0: float, c1: float, c2: float,
    number: int, nearest: np.float32, triangles: UInt32, nearness: Float32, top: int, bottom: int, wide: bool,
) -> None:  # fmt: skip
    """Draw a triangle into rows top … bottom, where it is nearer than what is there."""
    e0, e1, e2 = _edge(b0, b1, b2, c0, c1, c2)
    volume = a0 * e0 + a1 * e1 + a2 * e2
    if not volume > 0.0:  # seen from below, or edge on
        return
    f0, f1, f2 = _edge(c0, c1, c2, a0, a1, a2)
    g0, g1, g2 = _edge(a0, a1, a2, b0, b1, b2)
    # A ray is the sum of the vertices times (ray . edge) / volume, and these numbers' sum is 1 / depth.
    per_volume = 1.0 / volume
    n0, n1, n2 = (e0 + f0 + g0) * per_volume, (e1 + f1 + g1) * per_volume, (e2 + f2 + g2) * per_volume
    e_per, f_per, g_per = -1.0 / e0, -1.0 / f0, -1.0 / g0
    width = triangles.shape[1]
    if wide:  # a loop of its own: what lanes need would be made ready for narrow triangles, too
        for v in range(top, bottom + 1):
            left, right = _span(v, width, e0, e1, e2, e_per, f0, f1, f2, f_per, g0, g1, g2, g_per)
            if left < right:
                u, end = int(np.ceil(left)), int(np.ceil(right))
                start = n1 * v + n2
                while u < end:
                    column = min(u, width - LANES)
                    draw_lanes(
                        nearness, triangles, v, column, u - column, end - column, n0, start, nearest, np.uint32(number)
                    )
                    u += LANES
        return
    for v in range(top, bottom + 1):
        left, right = _span(v, width, e0, e1, e2, e_per, f0, f1, f2, f_per, g0, g1, g2, g_per)
        start = n1 * v + n2
        # Not by a range, which LLVM would unroll: there are two or three pixels. Without signs, or they
        # would be checked for being counted from the end.
        place = np.ceil(left)
        row, column = np.uintp(v), np.uintp(np.int64(place))
        while place < right:
            near = np.float32(n0 * place + start)
            if near > nearness[row, column] and near <= nearest:
                nearness[row, column] = near
                triangles[row, column] = number
            place += 1.0
            column += np.uintp(1)
