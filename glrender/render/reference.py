"""A slow float64 twin of the passes, by ray casting in numpy: what the GPU's numbers are held against.

It shares no formula with the shaders: those work in the map's axes with slopes, this one in camera axes
with the vertices p0, p1, p2 of each triangle, its normal n = (p1 - p0) x (p2 - p0) and the two vectors
m = n / (n . r) and w = (grad C . r) m - grad C (after Zienkiewicz, Davison and Leutenegger, IROS 2016).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glrender.checks import check_pose
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.render.forward import NEAR
from glrender.render.surface import GREY

Float64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ReferenceBuffers:
    """What `DerivativeBuffers` holds, in float64; 0 (triangle id -1) where nothing is visible."""

    triangle_ids: NDArray[np.int32]
    """(height, width)."""
    image: Float64
    """(height, width, 3 or 1)."""
    depth: Float64
    """(height, width) metres."""
    normal: Float64
    """(height, width, 3) camera axes."""
    vertex_ids: NDArray[np.int32]
    """(height, width, 3)."""
    barycentric: Float64
    """(height, width, 3)."""
    depth_wrt_height: Float64
    """(height, width, 3)."""
    image_wrt_height: Float64
    """(height, width, C, 3)."""
    depth_wrt_pose: Float64
    """(height, width, 6) twist (v, omega)."""
    image_wrt_pose: Float64
    """(height, width, C, 6)."""


def render(surface: HeightMap, camera: Camera, T_world_camera: ArrayLike, near: float = NEAR) -> ReferenceBuffers:
    """Image, depth and every derivative, as `DerivativeRenderer.render` has them."""
    return evaluate(surface, camera, T_world_camera, visible_triangles(surface, camera, T_world_camera, near))


def visible_triangles(
    surface: HeightMap, camera: Camera, T_world_camera: ArrayLike, near: float = NEAR
) -> NDArray[np.int32]:
    """(height, width) id of the nearest triangle that each pixel's ray meets from above, -1 for none."""
    corners = _camera_corners(surface, T_world_camera)
    n = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    # Seen from above: the camera, at 0, is on the side that the normal points to. NaN fails this too.
    front = np.einsum("td,td->t", n, corners[:, 0]) < 0
    candidates = np.flatnonzero(front & (corners[..., 2] > near).any(axis=1))
    rays = camera.rays()
    nearest = np.full(camera.shape, np.inf)
    ids = np.full(camera.shape, -1, np.int32)
    for triangle in candidates:
        p = corners[triangle]
        rows, columns = _pixel_box(p, camera)
        # b_k / D for each ray: the coordinates of r in the basis of the three vertices.
        scaled = rays[rows, columns] @ np.linalg.inv(p)
        inverse_depth = scaled.sum(axis=-1)
        inside = (scaled >= 0).all(axis=-1) & (inverse_depth > 0)
        depth = np.divide(1.0, inverse_depth, out=np.full(inside.shape, np.inf), where=inside)
        wins = inside & (depth >= near) & (depth < nearest[rows, columns])
        nearest[rows, columns][wins] = depth[wins]
        ids[rows, columns][wins] = triangle
    return ids


def evaluate(
    surface: HeightMap, camera: Camera, T_world_camera: ArrayLike, triangle_ids: NDArray[np.int32]
) -> ReferenceBuffers:
    """Image, depth and every derivative where each pixel sees the given triangle (visibility held fixed)."""
    height, width = camera.shape
    seen = triangle_ids >= 0
    vertex_ids = np.where(seen[..., None], surface.triangles[triangle_ids], -1).astype(np.int32)
    p = _camera_corners(surface, T_world_camera)[triangle_ids[seen]]
    r = camera.rays()[seen]
    n = np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0])
    m = n / np.einsum("pd,pd->p", n, r)[:, None]
    depth = np.einsum("pd,pd->p", m, p[:, 0])
    X = depth[:, None] * r
    b = np.einsum("pd,pdk->pk", X, np.linalg.inv(p))
    up = np.linalg.inv(check_pose("T_world_camera", T_world_camera))[:3, :3] @ surface.pose[:3, 2]
    c = _colors(surface)[vertex_ids[seen]]
    w = _color_wrt_point(p, n, c, r, m)
    if surface.colors is None:
        w = w[:, :0]

    def scatter(values: Float64) -> Float64:
        result = np.zeros((height, width, *values.shape[1:]))
        result[seen] = values
        return result

    def wrt_pose(by_point: Float64, X: Float64) -> Float64:
        return np.concatenate([by_point, np.cross(X, by_point)], axis=-1)

    return ReferenceBuffers(
        triangle_ids=triangle_ids,
        image=scatter(np.einsum("pk,pkc->pc", b, c)),
        depth=scatter(depth),
        normal=scatter(n / np.linalg.norm(n, axis=1, keepdims=True)),
        vertex_ids=vertex_ids,
        barycentric=scatter(b),
        depth_wrt_height=scatter(b * (m @ up)[:, None]),
        image_wrt_height=scatter((w @ up)[:, :, None] * b[:, None]),
        depth_wrt_pose=scatter(wrt_pose(m, X)),
        image_wrt_pose=scatter(wrt_pose(w, np.broadcast_to(X[:, None], w.shape))),
    )


def _camera_corners(surface: HeightMap, T_world_camera: ArrayLike) -> Float64:
    """(triangles, 3, 3): the corners of every triangle in camera axes, NaN where a height is unknown."""
    T_map_camera = np.linalg.inv(surface.pose) @ check_pose("T_world_camera", T_world_camera)
    vertices = (surface.vertices() - T_map_camera[:3, 3]) @ T_map_camera[:3, :3]
    return vertices[surface.triangles]


def _pixel_box(p: Float64, camera: Camera) -> tuple[slice, slice]:
    """The rows and columns that a triangle can cover: all of them if it reaches behind the camera."""
    if (p[:, 2] <= 0).any():
        return slice(0, camera.height), slice(0, camera.width)
    u, v = camera.project(p).T
    columns = slice(max(0, int(np.floor(u.min()))), min(camera.width, int(np.ceil(u.max())) + 1))
    rows = slice(max(0, int(np.floor(v.min()))), min(camera.height, int(np.ceil(v.max())) + 1))
    return slice(rows.start, max(rows.start, rows.stop)), slice(columns.start, max(columns.start, columns.stop))


def _colors(surface: HeightMap) -> Float64:
    colors = np.full((*surface.shape, 1), GREY) if surface.colors is None else surface.colors
    return np.where(np.isnan(colors), GREY, colors).reshape(-1, surface.channels)


def _color_wrt_point(p: Float64, n: Float64, c: Float64, r: Float64, m: Float64) -> Float64:
    """(pixels, C, 3): w, the change of each colour as the triangle moves as a whole."""
    # grad C lies in the plane: grad C . (p_i - p_0) = C_i - C_0 and grad C . n = 0.
    rows = np.stack([p[:, 1] - p[:, 0], p[:, 2] - p[:, 0], n], axis=1)
    differences = np.stack([c[:, 1] - c[:, 0], c[:, 2] - c[:, 0], np.zeros_like(c[:, 0])], axis=1)
    gradient = np.swapaxes(np.linalg.solve(rows, differences), 1, 2)
    return np.einsum("pcd,pd->pc", gradient, r)[..., None] * m[:, None] - gradient
