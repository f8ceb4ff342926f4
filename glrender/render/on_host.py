"""The compact layout evaluated on the host, for contexts in which the processor does the rendering anyway.

The same mathematics as shaders/include/surface.glsl and hit.glsl, in float64, from the triangle ids alone: what the
pixels of a triangle share is worked out once a run of them, and nothing but the ids is read back. Occlusion edges and
the derivatives with respect to the pose follow here too, as in shaders/edges.frag and pose.frag.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.parallel import even_parts, run_parts
from glrender.recycle import Recycler
from glrender.render.buffers import PoseDerivatives
from glrender.render.layouts import JUMP, compact_attachments
from glrender.render.surface import UNSEEN
from glrender.render.view import View

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
UInt32 = NDArray[np.uint32]
Attachments = dict[str, NDArray[Any]]


class _Eye(NamedTuple):
    """The camera over the grid, with x and y counted from vertex (0, 0) and z from the texels' origin."""

    R_grid_camera: Float64
    """(3, 3)."""
    x: float
    y: float
    z: float
    spacing: float
    fx: float
    fy: float
    cx: float
    cy: float


class _Triangle(NamedTuple):
    """Half a quad, seen from its right angle, as in shaders/include/surface.glsl."""

    row: int
    """Of the corner, the vertex at the right angle."""
    column: int
    side: int
    """+1: the other two vertices are one step up the axes; -1: down."""
    slope_x: float
    slope_y: float
    above: float
    """n . (eye - corner), with the upward normal n = (-slope_x, -slope_y, 1), turned over."""
    x: float
    """From the corner to the eye, metres."""
    y: float


class _Hit(NamedTuple):
    """Where a ray meets a triangle's plane."""

    depth: float
    m_u: float
    along_x: float
    """Barycentric weight of the vertex one step along x, and along y."""
    along_y: float
    least: float
    """The least of the three weights."""


class HostEvaluator:
    """Makes the arrays of the compact layout from triangle ids, in memory that it uses again."""

    def __init__(self) -> None:
        self._recycler = Recycler()

    def evaluate(self, visibility: UInt32, texels: Float32, view: View, channels: int) -> Attachments:
        """The attachments of the compact layout by name, from the triangle id + 1 of each pixel (height, width).

        `texels` (rows, cols, 4) are the surface as the GPU has it: heights above the grid's origin, then r, g, b.
        """
        shape = view.camera.shape
        attachments: Attachments = {
            name: self._recycler.empty((*shape, 4), np.uint32 if name == "geometry" else np.float32)
            for name in compact_attachments(channels)
        }
        image, geometry = attachments["image"], attachments["geometry"]
        slopes = attachments.get("image_wrt_height", image)
        arguments = (visibility, texels, _eye(view), image, geometry, geometry.view(np.float32), slopes, channels == 3)
        run_parts(_evaluate_rows, even_parts(shape[0]), *arguments)
        return attachments

    def find_edges(self, attachments: Attachments, texels: Float32, view: View) -> NDArray[np.bool_]:
        """(height, width): what shaders/edges.frag flags."""
        edges = self._recycler.empty(view.camera.shape, np.bool_)
        arguments = (attachments["geometry"][..., 3], attachments["image"], texels, _eye(view), JUMP, edges)
        run_parts(_edge_rows, even_parts(len(edges)), *arguments)
        return edges

    def differentiate_by_pose(
        self, attachments: Attachments, texels: Float32, view: View, channels: int
    ) -> PoseDerivatives:
        """What shaders/pose.frag makes."""
        shape = view.camera.shape
        by_pose = PoseDerivatives(np.zeros((*shape, 6), np.float32), np.zeros((*shape, channels, 6), np.float32))
        arguments = (
            attachments["geometry"][..., 3],
            texels,
            _eye(view),
            by_pose.depth_wrt_pose,
            by_pose.image_wrt_pose,
        )
        run_parts(_pose_rows, even_parts(shape[0]), *arguments)
        return by_pose


def _eye(view: View) -> _Eye:
    R_grid_camera = np.ascontiguousarray(view.T_camera_grid[:3, :3].T)
    x, y, z = -R_grid_camera @ view.T_camera_grid[:3, 3]
    spacing, camera = view.surface.spacing, view.camera
    return _Eye(
        *(R_grid_camera, x + spacing * view.reference[0], y + spacing * view.reference[1], z, spacing),
        *(camera.fx, camera.fy, camera.cx, camera.cy),
    )


