"""Which photographs of a set are compared with each other."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from glrender.frontend.overlap import share_in_view
from glrender.geometry import se3
from glrender.geometry.camera import Camera

Float64 = NDArray[np.float64]

OVERLAPS = (0.9, 0.75, 0.6, 0.3)
"""Shares of a photograph that those it is compared with should show, before it and after it: far ones hold a trajectory
together, and the lanes of a flight, and near ones are seen from about the same side."""
LEAST_OVERLAP = 0.2


def choose_pairs(camera: Camera, poses: Float64, points: Sequence[Float64]) -> list[tuple[int, int]]:
    """(reference, frame) indices: each with its neighbours, and on both sides with those nearest to `OVERLAPS`.

    `poses` (N, 4, 4) are T_world_camera, `points` (n, 3) what each photograph shows, in its camera's coordinates.
    """
    shares = _overlap_matrix(camera, poses, points)
    N = len(poses)
    pairs = {(k, k + 1) for k in range(N - 1)} | {(k + 1, k) for k in range(N - 1)}
    for i in range(N):
        for side in (np.arange(i), np.arange(i + 1, N)):
            both = np.minimum(shares[i, side], shares[side, i])
            usable = side[both >= LEAST_OVERLAP]
            for wanted in OVERLAPS if len(usable) else ():
                off = np.abs(np.minimum(shares[i, usable], shares[usable, i]) - wanted)
                pairs.add((i, int(usable[off.argmin()])))
    return sorted(pairs)


def _overlap_matrix(camera: Camera, poses: Float64, points: Sequence[Float64]) -> Float64:
    """(N, N): the share of the points of photograph i that lie in the image of j."""
    T_camera_world = np.stack([se3.inverse(pose) for pose in poses])
    views = zip(poses, points, strict=True)
    return np.stack([share_in_view(camera, T_camera_world @ pose, seen) for pose, seen in views])
