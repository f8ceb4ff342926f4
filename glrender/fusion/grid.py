"""The grid of a map that is being made: where its vertices lie, and which of them a depth image falls on."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from glrender.checks import check_array, check_positive
from glrender.errors import InputError
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap

Float64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Grid:
    """A regular grid in a map frame."""

    shape: tuple[int, int]
    """(rows, cols) of vertices."""
    spacing: float
    """Metres."""
    origin: tuple[float, float]
    """Map x and y of vertex (0, 0), metres."""
    T_world_map: Float64
    """(4, 4) map to world."""

    @staticmethod
    def covering(bounds: tuple[float, float, float, float], spacing: float, T_world_map: Float64 | None) -> "Grid":
        """The grid from (x0, y0) that reaches at least to (x1, y1); bounds are (x0, x1, y0, y1) in map metres."""
        x0, x1, y0, y1 = check_array("bounds", bounds, (4,), finite=True)
        spacing = check_positive("spacing", spacing)
        if not (x1 > x0 and y1 > y0):
            raise InputError(f"bounds: received {tuple(bounds)}, expected x0 < x1 and y0 < y1 (metres)")
        # A hair of tolerance, so that (0, 1) at 0.1 has 11 vertices although 1 / 0.1 is not 10 in binary.
        cols, rows = (int(np.ceil((high - low) / spacing - 1e-6)) + 1 for low, high in ((x0, x1), (y0, y1)))
        pose = np.eye(4) if T_world_map is None else T_world_map
        return Grid((max(rows, 2), max(cols, 2)), spacing, (float(x0), float(y0)), pose)

    def surface(self, heights: Float64, colors: Float64 | None = None, sigma: Float64 | None = None) -> HeightMap:
        """A height map on this grid."""
        return HeightMap(heights, self.spacing, self.origin, colors, self.T_world_map, sigma)

    def means(self, camera: Camera, T_world_camera: Float64, depth: Float64, *values: Float64) -> list[Float64]:
        """Mean height, and mean of each of `values` (height, width, …), of the depth pixels nearest to each vertex.

        `depth` is (height, width) metres, 0 or not finite where nothing was measured. Returns arrays
        (rows, cols, …), NaN at vertices that no pixel falls on.
        """
        used = np.isfinite(depth) & (depth > 0)
        T_map_camera = np.linalg.inv(self.T_world_map) @ T_world_camera
        points = (camera.rays()[used] * depth[used, None]) @ T_map_camera[:3, :3].T + T_map_camera[:3, 3]
        column, row = np.rint((points[:, :2] - self.origin) / self.spacing).astype(np.int64).T
        rows, cols = self.shape
        inside = (column >= 0) & (column < cols) & (row >= 0) & (row < rows)
        vertex = row[inside] * cols + column[inside]
        counts = np.bincount(vertex, minlength=rows * cols)

        def mean(value: Float64) -> Float64:
            value = value.reshape(len(value), -1)
            sums = np.stack([np.bincount(vertex, channel, minlength=rows * cols) for channel in value.T], axis=-1)
            with np.errstate(invalid="ignore", divide="ignore"):
                return sums / counts[:, None]

        heights = mean(points[inside, 2]).reshape(self.shape)
        return [heights, *(mean(value[used][inside]).reshape(*self.shape, *value.shape[2:]) for value in values)]


def fill_from_nearest(values: Float64, known: NDArray[np.bool_]) -> Float64:
    """`values` (rows, cols, …) with every vertex that is not `known` set to the nearest one that is."""
    if known.all() or not known.any():
        return values
    row, column = distance_transform_edt(~known, return_distances=False, return_indices=True)
    return values[row, column]