@njit(cache=True, nogil=True, inline="always")
def _triangle(texels: Float32, row: int, column: int, side: int, eye: _Eye) -> _Triangle:
    """The triangle with its right angle at a vertex."""
    height = np.float64(texels[row, column, 0])
    step = side / eye.spacing
    slope_x = (np.float64(texels[row, column + side, 0]) - height) * step
    slope_y = (np.float64(texels[row + side, column, 0]) - height) * step
    x, y = eye.x - column * eye.spacing, eye.y - row * eye.spacing
    return _Triangle(row, column, side, slope_x, slope_y, slope_x * x + slope_y * y - (eye.z - height), x, y)


@njit(cache=True, nogil=True, inline="always")
def _numbered(texels: Float32, visible: np.uint32, eye: _Eye) -> _Triangle:
    """The triangle of an id + 1."""
    triangle = int(np.int64(visible)) - 1
    quads = texels.shape[1] - 1
    quad = triangle >> 1
    row = quad // quads
    upper = triangle & 1
    return _triangle(texels, row + upper, quad - row * quads + upper, 1 - 2 * upper, eye)


@njit(cache=True, nogil=True, inline="always")
def _hit(t: _Triangle, spacing: float, x: float, y: float, z: float) -> _Hit:
    """Where the ray (x, y, z), grid axes, meets the plane of a triangle."""
    m_u = 1.0 / (z - t.slope_x * x - t.slope_y * y)
    depth = t.above * m_u
    step = t.side / spacing
    along_x, along_y = (t.x + depth * x) * step, (t.y + depth * y) * step
    return _Hit(depth, m_u, along_x, along_y, min(1.0 - along_x - along_y, min(along_x, along_y)))


@njit(cache=True, nogil=True)
def _settled(texels: Float32, t: _Triangle, h: _Hit, eye: _Eye, x: float, y: float, z: float) -> tuple[_Triangle, _Hit]:
    """The triangle on the other side of the edge that the ray passes, where it really meets that one."""
    opposite_x, opposite_y = h.least == h.along_x, h.least == h.along_y
    if opposite_x:
        row, column, fresh_row, fresh_column = t.row + t.side, t.column, t.row + t.side, t.column - t.side
    elif opposite_y:
        row, column, fresh_row, fresh_column = t.row, t.column + t.side, t.row - t.side, t.column + t.side
    else:
        row, column = t.row + t.side, t.column + t.side
        fresh_row, fresh_column = row, column
    inside = 0 <= fresh_row < texels.shape[0] and 0 <= fresh_column < texels.shape[1]
    if inside and texels[fresh_row, fresh_column, 0] < UNSEEN:
        other = _triangle(texels, row, column, -t.side, eye)
        beyond = _hit(other, eye.spacing, x, y, z)
        if beyond.m_u < 0.0 and beyond.least > h.least:
            return other, beyond
    return t, h


