"""Where to look for depths: each pixel's nearest and farthest inverse depth.

Between the two a sweep goes in equal steps of inverse depth. On the ray r of a pixel, a plane z = h of a frame in
which the camera is at height e has the inverse depth w = r_z / (h - e): equal steps of w at one pixel are equal steps
of 1 / (e - h), whatever the pixel. So hypothesis k of a search between two such planes is itself such a plane, and a
window of pixels is compared as a piece of level ground, which floors seen obliquely need.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glrender.checks import check_array, check_pose, check_positive
from glrender.errors import InputError
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.render.forward import ForwardRenderer

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

CLOSEST = 0.1
"""A share of the distance to the lowest plane, or to the predicted surface: nothing is looked for that is nearer."""
LEAST_INCIDENCE = 0.1
"""Sine of the angle between a ray and the ground: at smaller ones, a band of heights grows no longer along the ray."""


class Bounds(NamedTuple):
    """What each pixel looks for; nothing where both are 0."""

    far: Float32
    """(height, width) smallest inverse depth, 1/metres."""
    near: Float32
    """(height, width) largest inverse depth, 1/metres."""


class Search(ABC):
    """Where to look; made by `Search.depths`, `Search.heights` or `Search.around`."""

    @abstractmethod
    def bounds(self, T_world_camera: Float64, renderer: ForwardRenderer) -> Bounds:
        """The search of each pixel of the renderer's camera at a pose (4, 4)."""

    @staticmethod
    def depths(near: float, far: float) -> "Search":
        """Everything between two depths, metres; `far` may be infinite."""
        if not 0 < near < far:
            raise InputError(f"search: received depths from {near} to {far}, expected 0 < near < far")
        return _Depths(float(near), float(far))

    @staticmethod
    def heights(T_world_map: ArrayLike | None, low: float, high: float) -> "Search":
        """Everything between two heights over the plane z = 0 of a map frame, metres, as seen from above.

        Where the camera is below `high`, it looks down to a tenth of its height over `low`, and no nearer.
        """
        if not (np.isfinite([low, high]).all() and low < high):
            raise InputError(f"search: received heights from {low} to {high}, expected finite low < high")
        return _Heights(_pose(T_world_map), float(low), float(high))

    @staticmethod
    def around(surface: HeightMap, band: ArrayLike) -> "Search":
        """Up to `band` metres above and below what the map predicts: one number, or one for each vertex (rows, cols).

        Pixels that see nothing of the map look for nothing.
        """
        if np.ndim(band) == 0:
            return _Around(surface, np.full(surface.shape, check_positive("search band", float(np.asarray(band)))))
        bands = check_array("search band", band, surface.shape, finite=True)
        if not (bands > 0).all():
            raise InputError(f"search band: received {bands.min():g} m in some cell, expected more than 0")
        return _Around(surface, bands)


@dataclass(frozen=True)
class _Depths(Search):
    near: float
    far: float

    def bounds(self, T_world_camera: Float64, renderer: ForwardRenderer) -> Bounds:
        shape = renderer.camera.shape
        return Bounds(np.full(shape, 1 / self.far, np.float32), np.full(shape, 1 / self.near, np.float32))


@dataclass(frozen=True, eq=False)
class _Heights(Search):
    T_world_map: Float64
    low: float
    high: float

    def bounds(self, T_world_camera: Float64, renderer: ForwardRenderer) -> Bounds:
        T_map_camera = se3.inverse(self.T_world_map) @ T_world_camera
        descent = -_upward(T_map_camera, renderer.camera)  # of each ray, metres down a metre of depth
        over_low = T_map_camera[2, 3] - self.low
        over_high = max(T_map_camera[2, 3] - self.high, CLOSEST * over_low)
        seen = (descent > 0) & (over_low > 0)
        far, near = (np.where(seen, descent / over, 0) for over in (over_low, over_high))
        return Bounds(far.astype(np.float32), near.astype(np.float32))


@dataclass(frozen=True, eq=False)
class _Around(Search):
    surface: HeightMap
    band: Float64

    def bounds(self, T_world_camera: Float64, renderer: ForwardRenderer) -> Bounds:
        # The renderer interpolates anything over the map that it is given as a colour.
        banded = self.surface.with_values(self.surface.heights, self.band[..., None])
        seen = renderer.render(banded, T_world_camera)
        T_map_camera = se3.inverse(self.surface.pose) @ T_world_camera
        incidence = np.maximum(np.abs(_upward(T_map_camera, renderer.camera)), LEAST_INCIDENCE)
        depth, reach = seen.depth, seen.image[..., 0] / incidence
        known = depth > 0
        with np.errstate(divide="ignore"):
            far = np.where(known, 1 / (depth + reach), 0)
            near = np.where(known, 1 / np.maximum(depth - reach, CLOSEST * depth), 0)
        return Bounds(far.astype(np.float32), near.astype(np.float32))


def _upward(T_map_camera: Float64, camera: Camera) -> Float64:
    """(height, width): by how much each pixel's ray rises in the map frame, metres a metre of depth."""
    return camera.rays() @ T_map_camera[2, :3]


def _pose(T_world_map: ArrayLike | None) -> Float64:
    return np.eye(4) if T_world_map is None else check_pose("T_world_map", T_world_map)
