"""Which photographs are compared with each other: groups of a few with some way between them."""

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.geometry.intensity import intensity

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

FEWEST = 3
"""Photographs of a group at least: of two that differ, nobody knows which is wrong."""

MOST = 5
"""And at most: groups of 4 and of 6 come out alike, and a larger one has to wait longer."""

_APART = 0.03  # of the distance to the ground: the least way from one photograph of a group to the next
_SPREAD = 0.6  # of that distance: a group that reaches so far is complete, for its ends see less and less in common
_SATURATED = 0.995


@dataclass(frozen=True, eq=False)
class Photograph:
    """What is kept of a frame's image."""

    T_world_camera: Float64
    """(4, 4) camera to world."""
    intensity: Float32
    """(height, width), see `glrender.geometry.intensity`; NaN where nothing was measured, or too much."""

    @staticmethod
    def of(T_world_camera: Float64, image: Float32) -> "Photograph":
        """From a linear image (height, width, 3 or 1)."""
        saturated = (image >= _SATURATED).any(axis=-1)
        return Photograph(T_world_camera, np.where(saturated, np.float32(np.nan), intensity(image)))

    def reduced(self, step: int) -> Float32:
        """(rows, cols): smoothed intensities at every `step`-th pixel, a power of 2; of `Camera.every_nth_pixel`."""
        result = self.intensity
        while step > 1:
            result, step = np.asarray(cv2.pyrDown(result), np.float32), step // 2
        return result


@dataclass(frozen=True)
class PhotographGroup:
    """Photographs that wait to be compared."""

    members: tuple[Photograph, ...] = field(default=())
    """In the order in which they came."""
    complete: bool = False
    """Whether they are to be compared now."""

    def with_photograph(self, photograph: Photograph, distance: float) -> "PhotographGroup":
        """With one more, if it is far enough from the last; `distance` metres is how far away the ground is."""
        if self.members and _way(self.members[-1], photograph) < _APART * distance:
            return self
        members = (*self.members, photograph)
        spread = _way(members[0], photograph) >= _SPREAD * distance
        return PhotographGroup(members, len(members) == MOST or (len(members) >= FEWEST and spread))


def distance_to(surface: HeightMap, camera: Camera, T_world_camera: Float64) -> float | None:
    """Median depth, metres, of what a camera at a pose (4, 4) sees of a surface; None where it sees nothing of it."""
    sparse = tuple(slice(None, None, max(1, size // 64)) for size in surface.shape)
    points = surface.vertices().reshape(*surface.shape, 3)[sparse].reshape(-1, 3)
    seen = se3.transformed(se3.inverse(T_world_camera) @ surface.pose, points)
    u, v = camera.project(seen).T
    with np.errstate(invalid="ignore"):
        inside = (u >= 0) & (v >= 0) & (u < camera.width) & (v < camera.height)
    return float(np.median(seen[inside, 2])) if inside.any() else None


def _way(one: Photograph, other: Photograph) -> float:
    return float(np.linalg.norm(one.T_world_camera[:3, 3] - other.T_world_camera[:3, 3]))
