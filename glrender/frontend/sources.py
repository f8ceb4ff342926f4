"""Which photographs to compare one with: far enough apart to tell depths, near enough to see the same alike."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from glrender.checks import check_pose, check_positive
from glrender.geometry import se3
from glrender.geometry.camera import Camera

Float64 = NDArray[np.float64]

BEST_ANGLE = np.radians(12.0)
"""Between two rays to one point: below it a depth's error falls as it grows, beyond it windows look ever less alike."""
ANGLE_SPREAD = np.radians(12.0)
"""How far beyond the best angle windows can still be compared: at so much more, 0.6 of the worth is left."""
LEAST_OVERLAP = 0.1
"""Of the reference's pixels that a source must see."""


def choose_sources(
    T_world_reference: Float64, candidates: Sequence[Float64], camera: Camera, depth: float, count: int = 4
) -> list[int]:
    """Up to `count` indices of `candidates` (poses T_world_camera), the best first; fewer where they see too little.

    `depth` is a typical one of what the reference sees, metres. Each next source is the one that adds most where
    those before it see least, from a place that is not one of theirs.
    """
    reference = check_pose("T_world_reference", T_world_reference)
    check_positive("depth", depth)
    down, right = (max(1, size // 8) for size in camera.shape)
    rays = camera.rays()[down // 2 :: down, right // 2 :: right]
    points = se3.transformed(reference, depth * rays.reshape(-1, 3))
    poses = [check_pose("candidates", candidate) for candidate in candidates]
    worth = np.stack([_worth(camera, reference, pose, points) for pose in poses]) if poses else np.empty((0, 1))
    seen = worth > 0
    chosen: list[int] = []
    while len(chosen) < count:
        gains = (worth / (1.0 + seen[chosen].sum(axis=0))).mean(axis=1)
        for k, pose in enumerate(poses):
            apart = [float(np.linalg.norm(pose[:3, 3] - poses[other][:3, 3])) for other in chosen]
            gains[k] *= min([1.0, *(distance / (0.5 * BEST_ANGLE * depth) for distance in apart)])
        gains[chosen] = 0
        gains[seen.mean(axis=1) < LEAST_OVERLAP] = 0
        if gains.size == 0 or gains.max() <= 0:
            break
        chosen.append(int(np.argmax(gains)))
    return chosen


def _worth(camera: Camera, reference: Float64, pose: Float64, points: Float64) -> Float64:
    """(points,): what a source tells about each point (…, 3) of the world, 0 … 1; 0 where it does not see it."""
    pixels = camera.project(se3.transformed(se3.inverse(pose), points))
    with np.errstate(invalid="ignore"):
        inside = (pixels > -0.5).all(axis=1) & (pixels < np.array([camera.width, camera.height]) - 0.5).all(axis=1)
    a, b = points - reference[:3, 3], points - pose[:3, 3]
    angle = np.arctan2(np.linalg.norm(np.cross(a, b), axis=1), np.sum(a * b, axis=1))
    beyond = np.maximum(angle - BEST_ANGLE, 0) / ANGLE_SPREAD
    return np.where(inside, np.minimum(angle / BEST_ANGLE, 1) * np.exp(-0.5 * np.square(beyond)), 0)
