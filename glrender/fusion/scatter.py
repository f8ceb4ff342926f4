"""How the frames of a map scatter about its heights, which sigma may not know of.

Sigma is right if all frames see one surface and err as they are said to. At the rim of a wall, in a porous crown, or
where windows match another thing from each side, they do not, and a robust estimate settles for some of them. How far
off the others are is told by what each frame saw around a vertex: if n frames deviate from a height by d_f, its
standard error is sqrt(Σ d_f²) / n, whatever they were said to err by. Where that is more than a cell is wide, and more
than sigma allows for, the one height that a map can hold there is none that its frames support; unless all of three
frames or more but one agree about it within a cell, and that one is far off.
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
    """What frames of `camera` saw around the vertices of `grid`; five numbers of each, of however many frames."""

    def __init__(self, camera: Camera, grid: Grid) -> None:
        self._camera, self._grid = camera, grid
        self._sums = np.zeros((3, *grid.shape))  # frames, heights, their squares
        self._lowest, self._highest = np.full(grid.shape, np.inf), np.full(grid.shape, -np.inf)

    def add(self, T_world_camera: Float64, depth: Float32, sigma: Float32) -> None:
        """Count a frame with the pose (4, 4), its depth (height, width) in metres, 0 where there is none, and sigma."""
        patch = self._grid.reached(self._camera, T_world_camera, depth)
        if patch is None:
            return
        seen = self._grid.part(patch).means(self._camera, T_world_camera, depth, depth_sigma=sigma)[..., 0]
        known = np.isfinite(seen)
        rows, cols = patch.slices
        for ends, further in ((self._lowest, np.fmin), (self._highest, np.fmax)):
            ends[rows, cols] = further(ends[rows, cols], seen)
        seen = np.where(known, seen, 0)
        self._sums[:, rows, cols] += np.stack([known, seen, np.square(seen)])

    def standard_error(self, heights: Float64) -> Float64:
        """(rows, cols) metres: that of `heights` (rows, cols), by how frames scatter about them; 0 where none did."""
        return np.asarray(np.sqrt(self._squared_deviations(heights)) / np.maximum(self._sums[0], 1))

    def _squared_deviations(self, heights: Float64) -> Float64:
        count, total, squares = self._sums
        return np.asarray(np.maximum(squares - 2 * heights * total + count * np.square(heights), 0))

    def _agree_but_one(self, heights: Float64) -> NDArray[np.bool_]:
        """(rows, cols): where three frames or more scatter by less than a cell once the farthest is left out."""
        count = self._sums[0]
        farthest = np.square(np.fmax(self._highest - heights, heights - self._lowest))
        rest = np.maximum(self._squared_deviations(heights) - np.where(count > 0, farthest, 0), 0)
        return np.asarray((count >= 3) & (rest <= (count - 1) * self._grid.spacing**2))

    def undisputed(self, surface: HeightMap) -> HeightMap:
        """A map on the grid, with its sigma, without the cells that frames dispute; NaN there.

        What displaces all cells together is no reason for frames to scatter, and is not counted in.
        """
        sigma = surface.sigma if surface.local_sigma is None else surface.local_sigma
        assert sigma is not None
        allowed = np.maximum(DISPUTED * sigma, self._grid.spacing)
        # Both are false where there is no height.
        stays = (self.standard_error(surface.heights) <= allowed) | self._agree_but_one(surface.heights)
        values = {name: getattr(surface, name) for name in ("heights", "colors", "sigma", "local_sigma")}
        # Transposed, the grid's axes are the last ones, with colours or without.
        left: dict[str, Any] = {
            name: np.where(stays.T, value.T, np.nan).T for name, value in values.items() if value is not None
        }
        return replace(surface, **left)
