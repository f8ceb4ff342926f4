"""Both passes evaluated on the host, for contexts in which the processor does the rendering anyway.

`glrender.render.scan` finds the triangle that each pixel sees; from it, each pixel is evaluated here in float64. What
all pixels of a triangle share is computed once, and kept in a table while they are visited. Occlusion edges and the
derivatives with respect to the pose are made here too, as shaders/edges.frag and pose.frag make them.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.geometry.camera import Camera
from glrender.io.color import FIRST, RISES_FLOAT32, clip, look_up
from glrender.parallel import even_parts, run_parts
from glrender.recycle import Recycler
from glrender.render.buffers import PoseDerivatives
from glrender.render.lanes import LANES, write_pixel
from glrender.render.layouts import JUMP, compact_attachments
from glrender.render.planes import (
    ALL,
    ALONG_X,
    ALONG_Y,
    BLUE,
    BLUE_SLOPE,
    GREEN,
    GREEN_SLOPE,
    INVERSE_DEPTH,
    KEPT,
    M_U,
    PLAIN,
    RED,
    RED_SLOPE,
    Nine,
    colors_of,
    rays_of,
    value_at,
    write_factor_planes,
    write_planes,
)
from glrender.render.ray import Eye, hit, to_grid, triangle_of
from glrender.render.scan import ScanConverter
from glrender.render.surface import HostSurface

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
UInt32 = NDArray[np.uint32]
Attachments = dict[str, NDArray[Any]]


class HostEvaluator:
    """Makes the arrays of the plain pass and of the compact layout, in memory that is used again and again."""

    def __init__(self) -> None:
        self._recycler = Recycler()
        self._scanner = ScanConverter()

    def look(self, surface: HostSurface, camera: Camera, eye: Eye, near: float) -> "SeenOnHost":
        """What image and depth of the plain pass follow from; nothing nearer than `near` metres is visible."""
        triangles, _ = self._scanner.scan(surface.heights, camera, eye, near)
        return SeenOnHost(Seen.of(triangles, surface, eye), self._recycler)

    def evaluate(self, surface: HostSurface, camera: Camera, eye: Eye, near: float, channels: int) -> Attachments:
        """The attachments of the compact layout by name; nothing nearer than `near` metres is visible."""
        triangles, _ = self._scanner.scan(surface.heights, camera, eye, near)
        attachments: Attachments = {
            name: self._recycler.empty((*camera.shape, 4), np.uint32 if name == "geometry" else np.float32)
            for name in compact_attachments(channels)
        }
        image, geometry = attachments["image"], attachments["geometry"]
        # A grey map has w_u in a channel of `image`, which then stands in for the attachment that there is not.
        w_u = attachments.get("image_wrt_height", image)
        written = image, geometry, geometry.view(np.float32), w_u
        seen = Seen.of(triangles, surface, eye)
        run_parts(_evaluate_rows, even_parts(camera.height), seen, *written, channels == 3)
        return attachments

    def find_edges(self, attachments: Attachments, surface: HostSurface, eye: Eye) -> NDArray[np.bool_]:
        """(height, width): what shaders/edges.frag flags."""
        seen, depths = Seen.of(attachments["geometry"][..., 3], surface, eye), attachments["image"][..., 3]
        edges = self._recycler.empty(depths.shape, np.bool_)
        run_parts(_edge_rows, even_parts(len(edges)), seen, depths, JUMP, edges)
        return edges

    def differentiate_by_pose(
        self, attachments: Attachments, surface: HostSurface, eye: Eye, channels: int
    ) -> PoseDerivatives:
        """What shaders/pose.frag makes."""
        seen = Seen.of(attachments["geometry"][..., 3], surface, eye)
        shape = seen.triangles.shape
        by_pose = PoseDerivatives(np.zeros((*shape, 6), np.float32), np.zeros((*shape, channels, 6), np.float32))
        run_parts(_pose_rows, even_parts(shape[0]), seen, by_pose.depth_wrt_pose, by_pose.image_wrt_pose)
        return by_pose


class Seen(NamedTuple):
    """What each pixel sees of a map, from which everything else about it follows; as compiled loops take it."""

    triangles: UInt32
    """(height, width) triangle id + 1, 0 for nothing."""
    heights: Float32
    """(rows, cols), as of `HostSurface`."""
    texels: Float32
    """(rows, cols, 4), as of `HostSurface`."""
    eye: Eye

    @classmethod
    def of(cls, triangles: UInt32, surface: HostSurface, eye: Eye) -> Self:
        """The triangles that `eye` sees of `surface`."""
        return cls(triangles, surface.heights, surface.texels, eye)


@dataclass(frozen=True, eq=False)
class SeenOnHost:
    """The triangle that each pixel sees; image and depth are computed from it on demand, in any thread."""

    seen: Seen
    recycler: Recycler
    """Where memory for them comes from."""

    def pixels(self) -> Float32:
        """(height, width, 4) red, green, blue, depth, as shaders/forward.frag writes them."""
        pixels = self.recycler.empty((*self.seen.triangles.shape, 4), np.float32)
        run_parts(_plain_rows, even_parts(len(pixels)), self.seen, pixels)
        return pixels

    def srgb(self, channels: int) -> NDArray[np.uint8]:
        """(height, width, channels) the image as sRGB bytes, which takes less time than going by way of `pixels`."""
        image = np.empty((*self.seen.triangles.shape, channels), np.uint8)
        run_parts(_srgb_rows, even_parts(len(image)), self.seen, image)
        return image


@njit(cache=True, nogil=True, fastmath={"contract"}, error_model="numpy")
def _plain_rows(seen: Seen, pixels: Float32, first: int, last: int) -> None:
    kept, planes, rays = np.zeros(KEPT, np.uint32), np.empty((KEPT, PLAIN)), rays_of(seen.eye)
    for v in range(first, last):
        _plain_row(seen, kept, planes, rays, v, pixels, v)


@njit(cache=True, nogil=True, fastmath={"contract"}, error_model="numpy")
def _srgb_rows(seen: Seen, image: NDArray[np.uint8], first: int, last: int) -> None:
    """As `_plain_rows`, but sRGB bytes, with no more floats in between than those of a row."""
    kept, planes, rays = np.zeros(KEPT, np.uint32), np.empty((KEPT, PLAIN)), rays_of(seen.eye)
    row = np.empty((1, image.shape[1], 4), np.float32)
    numbers, values, parts = row.reshape(-1), np.empty(row.size, np.float32), np.empty(row.size, np.uint32)
    for v in range(first, last):
        _plain_row(seen, kept, planes, rays, v, row, 0)
        clip(numbers, values, parts)
        look_up(values, parts, 4, FIRST, RISES_FLOAT32, image[v])


@njit(cache=True, nogil=True, fastmath={"contract"}, error_model="numpy", inline="always")
def _plain_row(seen: Seen, kept: UInt32, planes: Float64, rays: Nine, v: int, pixels: Float32, row: int) -> None:
    """Row v of the image into a row of `pixels` (rows, width, 4)."""
    # A row of pixels sees nearly the same triangles as the one before, so nearly all are in the table. The loop does
    # not look for runs of pixels that see one triangle: no processor predicts where they end, and its wrong guesses
    # took longer than all that the pixels of a triangle share.
    y = float(v)
    for u in range(seen.triangles.shape[1]):
        visible = seen.triangles[v, u]
        if visible == 0:
            for c in range(4):
                pixels[row, u, c] = 0
            continue
        k = int(visible) % KEPT
        if kept[k] != visible:
            kept[k] = visible
            t = triangle_of(seen.heights, visible, seen.eye)
            write_planes(planes, k, 1, LANES, t, colors_of(seen.texels, t, seen.eye.spacing), 3, rays)
        write_pixel(planes, k, float(u), y, pixels, row, u)


@njit(cache=True, nogil=True, fastmath={"contract"}, error_model="numpy")
def _evaluate_rows(
    seen: Seen,
    image: Float32,
    geometry: UInt32,
    geometry_floats: Float32,
    w_u: Float32,
    in_color: bool,
    first: int,
    last: int,
) -> None:
    """Fill rows first … last - 1 of the compact layout's attachments; `geometry_floats` is the memory of `geometry`."""
    eye, kept, planes = seen.eye, np.zeros(KEPT, np.uint32), np.empty((KEPT, ALL))
    rays, channels = rays_of(eye), 3 if in_color else 1
    for v in range(first, last):
        y = float(v)
        for u in range(seen.triangles.shape[1]):
            visible = seen.triangles[v, u]
            if visible == 0:
                _clear_pixel(image, geometry, w_u, v, u)
                continue
            k = int(visible) % KEPT
            if kept[k] != visible:
                kept[k] = visible
                t = triangle_of(seen.heights, visible, eye)
                colors = colors_of(seen.texels, t, eye.spacing)
                write_planes(planes, k, 3, 1, t, colors, channels, rays)
                write_factor_planes(planes, k, t, colors, channels, eye.spacing, rays)
            x = float(u)
            depth = 1.0 / value_at(planes, k, INVERSE_DEPTH, x, y)
            m_u = depth * planes[k, M_U]
            along_x, along_y = depth * value_at(planes, k, ALONG_X, x, y), depth * value_at(planes, k, ALONG_Y, x, y)
            image[v, u, 0] = depth * value_at(planes, k, RED, x, y)
            if in_color:
                image[v, u, 1] = depth * value_at(planes, k, GREEN, x, y)
                image[v, u, 2] = depth * value_at(planes, k, BLUE, x, y)
                w_u[v, u, 0] = m_u * value_at(planes, k, RED_SLOPE, x, y)
                w_u[v, u, 1] = m_u * value_at(planes, k, GREEN_SLOPE, x, y)
                w_u[v, u, 2] = m_u * value_at(planes, k, BLUE_SLOPE, x, y)
                w_u[v, u, 3] = 0
            else:
                image[v, u, 1], image[v, u, 2] = m_u * value_at(planes, k, RED_SLOPE, x, y), 0
            image[v, u, 3] = depth
            # Vertices in the triangle's order: (corner, x, y) or, of the other half, (y, corner, x).
            lower = (visible & 1) == 1
            geometry_floats[v, u, 0] = along_x if lower else 1.0 - along_x - along_y
            geometry_floats[v, u, 1] = along_y if lower else along_x
            geometry_floats[v, u, 2] = m_u
            geometry[v, u, 3] = visible