@njit(cache=True, nogil=True, fastmath={"contract"}, error_model="numpy")
def _evaluate_rows(
    visibility: UInt32,
    texels: Float32,
    eye: _Eye,
    image: Float32,
    geometry: UInt32,
    factors: Float32,
    slopes: Float32,
    in_color: bool,
    first: int,
    last: int,
) -> None:
    R = eye.R_grid_camera
    for v in range(first, last):
        ry = (v - eye.cy) / eye.fy
        x0, y0, z0 = R[0, 1] * ry + R[0, 2], R[1, 1] * ry + R[1, 2], R[2, 1] * ry + R[2, 2]
        u = 0
        while u < visibility.shape[1]:
            visible = visibility[v, u]
            if visible == 0:
                _clear_pixel(image, geometry, slopes, v, u)
                u += 1
                continue
            own = _numbered(texels, visible, eye)
            own_colors = _colors(texels, own, eye.spacing)
            while u < visibility.shape[1] and visibility[v, u] == visible:
                rx = (u - eye.cx) / eye.fx
                x, y, z = R[0, 0] * rx + x0, R[1, 0] * rx + y0, R[2, 0] * rx + z0
                t, colors = own, own_colors
                h = _hit(own, eye.spacing, x, y, z)
                if h.least < 0.0:
                    t, h = _settled(texels, own, h, eye, x, y, z)
                    colors = _colors(texels, t, eye.spacing)
                if not h.depth > 0.0:  # a sliver at the eye itself may end up behind it, and then is not seen
                    _clear_pixel(image, geometry, slopes, v, u)
                    u += 1
                    continue
                xm, ym = x * h.m_u, y * h.m_u
                px, py = h.along_x * eye.spacing * t.side, h.along_y * eye.spacing * t.side
                image[v, u, 0] = colors[0] + px * colors[1] + py * colors[2]
                if in_color:
                    image[v, u, 1] = colors[3] + px * colors[4] + py * colors[5]
                    image[v, u, 2] = colors[6] + px * colors[7] + py * colors[8]
                    slopes[v, u, 0] = colors[1] * xm + colors[2] * ym
                    slopes[v, u, 1] = colors[4] * xm + colors[5] * ym
                    slopes[v, u, 2] = colors[7] * xm + colors[8] * ym
                    slopes[v, u, 3] = 0
                else:
                    image[v, u, 1] = colors[1] * xm + colors[2] * ym
                    image[v, u, 2] = 0
                image[v, u, 3] = h.depth
                # Vertices in the triangle's order: (corner, x, y) or, of the other half, (y, corner, x).
                factors[v, u, 0] = h.along_x if t.side > 0 else 1.0 - h.along_x - h.along_y
                factors[v, u, 1] = h.along_y if t.side > 0 else h.along_x
                factors[v, u, 2] = h.m_u
                geometry[v, u, 3] = _id(t, texels.shape[1]) + 1
                u += 1


@njit(cache=True, nogil=True, inline="always")
def _clear_pixel(image: Float32, geometry: UInt32, slopes: Float32, v: int, u: int) -> None:
    for c in range(4):
        image[v, u, c] = 0
        geometry[v, u, c] = 0
        slopes[v, u, c] = 0


@njit(cache=True, nogil=True, inline="always")
def _id(t: _Triangle, cols: int) -> int:
    upper = 1 if t.side < 0 else 0
    return 2 * ((t.row - upper) * (cols - 1) + t.column - upper) + upper


@njit(cache=True, nogil=True, inline="always")
def _colors(
    texels: Float32, t: _Triangle, spacing: float
) -> tuple[float, float, float, float, float, float, float, float, float]:
    """Of each channel: the colour of the corner, and its change per metre along x and y."""
    step = t.side / spacing
    r, g, b = texels[t.row, t.column, 1], texels[t.row, t.column, 2], texels[t.row, t.column, 3]
    at_x, at_y = t.column + t.side, t.row + t.side
    return (
        np.float64(r), (texels[t.row, at_x, 1] - r) * step, (texels[at_y, t.column, 1] - r) * step,
        np.float64(g), (texels[t.row, at_x, 2] - g) * step, (texels[at_y, t.column, 2] - g) * step,
        np.float64(b), (texels[t.row, at_x, 3] - b) * step, (texels[at_y, t.column, 3] - b) * step,
    )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy")
def _edge_rows(
    triangles: UInt32,
    image: Float32,
    texels: Float32,
    eye: _Eye,
    jump: float,
    edges: NDArray[np.bool_],
    first: int,
    last: int,
) -> None:
    height, width = triangles.shape
    for v in range(first, last):
        above, below = max(v - 1, 0), min(v + 1, height - 1)
        for u in range(width):
            edges[v, u] = False
            if triangles[v, u] == 0:
                continue
            left, right = max(u - 1, 0), min(u + 1, width - 1)
            depth = image[v, u, 3]
            a, b, c, d = image[v, right, 3], image[v, left, 3], image[below, u, 3], image[above, u, 3]
            # Nearly everywhere all four are close, and 0 is far from any depth.
            nearest, farthest = min(min(a, b), min(c, d)), max(max(a, b), max(c, d))
            if farthest - depth <= jump * depth and depth - nearest <= jump * nearest:
                continue
            edges[v, u] = (
                _jumps(triangles, image, texels, eye, v, u, v, right, jump)
                or _jumps(triangles, image, texels, eye, v, u, v, left, jump)
                or _jumps(triangles, image, texels, eye, v, u, below, u, jump)
                or _jumps(triangles, image, texels, eye, v, u, above, u, jump)
            )


