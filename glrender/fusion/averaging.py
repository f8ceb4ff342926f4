"""Depths averaged in blocks of 2 x 2 pixels, for what is linearised again before it counts for good.

A new frame's first linearisation says where the map lies until the frame leaves the window, linearised anew. Decimated
depths leave the map, and with it where all frames are linearised, noisier; averaged ones say as much as all of them,
as long as a block is smaller than a cell.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.geometry.camera import Camera
from glrender.recycle import Recycler

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

BLOCK = 2
"""Pixels along each side."""

_SAME_SIDE = 0.05
"""Depths of a block differ by no more than this part, or it lies across an edge and says nothing. With 0.02, the jump
of an occlusion edge, steep ground loses blocks that it needs."""

_APART = 16  # pixels between those whose points are compared: noise of depth along an oblique ray hardly counts then


def averaged_camera(camera: Camera) -> Camera:
    """The camera whose pixels are the blocks; no lens. A last row or column without a partner belongs to none."""
    return Camera(
        width=camera.width // BLOCK,
        height=camera.height // BLOCK,
        fx=camera.fx / BLOCK,
        fy=camera.fy / BLOCK,
        cx=(camera.cx - (BLOCK - 1) / 2) / BLOCK,
        cy=(camera.cy - (BLOCK - 1) / 2) / BLOCK,
    )


def average(depth: Float32, sigma: Float32, recycler: Recycler) -> tuple[Float32, Float32]:
    """Depths and their sigmas (height // 2, width // 2) metres of those (height, width) of pixels.

    What was not measured, 0 or not finite or of infinite sigma, does not count; a block without any has depth 0.
    """
    shape = depth.shape[0] // BLOCK, depth.shape[1] // BLOCK
    means, sigmas = (recycler.empty(shape, np.float32) for _ in range(2))
    _average(depth, sigma, means, sigmas)
    return means, sigmas


def pixels_per_area(camera: Camera, T_map_camera: Float64, depth: Float32) -> float:
    """How many pixels of a depth image (height, width) fall on a square metre of the map's plane.

    By the medians of how far apart neighbours in a row and in a column are; 0 where next to nothing was measured.
    """
    v, u = np.arange(0, camera.height, _APART), np.arange(0, camera.width, _APART)
    z = depth[::_APART, ::_APART].astype(np.float64)
    z[~((z > 0) & (z < np.inf))] = np.nan
    rays = np.stack(np.broadcast_arrays((u - camera.cx) / camera.fx, (v[:, None] - camera.cy) / camera.fy, 1.0), -1)
    points = z[..., None] * (rays @ T_map_camera[:2, :3].T)
    per_area = 1.0
    for axis in (0, 1):
        steps = np.linalg.norm(np.diff(points, axis=axis), axis=-1)
        steps = steps[steps > 0]
        if not len(steps):
            return 0.0
        per_area *= _APART / float(np.median(steps))
    return per_area


@njit(cache=True, nogil=True, error_model="numpy")
def _average(depth: Float32, sigma: Float32, means: Float32, sigmas: Float32) -> None:
    rows, cols = means.shape
    nothing, most = np.float32(0), np.float32(1 + _SAME_SIDE)
    for i in range(rows):
        above, below, s_above, s_below = depth[2 * i], depth[2 * i + 1], sigma[2 * i], sigma[2 * i + 1]
        for j in range(cols):
            a, b, c, d = above[2 * j], above[2 * j + 1], below[2 * j], below[2 * j + 1]
            p, q = _information(a, s_above[2 * j]), _information(b, s_above[2 * j + 1])
            r, s = _information(c, s_below[2 * j]), _information(d, s_below[2 * j + 1])
            weight = p + q + r + s
            a, b, c, d = (
                a if p > 0 else nothing,
                b if q > 0 else nothing,
                c if r > 0 else nothing,
                d if s > 0 else nothing,
            )
            farthest = max(max(a, b), max(c, d))
            nearest = min(
                min(a if p > 0 else farthest, b if q > 0 else farthest),
                min(c if r > 0 else farthest, d if s > 0 else farthest),
            )
            good = (weight > 0) & (farthest <= most * nearest)
            means[i, j] = (p * a + q * b + r * c + s * d) / weight if good else nothing
            sigmas[i, j] = np.float32(1) / np.sqrt(weight) if good else np.float32(np.inf)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _information(z: np.float32, sigma: np.float32) -> np.float32:
    """Of a depth, 1/m²; 0 where nothing was measured."""
    there = (z > 0) & (z < np.float32(np.inf)) & (sigma < np.float32(np.inf))
    return np.float32(1) / (sigma * sigma) if there else np.float32(0)