@njit(cache=True, nogil=True, inline="always")
def _clear_pixel(image: Float32, geometry: UInt32, w_u: Float32, v: int, u: int) -> None:
    for c in range(4):
        image[v, u, c] = 0
        geometry[v, u, c] = 0
        w_u[v, u, c] = 0


@njit(cache=True, nogil=True, error_model="numpy")
def _edge_rows(seen: Seen, depths: Float32, jump: float, edges: NDArray[np.bool_], first: int, last: int) -> None:
    triangles, heights, eye = seen.triangles, seen.heights, seen.eye
    height, width = triangles.shape
    for v in range(first, last):
        above, below = max(v - 1, 0), min(v + 1, height - 1)
        for u in range(width):
            edges[v, u] = False
            if triangles[v, u] == 0:
                continue
            left, right = max(u - 1, 0), min(u + 1, width - 1)
            depth = np.float64(depths[v, u])
            a, b = np.float64(depths[v, right]), np.float64(depths[v, left])
            c, d = np.float64(depths[below, u]), np.float64(depths[above, u])
            # Nearly everywhere all four are close, and 0 is far from any depth.
            nearest, farthest = min(min(a, b), min(c, d)), max(max(a, b), max(c, d))
            if farthest - depth <= jump * depth and depth - nearest <= jump * nearest:
                continue
            edges[v, u] = (
                jumps(triangles, depth, a, heights, eye, v, u, v, right, jump)
                or jumps(triangles, depth, b, heights, eye, v, u, v, left, jump)
                or jumps(triangles, depth, c, heights, eye, v, u, below, u, jump)
                or jumps(triangles, depth, d, heights, eye, v, u, above, u, jump)
            )


