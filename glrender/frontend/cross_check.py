"""Depths of one photograph held against those of its neighbours: what others see through is not there, or moved."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.frontend.motion_depth import MotionDepth, Verdict
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.parallel import even_parts, run_parts

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

WITHIN = 3.0
"""Standard deviations of both depths that two photographs may differ by."""
TOLERANCE = 0.005
"""Of the depth, the same whatever its sigma: poses are not exact."""


def cross_checked(
    camera: Camera,
    depth: MotionDepth,
    neighbours: Sequence[MotionDepth],
) -> MotionDepth:
    """`depth` without the pixels that its neighbours deny: their verdict becomes INCONSISTENT.

    A neighbour confirms a point if its own depth there is the same within `WITHIN` standard deviations of both, or
    within `TOLERANCE` of the depth. It denies it if it sees through it, to something farther away. What is nearer to it
    may hide the point, and says nothing. A pixel stays unless as many deny it as confirm it, or more.
    """
    shape = depth.depth.shape
    votes = np.zeros((2, *shape), np.int32)
    for other in neighbours:
        T = se3.inverse(other.T_world_camera) @ depth.T_world_camera
        lens = np.array([camera.fx, camera.fy, camera.cx, camera.cy])
        arguments = (depth.depth, depth.sigma, other.depth, other.sigma, T, lens, votes)
        run_parts(_vote_rows, even_parts(shape[0]), *arguments)
    confirmed, denied = votes
    stays = (confirmed > denied) | (denied == 0)
    dropped = (depth.verdict == Verdict.CONFIDENT) & ~stays
    return replace(
        depth,
        depth=np.where(dropped, np.float32(0), depth.depth),
        sigma=np.where(dropped, np.float32(0), depth.sigma),
        roughness=np.where(dropped, np.float32(0), depth.roughness),
        verdict=np.where(dropped, np.uint8(Verdict.INCONSISTENT), depth.verdict),
    )


@njit(cache=True, nogil=True, error_model="numpy")
def _vote_rows(
    depth: Float32,
    sigma: Float32,
    other_depth: Float32,
    other_sigma: Float32,
    T: Float64,
    lens: Float64,
    votes: NDArray[np.int32],
    first: int,
    last: int,
) -> None:
    height, width = depth.shape
    fx, fy, cx, cy = lens
    for v in range(first, last):
        for u in range(width):
            z = depth[v, u]
            if z <= 0:
                continue
            x, y = (u - cx) / fx * z, (v - cy) / fy * z
            there = T[2, 0] * x + T[2, 1] * y + T[2, 2] * z + T[2, 3]
            if there <= 0:
                continue
            column = fx * (T[0, 0] * x + T[0, 1] * y + T[0, 2] * z + T[0, 3]) / there + cx
            row = fy * (T[1, 0] * x + T[1, 1] * y + T[1, 2] * z + T[1, 3]) / there + cy
            if not (-0.5 <= column < width - 0.5 and -0.5 <= row < height - 0.5):
                continue
            i, j = int(np.rint(row)), int(np.rint(column))
            seen = other_depth[i, j]
            if seen <= 0:
                continue
            # A pixel's error moves the point along its own ray; by how much in the other's depth does not matter here.
            allowed = max(WITHIN * np.sqrt(sigma[v, u] ** 2 + other_sigma[i, j] ** 2), TOLERANCE * there)
            if abs(seen - there) <= allowed:
                votes[0, v, u] += 1
            elif seen > there:
                votes[1, v, u] += 1
