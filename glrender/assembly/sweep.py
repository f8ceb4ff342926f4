"""One pass over a frame: from the triangle that each pixel sees to the normal equations, and nothing in between.

What the pixels of a triangle add to it is quadratic in where they see it, so a run of them is summed up as moments
(A, A x, A y, A x², A x y, A y² with the weights A) and becomes products of barycentrics once. Each core looks at every
pixel, but adds to the rows of vertices that are its own: the sums are made in the order of the image, whatever the
number of cores.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.assembly.robust import rho_and_weight
from glrender.assembly.usable import LEAST_DEPTH_SLOPE, beside_outline
from glrender.render.on_host import jumps
from glrender.render.ray import Eye, Triangle, triangle_of

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
UInt32 = NDArray[np.uint32]


class Screen(NamedTuple):
    """Which pixels may say something, and how much."""

    max_depth_slope: float
    """Metres a metre of height."""
    jump: float
    """Of depth, see `glrender.render.layouts.JUMP`."""
    depth_loss: int
    """The number of the loss, as `glrender.assembly.robust.loss_parameters` gives it."""
    depth_k: float
    """Its k."""
    color_loss: int
    """The same of colours."""
    color_k: float
    """The same of colours."""
    color_information: float
    """1 / sigma² of a colour channel."""


class Places(NamedTuple):
    """Where a triangle adds to a stencil: numbers of vertices, row by row. Of two vertices, one has their coupling."""

    own: np.uintp
    """The corner."""
    along_x: np.uintp
    """The vertex one step along x."""
    along_y: np.uintp
    """The vertex one step along y."""
    left: np.uintp
    """Which one has the coupling of the corner and the vertex along x."""
    top: np.uintp
    """Which one has that of the corner and the vertex along y."""
    diagonal: np.uintp
    """Which one has that of the vertices along x and along y."""
    has_own: bool
    """Whether the corner's row belongs to this core."""
    has_other: bool
    """Whether the row of the vertex along y does."""
    upwards: bool
    """Whether the corner is in the quad's upper row."""


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def sweep(
    triangles: UInt32,
    nearness: Float32,
    heights: Float32,
    height_origin: float,
    colors: Float32,
    eye: Eye,
    depth: Float32,
    sigma: Float32,
    image: Float32,
    screen: Screen,
    height_matrix: Float64,
    height_vector: Float64,
    color_matrix: Float64,
    color_vector: Float64,
    channels: tuple[int, ...],
    first: int,
    last: int,
) -> tuple[float, int, int, int, int]:
    """Add all pixels to the rows first … last - 1 of vertices; the cost, and counts of what its triangles see.

    The matrices (rows · cols, 4) and vectors (rows · cols, C) are flat. Counted are measurements used, depths measured,
    depths trusted, and depths whose sigma is not positive; a triangle counts with the core that has the upper row of
    its quad. `channels` is a tuple so that its length is compiled in; without any, the image says nothing.
    """
    height, width = triangles.shape
    cols = heights.shape[1]
    # A row of vertices is touched by the quads above and below it.
    lowest, beyond = np.uint32(2 * max(first - 1, 0) * (cols - 1) + 1), np.uint32(2 * last * (cols - 1) + 1)
    R, per_fx, per_fy, per_spacing = eye.R_grid_camera, 1.0 / eye.fx, 1.0 / eye.fy, 1.0 / eye.spacing
    dx, dy, dz = R[0, 0] * per_fx, R[1, 0] * per_fx, R[2, 0] * per_fx
    per_k2 = 1.0 / (screen.depth_k * screen.depth_k)
    cost, used, measured, trusted, senseless = 0.0, 0, 0, 0, 0
    level, jump = np.empty(width, np.bool_), np.float32(screen.jump)
    likelihood = 1.0  # product of Cauchy's weights, whose logarithm is asked for once in a while
    for v in range(height):
        row = np.uintp(v)  # without a sign, or each place would be checked for being counted from the end
        ray_y = (v - eye.cy) * per_fy
        x0 = R[0, 1] * ray_y + R[0, 2] - eye.cx * dx
        y0 = R[1, 1] * ray_y + R[1, 2] - eye.cx * dy
        z0 = R[2, 1] * ray_y + R[2, 2] - eye.cx * dz
        _find_level(nearness[v], nearness[max(v - 1, 0)], nearness[min(v + 1, height - 1)], jump, level)
        u = int(np.int64(0))  # a literal 0 is a type of its own: what is called with it would be compiled twice
        while u < width:
            visible = triangles[row, np.uintp(u)]
            if visible < lowest or visible >= beyond:
                u += 1
                continue
            t = triangle_of(heights, visible, eye)
            step = t.side * per_spacing
            counts = (t.row - (1 - t.side) // 2) >= first
            # Moments of the run, by 1, x, y, x², x y, y² of where it sees the triangle: of the information about
            # heights (a) and the right-hand side (p); of that about colours (b), and of red, green and blue (q, r, s).
            a1 = ax = ay = axx = axy = ayy = p1 = px = py = 0.0
            b1 = bx = by = bxx = bxy = byy = 0.0
            q1 = qx = qy = r1 = rx = ry = s1 = sx = sy = 0.0
            c0, c0x, c0y = _color(colors, t, 0, len(channels) > 0)
            c1, c1x, c1y = _color(colors, t, 1, len(channels) > 1)
            c2, c2x, c2y = _color(colors, t, 2, len(channels) > 1)
            while u < width and triangles[row, np.uintp(u)] == visible:
                column = np.uintp(u)
                d, s = np.float64(depth[row, column]), np.float64(sigma[row, column])
                has_depth = d > 0.0 and d < np.inf
                if has_depth and counts:
                    measured += int(s < np.inf)
                    senseless += int(not s > 0.0)
                has_depth = has_depth and s < np.inf
                if not has_depth and len(channels) == 0:
                    u += 1
                    continue
                x, y, z = x0 + u * dx, y0 + u * dy, z0 + u * dz
                m_u = 1.0 / (z - t.slope_x * x - t.slope_y * y)
                if abs(m_u) > screen.max_depth_slope or (
                    not level[column] and _at_edge(triangles, nearness, heights, eye, v, u, screen.jump)
                ):
                    u += 1
                    continue
                has_depth = has_depth and abs(m_u) >= LEAST_DEPTH_SLOPE
                seen = t.above * m_u
                along_x, along_y = (t.x + seen * x) * step, (t.y + seen * y) * step
                if has_depth:
                    e = d - seen
                    square, variance = e * e, s * s
                    if screen.depth_loss == 2:  # Cauchy's weight over the variance, with one division
                        total = 1.0 / (variance + square * per_k2)
                        ratio = variance * total
                        if counts:
                            likelihood *= ratio
                            if likelihood < 1e-100:
                                cost -= np.log(likelihood) / (2.0 * per_k2)
                                likelihood = 1.0
                    else:
                        information = 1.0 / variance
                        rho, ratio = rho_and_weight(screen.depth_loss, screen.depth_k, square * information)
                        total = ratio * information
                        if counts:
                            cost += rho
                    if counts:
                        used += 1
                        trusted += int(ratio >= 0.5)
                    pull = total * m_u
                    a = pull * m_u
                    p = pull * e + a * (eye.z + seen * z + height_origin)
                    au, av = a * along_x, a * along_y
                    a1, ax, ay = a1 + a, ax + au, ay + av
                    axx, axy, ayy = axx + au * along_x, axy + au * along_y, ayy + av * along_y
                    p1, px, py = p1 + p, px + p * along_x, py + p * along_y
                if len(channels) > 0:
                    i0 = np.float64(image[row, column, 0])
                    e = i0 - (c0 + along_x * c0x + along_y * c0y)
                    square = e * e
                    if len(channels) > 1:
                        i1, i2 = np.float64(image[row, column, 1]), np.float64(image[row, column, 2])
                        e = i1 - (c1 + along_x * c1x + along_y * c1y)
                        square += e * e
                        e = i2 - (c2 + along_x * c2x + along_y * c2y)
                        square += e * e
                    if square < np.inf:
                        rho, ratio = rho_and_weight(
                            screen.color_loss, screen.color_k, square * screen.color_information
                        )
                        if counts:
                            cost += rho
                            used += 1
                        b = ratio * screen.color_information
                        bu, bv = b * along_x, b * along_y
                        b1, bx, by = b1 + b, bx + bu, by + bv
                        bxx, bxy, byy = bxx + bu * along_x, bxy + bu * along_y, byy + bv * along_y
                        q1, qx, qy = q1 + b * i0, qx + bu * i0, qy + bv * i0
                        if len(channels) > 1:
                            r1, rx, ry = r1 + b * i1, rx + bu * i1, ry + bv * i1
                            s1, sx, sy = s1 + b * i2, sx + bu * i2, sy + bv * i2
                u += 1
            places = _places(t, cols, first, last)
            if a1 > 0.0:
                _add_pairs(height_matrix, places, a1, ax, ay, axx, axy, ayy)
                _add_pull(height_vector, places, 0, p1, px, py)
            if len(channels) > 0 and b1 > 0.0:
                _add_pairs(color_matrix, places, b1, bx, by, bxx, bxy, byy)
                _add_pull(color_vector, places, 0, q1, qx, qy)
                if len(channels) > 1:
                    _add_pull(color_vector, places, 1, r1, rx, ry)
                    _add_pull(color_vector, places, 2, s1, sx, sy)
    return cost - np.log(likelihood) / (2.0 * per_k2), used, measured, trusted, senseless


@njit(cache=True, nogil=True, error_model="numpy")
def _find_level(own: Float32, above: Float32, below: Float32, jump: np.float32, level: NDArray[np.bool_]) -> None:
    """Of a row of pixels, whether the four neighbours of each are as near as it is, as they are nearly everywhere.

    |1/a - 1/b| <= jump min(1/a, 1/b) where a <= (1 + jump) b and b <= (1 + jump) a. No branch, so that it becomes
    vector instructions.
    """
    last = len(own) - 1
    times = np.float32(1) + jump
    for u in range(1, last):
        high, low = own[u] * times, own[u] / times
        a, b, c, d = own[u - 1], own[u + 1], above[u], below[u]
        level[u] = (
            (low <= a) & (a <= high) & (low <= b) & (b <= high) & (low <= c) & (c <= high) & (low <= d) & (d <= high)
        )
    for u in (0, last):
        high, low = own[u] * times, own[u] / times
        level[u] = low <= above[u] <= high and low <= below[u] <= high
        if last > 0:
            beside = own[1] if u == 0 else own[last - 1]
            level[u] = level[u] and low <= beside <= high


@njit(cache=True, nogil=True, error_model="numpy")
def _at_edge(triangles: UInt32, nearness: Float32, heights: Float32, eye: Eye, v: int, u: int, jump: float) -> bool:
    """Whether a pixel is beside an occlusion boundary; where the map simply ends, nothing is occluded."""
    height, width = triangles.shape
    for side in range(4):
        other_v = min(max(v + (side == 0) - (side == 1), 0), height - 1)
        other_u = min(max(u + (side == 2) - (side == 3), 0), width - 1)
        beyond = nearness[other_v, other_u]
        if beyond == 0.0 or jumps(
            triangles, 1.0 / nearness[v, u], 1.0 / beyond, heights, eye, v, u, other_v, other_u, jump
        ):
            return not beside_outline(triangles, heights.shape, v, u)
    return False


@njit(cache=True, nogil=True, inline="always")
def _color(colors: Float32, t: Triangle, channel: int, there: bool) -> tuple[float, float, float]:
    """The colour of the corner, and the differences of the vertices along x and y from it."""
    if not there:
        return 0.0, 0.0, 0.0
    i, j = np.uintp(t.row), np.uintp(t.column)
    along_x, along_y = np.uintp(t.column + t.side), np.uintp(t.row + t.side)
    own = np.float64(colors[i, j, channel])
    return own, np.float64(colors[i, along_x, channel]) - own, np.float64(colors[along_y, j, channel]) - own


@njit(cache=True, nogil=True, inline="always")
def _places(t: Triangle, cols: int, first: int, last: int) -> Places:
    own = t.row * cols + t.column
    below = own + t.side * cols
    return Places(
        np.uintp(own),
        np.uintp(own + t.side),
        np.uintp(below),
        np.uintp(min(own, own + t.side)),
        np.uintp(min(own, below)),
        np.uintp(min(own, below) + (t.side > 0)),
        first <= t.row < last,
        first <= t.row + t.side < last,
        t.side > 0,
    )


# LLVM is left to inline these: where Numba does it, each run counts references to the arrays.
@njit(cache=True, nogil=True)
def _add_pairs(matrix: Float64, at: Places, m: float, x: float, y: float, xx: float, xy: float, yy: float) -> None:
    """Add a run's products of barycentrics to those of its triangle's vertices that lie in the rows of this core."""
    if at.has_own:
        matrix[at.own, 0] += m - 2.0 * (x + y - xy) + xx + yy
        matrix[at.along_x, 0] += xx
        matrix[at.left, 1] += x - xx - xy
    if at.has_other:
        matrix[at.along_y, 0] += yy
    if (at.upwards and at.has_own) or (not at.upwards and at.has_other):
        matrix[at.top, 2] += y - xy - yy
        matrix[at.diagonal, 3] += xy


@njit(cache=True, nogil=True)
def _add_pull(vector: Float64, at: Places, k: int, one: float, x: float, y: float) -> None:
    """Add a run's moments of a right-hand side to entry `k` of the vector, as `_add_pairs` does."""
    if at.has_own:
        vector[at.own, k] += one - x - y
        vector[at.along_x, k] += x
    if at.has_other:
        vector[at.along_y, k] += y
