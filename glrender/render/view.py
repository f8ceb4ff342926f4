"""One frame's numbers for the shaders: the camera seen from a grid frame close to it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap

# std140 of the View block in shaders/include/view.glsl; every member is 16 bytes aligned by itself.
VIEW_BLOCK = np.dtype(
    [
        ("T_camera_grid", np.float32, (4, 4)),  # column by column
        ("lens", np.float32, 4),
        ("eye", np.float32, 4),
        ("clip", np.float32, 4),
        ("grid", np.int32, 4),
    ]
)

BLOCK = 32
"""Quads along each side of a block; those at the map's end may have fewer."""

DEPTH_RATIO = 1e-3
"""Ratio of the nearest to the farthest depth for which a depth buffer of 24 bits will do: it then tells the farthest
depths apart at 6e-5 of their size."""


@dataclass(frozen=True)
class View:
    """A camera over a height map, in a grid frame whose origin is a vertex near the camera.

    Subtracting that origin happens here, in float64, so what is left for float32 is small.
    """

    T_camera_grid: NDArray[np.float64]
    """(4, 4) grid frame to camera. The grid frame has the map's axes, in metres."""
    reference: tuple[int, int]
    """(column, row) of the vertex above or below the grid frame's origin."""
    depth_range: tuple[float, float]
    """Nearest and farthest camera z that can be visible, metres."""
    in_view: NDArray[np.bool_]
    """(blocks,): whether the image can see anything of each block of the surface, see `bounding_boxes`."""
    camera: Camera
    """What it is seen with."""
    surface: HeightMap
    """What is seen."""

    def uniform_block(self) -> bytes:
        """The View block as the shaders read it."""
        camera, surface = self.camera, self.surface
        near, far = self.depth_range
        T = self.T_camera_grid
        block = np.zeros((), VIEW_BLOCK)
        block["T_camera_grid"] = T.T
        block["lens"] = camera.fx, camera.fy, camera.cx, camera.cy
        block["eye"] = *(-T[:3, :3].T @ T[:3, 3]), surface.spacing
        block["clip"] = 2 / camera.width, 2 / camera.height, (far + near) / (far - near), -2 * far * near / (far - near)
        block["grid"] = *surface.shape[::-1], *self.reference
        return block.tobytes()


def make_view(
    surface: HeightMap,
    camera: Camera,
    T_world_camera: NDArray[np.float64],
    *,
    height_origin: float,
    boxes: NDArray[np.float64],
    near: float,
) -> View:
    """The view of `surface` from a pose.

    `height_origin` is the height that the surface texture counts from; `boxes` (blocks, 2, 3) are the lowest
    and highest corner in map coordinates of boxes that contain the surface (`bounding_boxes`). What is
    nearer than `near` metres is not visible.
    """
    T_camera_map = se3.inverse(T_world_camera) @ surface.pose
    eye = se3.inverse(T_camera_map)[:3, 3]
    rows, cols = surface.shape
    column, row = (
        int(np.clip(np.rint((eye[axis] - surface.origin[axis]) / surface.spacing), 0, count - 1))
        for axis, count in ((0, cols), (1, rows))
    )
    T_camera_grid = T_camera_map.copy()
    origin = np.array([surface.origin[0] + column * surface.spacing, surface.origin[1] + row * surface.spacing])
    # R (origin - eye): both are large far from the origin, their difference is not.
    T_camera_grid[:3, 3] = T_camera_map[:3, :3] @ (np.array([*origin, height_origin]) - eye)
    in_view, depth_range = _visible_depths(surface, eye, T_camera_map[:3, :3], boxes, camera, near)
    return View(T_camera_grid, (column, row), depth_range, in_view, camera, surface)


def bounding_boxes(surface: HeightMap) -> NDArray[np.float64]:
    """(blocks, 2, 3): lowest and highest map corner of each block of quads, row by row.

    Where nobody has seen anything of a block, its heights are infinite and its lowest is above its highest.
    """
    rows, cols = surface.shape
    i = np.arange(0, rows - 1, BLOCK)
    j = np.arange(0, cols - 1, BLOCK)
    # The last row and column of vertices of a block are the first of the next one: reduce over them as well.
    last_i, last_j = np.minimum(i + BLOCK, rows - 1), np.minimum(j + BLOCK, cols - 1)

    def reduce(ufunc: np.ufunc, empty: float) -> NDArray[np.float64]:
        filled = np.where(np.isnan(surface.heights), empty, surface.heights)
        by_row = ufunc(ufunc.reduceat(filled, i, axis=0), filled[last_i])
        return ufunc(ufunc.reduceat(by_row, j, axis=1), by_row[:, last_j])

    low, high = reduce(np.minimum, np.inf), reduce(np.maximum, -np.inf)
    x, y = surface.axes()
    shape = low.shape
    corners = np.empty((*shape, 2, 3))
    corners[..., 0, 0], corners[..., 1, 0] = x[j][None], x[last_j][None]
    corners[..., 0, 1], corners[..., 1, 1] = y[i][:, None], y[last_i][:, None]
    corners[..., 0, 2], corners[..., 1, 2] = low, high
    return corners.reshape(-1, 2, 3)


