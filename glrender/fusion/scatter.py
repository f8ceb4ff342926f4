"""How the frames of a map scatter about its heights, which sigma may not know of.

Sigma is right if all frames see one surface and err as they are said to. At the rim of a wall, in a porous crown, or
where windows match another thing from each side, they do not, and a robust estimate settles for some of them. How far
off the others are is told by what each frame saw around a vertex: if n frames deviate from a height by d_f, its
standard error is sqrt(Σ d_f²) / n, whatever they were said to err by. Where that is more than a cell is wide, and more
than sigma allows for, the one height that a map can hold there is none that its frames support.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glrender.fusion.grid import Grid
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

DISPUTED = 3.0
"""Times sigma: a standard error beyond which sigma is refuted, as any deviation of so many sigmas is."""


class Scatter:
    """What frames of `camera` saw around the vertices of `grid`; three sums of each, whatever the number of frames."""

    def __init__(self, camera: Camera, grid: Grid) -> None:
        self._camera, self._grid = camera, grid
        self._sums = np.zeros((3, *grid.shape))  # frames, heights, their squares

    def add(self, T_world_camera: Float64, depth: Float32, sigma: Float32) -> None:
        """Count a frame with the pose (4, 4), its depth (height, width) in metres, 0 where there is none, and sigma."""
        patch = self._grid.reached(self._camera, T_world_camera, depth)
        if patch is None:
            return
        seen = self._grid.part(patch).means(self._camera, T_world_camera, depth, depth_sigma=sigma)[..., 0]
        known = np.isfinite(seen)
        seen = np.where(known, seen, 0)
        rows, cols = patch.slices
        self._sums[:, rows, cols] += np.stack([known, seen, np.square(seen)])

    def standard_error(self, heights: Float64) -> Float64:
        """(rows, cols) metres: that of `heights` (rows, cols), by how frames scatter about them; 0 where none did."""
        count, total, squares = self._sums
        deviations = squares - 2 * heights * total + count * np.square(heights)
        return np.asarray(np.sqrt(np.maximum(deviations, 0)) / np.maximum(count, 1))

    def undisputed(self, surface: HeightMap) -> HeightMap:
        """A map on the grid, with its sigma, without the cells that frames dispute; NaN there.

        What displaces all cells together is no reason for frames to scatter, and is not counted in.
        """
        sigma = surface.sigma if surface.local_sigma is None else surface.local_sigma
        assert sigma is not None
        allowed = np.maximum(DISPUTED * sigma, self._grid.spacing)
        stays = self.standard_error(surface.heights) <= allowed  # false where there is no height
        values = {name: getattr(surface, name) for name in ("heights", "colors", "sigma", "local_sigma")}
        # Transposed, the grid's axes are the last ones, with colours or without.
        left: dict[str, Any] = {
            name: np.where(stays.T, value.T, np.nan).T for name, value in values.items() if value is not None
        }
        return replace(surface, **left)
