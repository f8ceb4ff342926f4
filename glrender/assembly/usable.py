"""Which pixels of a rendered frame may say something about the map."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.parallel import even_parts, run_parts
from glrender.render.buffers import CompactBuffers, DerivativeBuffers

LEAST_DEPTH_SLOPE = 0.3
"""Metres of depth a metre of height: what depends on its height by less is the side of something, seen from beside.

Such a depth says where the side stands, not how high it is, and where a table's edge has nothing below it, or a side
leans back by less than a cell, no height fits. Taken for what they say to first order, these depths threw heights
beside the table of `tests/fusion/test_overhangs.py` about by up to 3 m, and with them what other depths were compared
with.
"""


def usable_pixels(buffers: DerivativeBuffers, max_depth_slope: float) -> NDArray[np.bool_]:
    """(height, width): pixels that see the map, but for its occlusion edges and grazing views.

    A view is grazing where the depth changes by more than `max_depth_slope` metres a metre of height. Where the map
    simply ends, beside its outline, nothing is occluded: these pixels are usable, and nearly all that is known of the
    cells at the border (bench/NOTES.md, "Fusion"). `buffers` have the compact layout and edges.
    """
    assert isinstance(buffers, CompactBuffers)
    assert buffers.edges is not None
    usable = np.empty(buffers.camera.shape, np.bool_)
    triangles = buffers.triangle_numbers
    arguments = (triangles, buffers.depth_factor, buffers.edges, buffers.surface.shape, max_depth_slope, usable)
    run_parts(_usable_rows, even_parts(len(usable)), *arguments)
    return usable


def seen_from_above(buffers: DerivativeBuffers) -> NDArray[np.bool_]:
    """(height, width): pixels whose depth says something about a height, see `LEAST_DEPTH_SLOPE`."""
    assert isinstance(buffers, CompactBuffers)
    return np.asarray(np.abs(buffers.depth_factor) >= LEAST_DEPTH_SLOPE)


@njit(cache=True, nogil=True)
def _usable_rows(
    triangles: NDArray[np.uint32],
    depth_factor: NDArray[np.float32],
    edges: NDArray[np.bool_],
    shape: tuple[int, int],
    max_depth_slope: float,
    usable: NDArray[np.bool_],
    first: int,
    last: int,
) -> None:
    for v in range(first, last):
        for u in range(edges.shape[1]):
            usable[v, u] = (
                triangles[v, u] > 0
                and abs(depth_factor[v, u]) <= max_depth_slope
                and (not edges[v, u] or beside_outline(triangles, shape, v, u))
            )


@njit(cache=True, nogil=True)
def beside_outline(triangles: NDArray[np.uint32], shape: tuple[int, int], v: int, u: int) -> bool:
    """Whether a pixel sees a cell at the map's border and has a neighbour that sees nothing."""
    rows, cols = shape
    quad = (np.int64(triangles[v, u]) - 1) // 2
    i, j = quad // (cols - 1), quad % (cols - 1)
    if not (i == 0 or i == rows - 2 or j == 0 or j == cols - 2):
        return False
    height, width = triangles.shape
    return (
        (v > 0 and triangles[v - 1, u] == 0)
        or (v + 1 < height and triangles[v + 1, u] == 0)
        or (u > 0 and triangles[v, u - 1] == 0)
        or (u + 1 < width and triangles[v, u + 1] == 0)
    )
