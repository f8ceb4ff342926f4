"""What a frame is aligned with: an image whose depth is known, at a known pose."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.checks import check_array, check_pose
from glrender.frontend.overlap import share_in_view
from glrender.frontend.pyramid import Level
from glrender.frontend.texture import Texture, choose_texture
from glrender.frontend.warp import pieces_of
from glrender.geometry import se3
from glrender.geometry.camera import Camera

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

MOST_POINTS = 4000
"""Points of each level, spread over the image: neighbouring pixels say nearly the same."""


@dataclass(frozen=True, eq=False)
class ReferencePoints:
    """Pixels of one level that have something to tell: depth and texture. In the order of their blocks."""

    points: Float64
    """(N, 3) reference camera coordinates, metres."""
    intensity: Float64
    """(N,)."""
    slope: Float64
    """(N, 2) of the intensity along u and v, 1/pixel of the level."""
    depth_slope: Float64
    """(N, 3) m = n / (n·r) of the surface's normal n and the pixel's ray r: d depth / d point; 0 where not known."""
    block: NDArray[np.int64]
    """(N,) block of the image, 0 to BLOCKS[0]·BLOCKS[1] - 1."""

    @cached_property
    def pieces(self) -> Float64:
        """(pieces, 7, PIECE) for compiled loops: points, intensity, slope and block, see `pieces_of`."""
        return pieces_of(self.points, self.intensity, self.slope, self.block)

    @cached_property
    def distance(self) -> float:
        """Metres: the median depth of the points; 1 where there are none."""
        return float(np.median(self.points[:, 2])) if len(self.points) else 1.0

    def seen_from(self, T: Float64) -> "ReferencePoints":
        """See `Reference.seen_from`; `T` (4, 4) takes the old camera's coordinates to the new one's."""
        points, slope = np.empty_like(self.points), np.empty_like(self.depth_slope)
        _move_on_planes(self.points, self.depth_slope, np.ascontiguousarray(T), points, slope)
        return replace(self, points=points, depth_slope=slope)


@njit(cache=True, nogil=True, error_model="numpy")
def _move_on_planes(points: Float64, slopes: Float64, T: Float64, moved: Float64, turned: Float64) -> None:
    for k in range(len(points)):
        x, y, z = points[k, 0], points[k, 1], points[k, 2]
        a, b, c = slopes[k, 0], slopes[k, 1], slopes[k, 2]
        nx = T[0, 0] * a + T[0, 1] * b + T[0, 2] * c
        ny = T[1, 0] * a + T[1, 1] * b + T[1, 2] * c
        nz = T[2, 0] * a + T[2, 1] * b + T[2, 2] * c
        facing = nx * x / z + ny * y / z + nz
        # m·X = D on the plane, so that n·X' = D + n·t for what has moved with it.
        depth = z + nx * T[0, 3] + ny * T[1, 3] + nz * T[2, 3]
        known = facing > 0 and depth > 0
        depth = depth / facing if known else z
        moved[k, 0], moved[k, 1], moved[k, 2] = x / z * depth, y / z * depth, depth
        turned[k, 0] = nx / facing if known else 0.0
        turned[k, 1] = ny / facing if known else 0.0
        turned[k, 2] = nz / facing if known else 0.0


@dataclass(frozen=True, eq=False)
class Reference:
    """An image with depth, prepared for alignment; made by `make_reference`."""

    T_world_camera: Float64
    """(4, 4)."""
    levels: tuple[ReferencePoints, ...]
    """Finest first, as of `build_pyramid`."""

    @property
    def distance(self) -> float:
        """Metres: the median depth of its points; 1 where there are none."""
        return self.levels[0].distance

    def overlap(self, camera: Camera, T_world_camera: Float64) -> float:
        """The share of its points that lie in the image of a camera at a pose (4, 4); 0 where it has none."""
        return float(share_in_view(camera, se3.inverse(T_world_camera) @ self.T_world_camera, self.levels[0].points))

    def seen_from(self, T_world_camera: Float64) -> "Reference":
        """The same pixels taken from another pose (4, 4), on the planes through the points that they saw.

        The depths of points without a slope are the camera's own, and stay.
        """
        T = se3.inverse(T_world_camera) @ self.T_world_camera
        return Reference(T_world_camera, tuple(points.seen_from(T) for points in self.levels))


def make_reference(
    pyramid: tuple[Level, ...],
    depth: Float32,
    T_world_camera: Float64,
    depth_slope: Float32 | None = None,
    most_points: int = MOST_POINTS,
) -> Reference:
    """The points of a photograph or rendering with `depth` (height, width), camera z in metres, 0 where not known.

    `depth_slope` (height, width, 3) is d depth / d (motion of the surface), as `PoseDerivatives.depth_wrt_pose` begins
    with; without it the depths belong to the camera rather than to a surface that stays where it is.
    """
    check_array("depth", depth, pyramid[0].camera.shape, np.float32)
    return reference_at(choose_texture(pyramid, most_points), depth, T_world_camera, depth_slope)


def reference_at(
    textures: tuple[Texture, ...], depth: Float32, T_world_camera: Float64, depth_slope: Float32 | None = None
) -> Reference:
    """`make_reference` with pixels that have been chosen before."""
    depths, slopes = [], []
    for number, texture in enumerate(textures):
        u, v = (2**number * texture.pixels).T
        depths.append(depth[v, u].astype(np.float64))
        slopes.append(np.zeros((len(u), 3)) if depth_slope is None else depth_slope[v, u].astype(np.float64))
    return reference_at_depths(textures, depths, T_world_camera, slopes)


def reference_at_depths(
    textures: tuple[Texture, ...], depths: Sequence[Float64], T_world_camera: Float64, slopes: Sequence[Float64]
) -> Reference:
    """`reference_at` by the `depths` (N,) and their slopes (N, 3) at the pixels of each level; pixels of depth 0 are
    left out."""
    levels = []
    for texture, D, slope in zip(textures, depths, slopes, strict=True):
        known = D > 0
        points = texture.rays[known] * D[known, None]
        of_points = texture.intensity[known], texture.slope[known], slope[known], texture.block[known]
        levels.append(ReferencePoints(points, *of_points))
    return Reference(check_pose("T_world_camera", T_world_camera), tuple(levels))


def depth_slopes(camera: Camera, depth: Float32, reach: int = 4) -> Float32:
    """(height, width, 3): `depth_slope` of depths that a sensor measured, by planes through `reach` pixels around.

    0 where a depth around is missing, or where they are of no plane (an edge). On a plane inverse depth is linear in
    the pixel, 1/D = p·r, and m = D p.
    """
    side = 2 * reach + 1
    inverse = np.divide(1, depth, out=np.zeros_like(depth), where=depth > 0)
    box = np.ones((side, side), np.float32) / side**2
    ramp = np.tile(np.arange(-reach, reach + 1, dtype=np.float32), (side, 1))
    ramp /= np.square(ramp).sum()
    whole = cv2.erode((depth > 0).astype(np.uint8), np.ones((side, side), np.uint8)).astype(bool)
    nearest, farthest = cv2.erode(depth, np.ones((side, side))), cv2.dilate(depth, np.ones((side, side)))
    flat = whole & (farthest - nearest < 0.1 * nearest)
    mean, along_u, along_v = (cv2.filter2D(inverse, -1, kernel) for kernel in (box, ramp, ramp.T))
    x = (np.arange(camera.width) - camera.cx) / camera.fx
    y = (np.arange(camera.height) - camera.cy) / camera.fy
    p = np.stack([camera.fx * along_u, camera.fy * along_v, np.zeros_like(mean)], axis=-1)
    p[..., 2] = mean - p[..., 0] * x - p[..., 1] * y[:, None]
    slope = np.divide(p, mean[..., None], out=np.zeros_like(p), where=flat[..., None])
    return slope.astype(np.float32)
