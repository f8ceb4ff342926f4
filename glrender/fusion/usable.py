"""Which pixels of a rendered frame may say something about the map."""

import numpy as np
from numpy.typing import NDArray

from glrender.render.buffers import CompactBuffers, DerivativeBuffers


def usable_pixels(buffers: DerivativeBuffers, max_depth_slope: float) -> NDArray[np.bool_]:
    """(height, width): pixels that see the map, but for its occlusion edges and grazing views.

    A view is grazing where the depth changes by more than `max_depth_slope` metres a metre of height. Where the map
    simply ends, beside its outline, nothing is occluded: these pixels are usable. On simulated rough ground of 51 x 51
    vertices the error was 1.21 times the Cramer-Rao bound without them, nearly all of it at the border, and 1.00 with
    them. `buffers` have the compact layout and edges.
    """
    assert isinstance(buffers, CompactBuffers)
    assert buffers.edges is not None
    usable = buffers.visible & ~buffers.edges
    usable[_beside_outline(buffers, buffers.edges)] = True
    return usable & (np.abs(buffers.depth_factor) <= max_depth_slope)


def _beside_outline(buffers: CompactBuffers, edges: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """(v, u) of the edge pixels that see a cell at the map's border and have a neighbour that sees nothing."""
    rows, cols = buffers.surface.shape
    v, u = np.nonzero(edges)
    i, j = np.divmod(buffers.triangle_ids[v, u] // 2, cols - 1)
    outermost = (i == 0) | (i == rows - 2) | (j == 0) | (j == cols - 2)
    v, u = v[outermost], u[outermost]
    seen = np.pad(buffers.visible, 1, constant_values=True)  # pixel (v, u) is at (v + 1, u + 1)
    ends = ~(seen[v, u + 1] & seen[v + 2, u + 1] & seen[v + 1, u] & seen[v + 1, u + 2])
    return v[ends], u[ends]