@njit(cache=True, nogil=True)
def _jumps(
    triangles: UInt32,
    image: Float32,
    texels: Float32,
    eye: _Eye,
    v: int,
    u: int,
    other_v: int,
    other_u: int,
    jump: float,
) -> bool:
    """Whether there is an occlusion boundary between two neighbouring pixels, the first of which sees the map."""
    depth, beyond = np.float64(image[v, u, 3]), np.float64(image[other_v, other_u, 3])
    if beyond == 0.0:
        return True
    step = abs(beyond - depth)
    if step <= jump * min(depth, beyond):
        return False
    there = _extended(texels, triangles[v, u], eye, depth, v, u, other_v, other_u)
    here = _extended(texels, triangles[other_v, other_u], eye, beyond, other_v, other_u, v, u)
    explained = there > 0.0 and abs(there - beyond) < 0.5 * step
    return not (explained or (here > 0.0 and abs(here - depth) < 0.5 * step))


@njit(cache=True, nogil=True, error_model="numpy")
def _extended(
    texels: Float32, visible: np.uint32, eye: _Eye, depth: float, v: int, u: int, other_v: int, other_u: int
) -> float:
    """The depth that a pixel's plane has at another pixel: on one plane depth goes with 1 / (n . r)."""
    t = _numbered(texels, visible, eye)
    here = _to_grid(eye.R_grid_camera, (u - eye.cx) / eye.fx, (v - eye.cy) / eye.fy)
    there = _to_grid(eye.R_grid_camera, (other_u - eye.cx) / eye.fx, (other_v - eye.cy) / eye.fy)
    incidence = here[2] - t.slope_x * here[0] - t.slope_y * here[1]
    return depth * incidence / (there[2] - t.slope_x * there[0] - t.slope_y * there[1])


@njit(cache=True, nogil=True, error_model="numpy")
def _pose_rows(
    triangles: UInt32, texels: Float32, eye: _Eye, by_depth: Float32, by_image: Float32, first: int, last: int
) -> None:
    R = eye.R_grid_camera
    for v in range(first, last):
        for u in range(triangles.shape[1]):
            if triangles[v, u] == 0:
                continue
            rx, ry = (u - eye.cx) / eye.fx, (v - eye.cy) / eye.fy
            x, y, z = _to_grid(R, rx, ry)
            t = _numbered(texels, triangles[v, u], eye)
            h = _hit(t, eye.spacing, x, y, z)
            mx, my, mz = _to_camera(R, -t.slope_x * h.m_u, -t.slope_y * h.m_u, h.m_u)
            _write_twist(by_depth[v, u], h.depth, rx, ry, mx, my, mz)
            if by_image.shape[2] > 0:
                colors = _colors(texels, t, eye.spacing)
                for c in range(by_image.shape[2]):
                    along_x, along_y = colors[3 * c + 1], colors[3 * c + 2]
                    gx, gy, gz = _to_camera(R, along_x, along_y, 0.0)
                    w = along_x * x + along_y * y
                    _write_twist(by_image[v, u, c], h.depth, rx, ry, w * mx - gx, w * my - gy, w * mz - gz)


@njit(cache=True, nogil=True, inline="always")
def _to_grid(R_grid_camera: Float64, rx: float, ry: float) -> tuple[float, float, float]:
    """The ray (rx, ry, 1) in grid axes."""
    R = R_grid_camera
    return (
        R[0, 0] * rx + R[0, 1] * ry + R[0, 2],
        R[1, 0] * rx + R[1, 1] * ry + R[1, 2],
        R[2, 0] * rx + R[2, 1] * ry + R[2, 2],
    )


@njit(cache=True, nogil=True, inline="always")
def _to_camera(R_grid_camera: Float64, x: float, y: float, z: float) -> tuple[float, float, float]:
    R = R_grid_camera
    return (
        R[0, 0] * x + R[1, 0] * y + R[2, 0] * z,
        R[0, 1] * x + R[1, 1] * y + R[2, 1] * z,
        R[0, 2] * x + R[1, 2] * y + R[2, 2] * z,
    )


@njit(cache=True, nogil=True, inline="always")
def _write_twist(result: Float32, depth: float, rx: float, ry: float, x: float, y: float, z: float) -> None:
    """(w, X x w) of w = (x, y, z) at the point X = depth (rx, ry, 1)."""
    result[0], result[1], result[2] = x, y, z
    result[3] = depth * (ry * z - y)
    result[4] = depth * (x - rx * z)
    result[5] = depth * (rx * y - ry * x)