def _visible_depths(
    surface: HeightMap,
    eye: NDArray[np.float64],
    R_camera_map: NDArray[np.float64],
    boxes: NDArray[np.float64],
    camera: Camera,
    near: float,
) -> tuple[NDArray[np.bool_], tuple[float, float]]:
    """Which boxes (map coordinates) the image can see from `eye` (3,), and the range of camera z inside of them.

    The depth buffer has 24 bits for this range: leaving out what is outside the frustum, such as the
    ground under a rover that looks ahead, is what keeps far hills from fighting over it.
    """
    choice = np.array([[(k >> axis) & 1 for axis in range(3)] for k in range(8)])
    in_view = boxes[:, 0, 2] <= boxes[:, 1, 2]
    corners = (boxes[in_view] - eye)[:, choice, np.arange(3)] @ R_camera_map.T
    x, y, z = np.moveaxis(corners, -1, 0)
    left, right = (-0.5 - camera.cx) / camera.fx, (camera.width - 0.5 - camera.cx) / camera.fx
    top, bottom = (-0.5 - camera.cy) / camera.fy, (camera.height - 0.5 - camera.cy) / camera.fy
    outside = [x < left * z, x > right * z, y < top * z, y > bottom * z, z < near]
    inside = ~np.any([side.all(axis=1) for side in outside], axis=0)
    in_view[in_view] = inside
    seen = z[inside]
    if seen.size == 0:
        return in_view, (near, 2 * near)
    nearest = max(near, 0.99 * float(seen.min()))
    farthest = max(1.01 * float(seen.max()), 1.01 * nearest)
    if nearest < DEPTH_RATIO * farthest:
        # Boxes that the camera stands in say nothing, but what is d away from the eye has z >= d / |longest ray|.
        longest = float(np.linalg.norm([max(-left, right), max(-top, bottom), 1.0]))
        wanted = DEPTH_RATIO * farthest
        nearest = max(nearest, 0.99 * clearance(surface, eye, wanted * longest) / longest)
    return in_view, (nearest, farthest)


def clearance(surface: HeightMap, eye: NDArray[np.float64], reach: float) -> float:
    """A lower bound of the metres from `eye` (3,), map coordinates, to the surface's upper side; at most `reach`."""
    columns, rows = (
        _cells_within(reach, float(eye[axis] - surface.origin[axis]), surface.spacing, count)
        for axis, count in ((0, surface.shape[1]), (1, surface.shape[0]))
    )
    x, y = surface.axes()
    x, y, z = x[columns] - eye[0], y[rows] - eye[1], surface.heights[rows, columns] - eye[2]
    if min(z.shape) < 2:
        return reach
    # A triangle is at least as far away as its plane, and as its quad is along the ground.
    beside_x, beside_y = (np.maximum(np.maximum(axis[:-1], -axis[1:]), 0) for axis in (x, y))
    along_ground = np.hypot(beside_x, beside_y[:, None])
    along_x, along_y = np.diff(z, axis=1) / surface.spacing, np.diff(z, axis=0) / surface.spacing
    distances = [np.array([reach])]
    for corner, low, high in (
        (slice(None, -1), along_x[:-1], along_y[:, :-1]),
        (slice(1, None), along_x[1:], along_y[:, 1:]),
    ):
        below = low * x[corner] + high * y[corner, None] - z[corner, corner]
        from_plane = below / np.sqrt(1 + low**2 + high**2)
        # What has the eye on its lower side, or a NaN height, is not seen.
        distances.append(np.maximum(from_plane, along_ground)[below > 0])
    return float(np.concatenate(distances).min())


def _cells_within(reach: float, place: float, spacing: float, count: int) -> slice:
    """The vertices of all cells less than `reach` away from `place` along an axis; fewer than two for none."""
    first, last = np.floor((place - reach) / spacing), np.ceil((place + reach) / spacing)
    return slice(int(np.clip(first, 0, count)), int(np.clip(last + 1, 0, count)))
