"""The grid of a map that is being made: where its vertices lie, and which of them a depth image falls on."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.checks import MEMORY, check_array, check_positive
from glrender.errors import InputError
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.solve.patch import Patch

Float64 = NDArray[np.float64]

_BYTES_PER_VERTEX = 2500
# Measured: the peak of `glrender fuse` grows by 1,420 from 501² to 1001² vertices nearly all of which are seen, by 520
# where next to none are; and what finds sigma takes more a vertex on a larger map.


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
        """The grid from (x0, y0) that reaches at least to (x1, y1); bounds are (x0, x1, y0, y1) in map metres.

        Raises InputError where they are no bounds.
        """
        x0, x1, y0, y1 = check_array("bounds", bounds, (4,), finite=True)
        spacing = check_positive("spacing", spacing)
        if not (x1 > x0 and y1 > y0):
            raise InputError(f"bounds: received {tuple(bounds)}, expected x0 < x1 and y0 < y1 (metres)")
        with np.errstate(over="ignore"):
            steps = np.array([x1 - x0, y1 - y0]) / spacing
        if not (steps < 2**31).all():
            raise InputError(
                f"bounds: received {tuple(bounds)} at a spacing of {spacing:g} m, which no map has the vertices for; "
                "expected a larger spacing or closer bounds (metres)"
            )
        # A hair of tolerance, so that (0, 1) at 0.1 has 11 vertices although 1 / 0.1 is not 10 in binary.
        cols, rows = (int(count) + 1 for count in np.ceil(steps - 1e-6))
        pose = np.eye(4) if T_world_map is None else T_world_map
        return Grid((max(rows, 2), max(cols, 2)), spacing, (float(x0), float(y0)), pose)

    def check_memory(self) -> None:
        """Raise InputError where a map of this grid would not fit into this machine's memory."""
        rows, cols = self.shape
        needed = rows * cols * _BYTES_PER_VERTEX
        if needed > MEMORY:
            raise InputError(
                f"map: {rows} x {cols} vertices need about {needed / 2**30:,.0f} GiB, but this machine has "
                f"{MEMORY / 2**30:,.0f}; take a larger spacing or closer bounds (metres)"
            )

    def part(self, patch: Patch) -> "Grid":
        """The grid of a patch alone."""
        x, y = self.origin
        return replace(self, shape=patch.shape, origin=(x + patch.left * self.spacing, y + patch.top * self.spacing))

    def surface(
        self,
        heights: Float64,
        colors: Float64 | None = None,
        sigma: Float64 | None = None,
        local_sigma: Float64 | None = None,
    ) -> HeightMap:
        """A height map on this grid, of (rows, cols) heights, metres, their sigmas, and (rows, cols, C) colours."""
        return HeightMap(heights, self.spacing, self.origin, colors, self.T_world_map, sigma, local_sigma)

    def means(
        self,
        camera: Camera,
        T_world_camera: Float64,
        depth: NDArray[np.float32],
        image: NDArray[np.float32] | None = None,
        *,
        depth_sigma: NDArray[np.float32] | None = None,
        wanted: NDArray[np.bool_] | None = None,
    ) -> Float64:
        """(rows, cols, 1 + C): mean height and colour of the depth pixels nearest to each vertex.

        `depth` is (height, width) metres, 0 or not finite where nothing was measured; `image` (height, width,
        C) or None for heights alone. Depths count by 1 / `depth_sigma`² (height, width), or all alike. NaN at vertices
        that no pixel falls on or that are not `wanted` (rows, cols); pixels without a finite colour count for none.
        """
        if image is None:
            image = np.zeros((*depth.shape, 0), np.float32)
        if depth_sigma is None:
            depth_sigma = _ALIKE
        if wanted is None:
            wanted = np.ones(self.shape, np.bool_)
        lens, T_map_camera, place = self._sight(camera, T_world_camera)
        sums = np.zeros((*self.shape, 1 + image.shape[2]))
        counts = np.zeros((*self.shape, 2))
        _add_pixels(depth, depth_sigma, image, lens, T_map_camera, place, wanted, _below(wanted), sums, counts)
        _divide(sums, counts)
        return sums

    def reached(self, camera: Camera, T_world_camera: Float64, depth: NDArray[np.float32]) -> Patch | None:
        """The vertices around all that the pixels of a `depth` image (height, width) fall on; None: on nothing.

        Patches begin and end at every so many-th vertex, so that those of one frame after another are alike.
        """
        rows, cols = self.shape
        top, bottom, left, right = _reach(depth, *self._sight(camera, T_world_camera), rows, cols)
        if bottom < top:
            return None
        top, left = (max(first - _AROUND, 0) // _STEP * _STEP for first in (top, left))
        bottom, right = (-(-(last + 1 + _AROUND) // _STEP) * _STEP for last in (bottom, right))
        return Patch(top, min(bottom, rows), left, min(right, cols))

    def _sight(self, camera: Camera, T_world_camera: Float64) -> tuple[Float64, Float64, Float64]:
        """What the loops below know of camera, pose and grid."""
        lens = np.array([camera.fx, camera.fy, camera.cx, camera.cy])
        return lens, np.linalg.inv(self.T_world_map) @ T_world_camera, np.array([*self.origin, self.spacing])


_TILE = 16  # pixels along each side

_AROUND = 4  # vertices around what is measured, into which errors of depths and poses may move it
_STEP = 16  # vertices

_ALIKE = np.zeros((0, 0), np.float32)
"""Stands for standard deviations that are all the same."""


@njit(cache=True, nogil=True)
def _add_pixels(
    depth: NDArray[np.float32],
    sigma: NDArray[np.float32],
    image: NDArray[np.float32],
    lens: Float64,
    T_map_camera: Float64,
    place: Float64,
    wanted: NDArray[np.bool_],
    below: NDArray[np.int64],
    sums: Float64,
    counts: Float64,
) -> None:
    """Add the pixels' heights, weighted, and colours to `sums`; the weights and how many colours to `counts`.

    Tiles of pixels that fall on no wanted cell are left out at once; `below` says how many wanted cells there are.
    """
    height, width = depth.shape
    nearest, farthest = np.empty(width, np.float32), np.empty(width, np.float32)
    for top in range(0, height, _TILE):
        bottom = min(top + _TILE, height)
        _find_range(depth, top, bottom, nearest, farthest)
        for left in range(0, width, _TILE):
            right = min(left + _TILE, width)
            if _falls_on_wanted(nearest, farthest, lens, T_map_camera, place, below, top, bottom, left, right):
                _add_tile(
                    depth, sigma, image, lens, T_map_camera, place, wanted, top, bottom, left, right, sums, counts
                )


@njit(cache=True, nogil=True)
def _find_range(
    depth: NDArray[np.float32], top: int, bottom: int, nearest: NDArray[np.float32], farthest: NDArray[np.float32]
) -> None:
    """The least and greatest depth in each column of some rows; infinite and 0 where nothing was measured."""
    nearest[:], farthest[:] = np.inf, 0
    for v in range(top, bottom):
        for u in range(depth.shape[1]):  # column by column and without branches, so that it becomes vector instructions
            z = depth[v, u]
            nearest[u] = z if (z > 0) & (z < nearest[u]) else nearest[u]
            farthest[u] = z if (z > farthest[u]) & (z < np.float32(np.inf)) else farthest[u]


@njit(cache=True, nogil=True)
def _below(wanted: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(rows + 1, cols + 1): how many wanted cells have a lower row and a lower column."""
    rows, cols = wanted.shape
    below = np.zeros((rows + 1, cols + 1), np.int64)
    for i in range(rows):
        row = 0
        for j in range(cols):
            row += wanted[i, j]
            below[i + 1, j + 1] = below[i, j + 1] + row
    return below


@njit(cache=True, nogil=True)
def _falls_on_wanted(
    columns_nearest: NDArray[np.float32],
    columns_farthest: NDArray[np.float32],
    lens: Float64,
    T_map_camera: Float64,
    place: Float64,
    below: NDArray[np.int64],
    top: int,
    bottom: int,
    left: int,
    right: int,
) -> bool:
    """Whether any pixel of a tile may fall on a wanted cell: the corners of what it sees enclose it."""
    nearest, farthest = np.float64(np.inf), np.float64(0)
    for u in range(left, right):
        nearest = min(nearest, np.float64(columns_nearest[u]))
        farthest = max(farthest, np.float64(columns_farthest[u]))
    if farthest == 0.0:
        return False
    T = T_map_camera
    x0 = y0 = np.inf
    x1 = y1 = -np.inf
    for corner in range(8):
        z = nearest if corner & 1 else farthest
        x = ((left if corner & 2 else right - 1) - lens[2]) / lens[0] * z
        y = ((top if corner & 4 else bottom - 1) - lens[3]) / lens[1] * z
        column = (T[0, 0] * x + T[0, 1] * y + T[0, 2] * z + T[0, 3] - place[0]) / place[2]
        row = (T[1, 0] * x + T[1, 1] * y + T[1, 2] * z + T[1, 3] - place[1]) / place[2]
        x0, y0, x1, y1 = min(x0, column), min(y0, row), max(x1, column), max(y1, row)
    rows, cols = below.shape[0] - 1, below.shape[1] - 1
    if x1 < -1.0 or y1 < -1.0 or x0 > cols or y0 > rows:
        return False
    j0, i0 = np.int64(max(x0 - 1.0, 0.0)), np.int64(max(y0 - 1.0, 0.0))
    j1, i1 = np.int64(min(x1 + 2.0, cols)), np.int64(min(y1 + 2.0, rows))
    return below[i1, j1] - below[i0, j1] - below[i1, j0] + below[i0, j0] > 0


@njit(cache=True, nogil=True)
def _reach(
    depth: NDArray[np.float32], lens: Float64, T_map_camera: Float64, place: Float64, rows: int, cols: int
) -> tuple[int, int, int, int]:
    """The first and last row and column of cells that pixels fall on; the first is beyond the last if none does."""
    R, per_u, per_v = T_map_camera, 1.0 / (lens[0] * place[2]), 1.0 / (lens[1] * place[2])
    x_by_u, y_by_u = np.float32(R[0, 0] * per_u), np.float32(R[1, 0] * per_u)
    x_start, y_start = np.float32((R[0, 3] - place[0]) / place[2]), np.float32((R[1, 3] - place[1]) / place[2])
    start, right, bottom = np.float32(-0.5), np.float32(cols - 0.5), np.float32(rows - 0.5)
    infinite = np.float32(np.inf)
    width = depth.shape[1]
    left_of, right_of = np.full(width, infinite), np.full(width, -infinite)
    top_of, bottom_of = np.full(width, infinite), np.full(width, -infinite)
    for v in range(depth.shape[0]):
        x_here = np.float32(R[0, 1] * (v - lens[3]) * per_v + R[0, 2] / place[2] - R[0, 0] * lens[2] * per_u)
        y_here = np.float32(R[1, 1] * (v - lens[3]) * per_v + R[1, 2] / place[2] - R[1, 0] * lens[2] * per_u)
        for u in range(width):  # column by column and without branches, so that it becomes vector instructions
            z = depth[v, u]
            x = (x_here + x_by_u * np.float32(u)) * z + x_start
            y = (y_here + y_by_u * np.float32(u)) * z + y_start
            on = (z > 0) & (start <= x) & (x <= right) & (start <= y) & (y <= bottom)
            left_of[u] = x if on & (x < left_of[u]) else left_of[u]
            right_of[u] = x if on & (x > right_of[u]) else right_of[u]
            top_of[u] = y if on & (y < top_of[u]) else top_of[u]
            bottom_of[u] = y if on & (y > bottom_of[u]) else bottom_of[u]
    x0, x1, y0, y1 = left_of.min(), right_of.max(), top_of.min(), bottom_of.max()
    if not x0 <= x1:
        return 0, -1, 0, -1
    return int(np.rint(y0)), int(np.rint(y1)), int(np.rint(x0)), int(np.rint(x1))


@njit(cache=True, nogil=True)
def _add_tile(
    depth: NDArray[np.float32],
    sigma: NDArray[np.float32],
    image: NDArray[np.float32],
    lens: Float64,
    T_map_camera: Float64,
    place: Float64,
    wanted: NDArray[np.bool_],
    top: int,
    bottom: int,
    left: int,
    right: int,
    sums: Float64,
    counts: Float64,
) -> None:
    rows, cols = wanted.shape
    channels = image.shape[2]
    T, per_u, per_v, per_cell = T_map_camera, 1.0 / lens[0], 1.0 / lens[1], 1.0 / place[2]
    # Column, row and height are linear in u and v, times z; as numbers, or each pixel would look them up anew.
    x_u, y_u, z_u = T[0, 0] * per_u * per_cell, T[1, 0] * per_u * per_cell, T[2, 0] * per_u
    x_0, y_0, z_0 = (T[0, 3] - place[0]) * per_cell, (T[1, 3] - place[1]) * per_cell, T[2, 3]
    for v in range(top, bottom):
        down = (v - lens[3]) * per_v
        x_v = (T[0, 1] * down + T[0, 2]) * per_cell - x_u * lens[2]
        y_v = (T[1, 1] * down + T[1, 2]) * per_cell - y_u * lens[2]
        z_v = T[2, 1] * down + T[2, 2] - z_u * lens[2]
        for u in range(left, right):
            z = np.float64(depth[v, u])
            if not (z > 0 and z < np.inf):
                continue
            j = np.int64(np.rint((x_u * u + x_v) * z + x_0))
            i = np.int64(np.rint((y_u * u + y_v) * z + y_0))
            if i < 0 or i >= rows or j < 0 or j >= cols or not wanted[i, j]:
                continue
            weight = 1.0 / np.float64(sigma[v, u]) ** 2 if sigma.size else 1.0
            sums[i, j, 0] += weight * ((z_u * u + z_v) * z + z_0)
            counts[i, j, 0] += weight
            colored = channels > 0
            for c in range(channels):
                colored = colored and np.isfinite(image[v, u, c])
            if colored:
                counts[i, j, 1] += 1
                for c in range(channels):
                    sums[i, j, 1 + c] += image[v, u, c]


@njit(cache=True, nogil=True, error_model="numpy")
def _divide(sums: Float64, counts: Float64) -> None:
    """Turn sums (rows, cols, 1 + C) into means, NaN where nothing was counted."""
    rows, cols, values = sums.shape
    for i in range(rows):
        for j in range(cols):
            sums[i, j, 0] /= counts[i, j, 0]
            for k in range(1, values):
                sums[i, j, k] /= counts[i, j, 1]


def fill_from_nearest(values: Float64, known: NDArray[np.bool_]) -> Float64:
    """`values` (rows, cols, …) with every vertex that is not `known` set to the nearest one that is."""
    if known.all() or not known.any():
        return values
    # By steps to up to 24 neighbours, which are off by a few hundredths of a distance at most.
    _, labels = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    there = np.flatnonzero(known)
    nearest = np.empty(len(there) + 1, np.intp)
    nearest[labels.ravel()[there]] = there
    return values.reshape(known.size, -1)[nearest[labels]].reshape(values.shape)