@njit(cache=True, nogil=True)
def jumps(
    triangles: UInt32,
    depth: float,
    beyond: float,
    heights: Float32,
    eye: Eye,
    v: int,
    u: int,
    other_v: int,
    other_u: int,
    jump: float,
) -> bool:
    """Whether there is an occlusion boundary between two neighbouring pixels, of which the first sees the map."""
    if beyond == 0.0:
        return True
    step = abs(beyond - depth)
    if step <= jump * min(depth, beyond):
        return False
    there = _extended(heights, triangles[v, u], eye, depth, v, u, other_v, other_u)
    here = _extended(heights, triangles[other_v, other_u], eye, beyond, other_v, other_u, v, u)
    explained = there > 0.0 and abs(there - beyond) < 0.5 * step
    return not (explained or (here > 0.0 and abs(here - depth) < 0.5 * step))


@njit(cache=True, nogil=True, error_model="numpy")
def _extended(
    heights: Float32, visible: np.uint32, eye: Eye, depth: float, v: int, u: int, other_v: int, other_u: int
) -> float:
    """The depth, at another pixel, of the plane that a pixel sees: on one plane, depth goes with 1 / (n . r)."""
    t = triangle_of(heights, visible, eye)
    here = to_grid(eye.R_grid_camera, (u - eye.cx) / eye.fx, (v - eye.cy) / eye.fy)
    there = to_grid(eye.R_grid_camera, (other_u - eye.cx) / eye.fx, (other_v - eye.cy) / eye.fy)
    incidence = here[2] - t.slope_x * here[0] - t.slope_y * here[1]
    return depth * incidence / (there[2] - t.slope_x * there[0] - t.slope_y * there[1])


@njit(cache=True, nogil=True, error_model="numpy")
def _pose_rows(seen: Seen, by_depth: Float32, by_image: Float32, first: int, last: int) -> None:
    eye, R = seen.eye, seen.eye.R_grid_camera
    for v in range(first, last):
        for u in range(seen.triangles.shape[1]):
            if seen.triangles[v, u] == 0:
                continue
            rx, ry = (u - eye.cx) / eye.fx, (v - eye.cy) / eye.fy
            x, y, z = to_grid(R, rx, ry)
            t = triangle_of(seen.heights, seen.triangles[v, u], eye)
            h = hit(t, eye.spacing, x, y, z)
            mx, my, mz = _to_camera(R, -t.slope_x * h.m_u, -t.slope_y * h.m_u, h.m_u)
            _write_twist(by_depth[v, u], h.depth, rx, ry, mx, my, mz)
            if by_image.shape[2] > 0:
                colors = colors_of(seen.texels, t, eye.spacing)
                for c in range(by_image.shape[2]):
                    along_x, along_y = colors[3 * c + 1], colors[3 * c + 2]
                    gx, gy, gz = _to_camera(R, along_x, along_y, 0.0)
                    w = along_x * x + along_y * y
                    _write_twist(by_image[v, u, c], h.depth, rx, ry, w * mx - gx, w * my - gy, w * mz - gz)


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
