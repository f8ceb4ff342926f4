"""Lines in the scene: trajectories, frusta, needles, outlines; from world coordinates to quads on the screen."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.viewer.slopes import slopes

Float64 = NDArray[np.float64]
Color = tuple[float, float, float, float]
"""sRGB and opacity in [0, 1]."""

TRAJECTORY: Color = (1.0, 0.62, 0.10, 1.0)
FRUSTUM: Color = (0.25, 0.85, 1.0, 1.0)
NEEDLE: Color = (0.35, 1.0, 0.45, 0.9)
SELECTED: Color = (1.0, 0.25, 0.65, 1.0)

_NEAREST = 0.02
"""Share of the median depth of what is drawn: what is nearer to the camera is cut off."""
_NEEDLES = 40
"""How many normals are drawn along the longer side of a map, at most."""


@dataclass(frozen=True, eq=False)
class Lines:
    """Straight lines of one width, each in a colour of its own."""

    ends: Float64
    """(n, 2, 3) where each begins and ends, world coordinates, metres."""
    colors: Float64
    """(n, 4) sRGB and opacity."""
    width: float
    """Pixels."""


def joined(parts: Sequence[tuple[Float64, Color]], width: float) -> Lines:
    """Lines of several colours, each part (n, 2, 3) in its own; `width` is in pixels."""
    ends = [part for part, _ in parts] or [np.empty((0, 2, 3))]
    colors = [np.tile(color, (len(part), 1)) for part, color in parts] or [np.empty((0, 4))]
    return Lines(np.concatenate(ends), np.concatenate(colors), width)


def polyline(points: Float64) -> Float64:
    """(n - 1, 2, 3) pieces through (n, 3) points in order."""
    return np.stack([points[:-1], points[1:]], axis=1)


def frustum(camera: Camera, T_world_camera: Float64, depth: float) -> Float64:
    """(9, 2, 3) edges of the pyramid that a camera sees up to a depth in metres, and a mark on its upper side."""
    right, bottom = camera.width - 0.5, camera.height - 0.5
    corners = depth * camera.rays_through([(-0.5, -0.5), (right, -0.5), (right, bottom), (-0.5, bottom)])
    height = depth * camera.height / camera.fy
    peak = (corners[0] + corners[1]) / 2 - np.array([0, 0.25 * height, 0])
    pieces = [(np.zeros(3), corner) for corner in corners]
    pieces += list(zip(corners, np.roll(corners, -1, axis=0), strict=True))
    pieces += [(corners[0], peak), (peak, corners[1])]
    return se3.transformed(T_world_camera, np.array(pieces))


def needles(surface: HeightMap, length: float) -> Float64:
    """(n, 2, 3) normals of at most 40 x 40 vertices, `length` metres long."""
    rows, cols = surface.shape
    step = -(-max(rows, cols) // _NEEDLES)
    along_x, along_y = slopes(surface)
    chosen = np.s_[step // 2 :: step, step // 2 :: step]
    normal = np.stack([-along_x[chosen], -along_y[chosen], np.ones_like(along_x[chosen])], axis=-1).reshape(-1, 3)
    base = surface.vertices().reshape(rows, cols, 3)[chosen].reshape(-1, 3)
    known = np.isfinite(base).all(axis=-1)
    base, normal = base[known], normal[known]
    tips = base + length * normal / np.linalg.norm(normal, axis=-1, keepdims=True)
    return se3.transformed(surface.pose, np.stack([base, tips], axis=1))


def outline(points: Float64) -> Float64:
    """(n, 2, 3) edges of the closed polygon through (n, 3) points."""
    return polyline(np.concatenate([points, points[:1]]))


def corners_of(lines: Lines, camera: Camera, T_world_camera: Float64) -> NDArray[np.float32]:
    """(m, 7) corners of the triangles that draw lines: column, row, depth, then colour and opacity.

    What is behind the camera, or very near to it, is cut off; what lies beside the image is left to OpenGL.
    """
    ends = se3.transformed(se3.inverse(T_world_camera), lines.ends)
    depths = ends[..., 2]
    if not (depths > 0).any():
        return np.empty((0, 7), np.float32)
    near = _NEAREST * float(np.median(depths[depths > 0]))
    ahead = (depths > near).any(axis=1)
    ends, colors, depths = ends[ahead], lines.colors[ahead], depths[ahead]
    # An end that is too near is moved along the line to where it no longer is.
    for this, other in ((0, 1), (1, 0)):
        short = depths[:, this] < near
        way = np.where(short, (near - depths[:, this]) / np.where(short, depths[:, other] - depths[:, this], 1), 0)
        ends[:, this] += way[:, None] * (ends[:, other] - ends[:, this])
    a, b = camera.project(ends[:, 0]), camera.project(ends[:, 1])
    along = b - a
    length = np.linalg.norm(along, axis=-1, keepdims=True)
    across = np.stack([-along[:, 1], along[:, 0]], axis=-1) / np.maximum(length, 1e-9) * (lines.width / 2)
    with_depth_a, with_depth_b = ends[:, 0, 2:], ends[:, 1, 2:]
    a0, a1 = (np.concatenate([a + side * across, with_depth_a, colors], axis=1) for side in (-1, 1))
    b0, b1 = (np.concatenate([b + side * across, with_depth_b, colors], axis=1) for side in (-1, 1))
    return np.stack([a0, a1, b0, b0, a1, b1], axis=1).reshape(-1, 7).astype(np.float32)
