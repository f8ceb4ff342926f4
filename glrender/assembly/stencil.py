"""The normal equations as a block stencil, made by a compiled loop on the host from the compact buffers.

Each pixel adds b_k b_l times one scalar a block to the six pairs of its triangle's vertices. Neighbouring
pixels mostly see the same triangle, so sums are kept in registers until the triangle changes. The image is
cut into a fixed number of bands with sums of their own, added in order: the result does not depend on how
many threads there are.
"""

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from glrender.assembly.residuals import Residuals
from glrender.errors import UsageError
from glrender.render.buffers import CompactBuffers, DerivativeBuffers
from glrender.solve.stencil import BlockStencil
from glrender.solve.systems import NormalEquations

BANDS = 4
"""Bands of image rows; more would keep more cores busy, but each has its own sums, as large as the stencil."""


def normal_equations(
    buffers: DerivativeBuffers, residuals: Residuals, *, heights_from_color: bool = True
) -> NormalEquations:
    """JᵀWJ dx = JᵀWr in the heights and colours of the rendered map, from one frame.

    `heights_from_color=False` lets colours be estimated beside the heights without telling them anything.
    Raises UsageError for buffers of the full layout.
    """
    if not isinstance(buffers, CompactBuffers):
        raise UsageError("normal_equations: received buffers of the full layout; render with layout='compact'")
    channels = buffers.channels
    rows, cols = buffers.surface.shape
    entries = 2 + channels if channels else 1
    matrix = np.zeros((BANDS, rows, cols, 4, entries))
    vector = np.zeros((BANDS, rows, cols, 1 + channels))
    factor = buffers.image_factor
    if residuals.color.shape[2] != channels or not heights_from_color:
        factor = np.zeros((1, 1, channels), np.float32)
    color = residuals.color if residuals.color.shape[2] == channels else factor
    touched = np.empty((BANDS, 2), np.int64)
    _accumulate(
        buffers.attachments["geometry"],
        buffers.geometry,
        factor,
        residuals.depth,
        residuals.depth_weight,
        color,
        residuals.color_weight,
        matrix,
        vector,
        touched,
    )
    for band in range(1, BANDS):
        low, high = touched[band]
        if low <= high:
            matrix[0, low : high + 1] += matrix[band, low : high + 1]
            vector[0, low : high + 1] += vector[band, low : high + 1]
    return NormalEquations(BlockStencil(matrix[0]), vector[0], residuals.cost, residuals.count)


@njit(cache=True, parallel=True, fastmath={"contract"})
def _accumulate(
    raw: NDArray[np.uint32],
    geometry: NDArray[np.float32],
    factor: NDArray[np.float32],
    depth: NDArray[np.float32],
    depth_weight: NDArray[np.float32],
    color: NDArray[np.float32],
    color_weight: NDArray[np.float32],
    matrix: NDArray[np.float64],
    vector: NDArray[np.float64],
    touched: NDArray[np.int64],
) -> None:
    height, width = depth.shape
    bands, rows, cols, _, entries = matrix.shape
    channels = vector.shape[3] - 1
    with_color = channels > 0 and color.shape[0] == height
    with_slope = channels > 0 and factor.shape[0] == height
    for band in prange(bands):
        pair_sums = np.zeros((6, entries))
        vertex_sums = np.zeros((3, 1 + channels))
        scalar = np.zeros(entries)
        pull = np.zeros(1 + channels)
        current = np.int64(-1)
        low, high = rows, -1
        for v in range(band * height // bands, (band + 1) * height // bands):
            for u in range(width):
                wd = np.float64(depth_weight[v, u])
                wc = np.float64(color_weight[v, u])
                if wd == 0.0 and wc == 0.0:
                    continue
                triangle = np.int64(raw[v, u, 3]) - 1
                if triangle != current:
                    if current >= 0:
                        i = _flush(matrix[band], vector[band], pair_sums, vertex_sums, current, cols)
                        low, high = min(low, i), max(high, i + 1)
                    current = triangle
                b1 = np.float64(geometry[v, u, 0])
                b2 = np.float64(geometry[v, u, 1])
                m_u = np.float64(geometry[v, u, 2])
                scalar[0] = wd * m_u * m_u
                pull[0] = wd * m_u * depth[v, u]
                if with_color:
                    scalar[1] = wc
                    for k in range(channels):
                        pull[1 + k] = wc * color[v, u, k]
                        if with_slope:
                            slope = np.float64(factor[v, u, k])
                            scalar[2 + k] = wc * slope
                            scalar[0] += wc * slope * slope
                            pull[0] += slope * pull[1 + k]
                b0 = 1.0 - b1 - b2
                for e in range(entries):
                    s = scalar[e]
                    pair_sums[0, e] += b0 * b0 * s
                    pair_sums[1, e] += b1 * b1 * s
                    pair_sums[2, e] += b2 * b2 * s
                    pair_sums[3, e] += b0 * b1 * s
                    pair_sums[4, e] += b1 * b2 * s
                    pair_sums[5, e] += b2 * b0 * s
                for e in range(1 + channels):
                    vertex_sums[0, e] += b0 * pull[e]
                    vertex_sums[1, e] += b1 * pull[e]
                    vertex_sums[2, e] += b2 * pull[e]
        if current >= 0:
            i = _flush(matrix[band], vector[band], pair_sums, vertex_sums, current, cols)
            low, high = min(low, i), max(high, i + 1)
        touched[band, 0] = low
        touched[band, 1] = high


@njit(cache=True)
def _flush(
    matrix: NDArray[np.float64],
    vector: NDArray[np.float64],
    pair_sums: NDArray[np.float64],
    vertex_sums: NDArray[np.float64],
    triangle: int,
    cols: int,
) -> int:
    """Add a triangle's sums to its vertices, clear them, and return the row of quads that it lies in."""
    quad = triangle >> 1
    i = quad // (cols - 1)
    j = quad - i * (cols - 1)
    entries, unknowns = pair_sums.shape[1], vertex_sums.shape[1]
    if triangle & 1:  # (b, d, c): right of a, diagonal from a, above a
        for e in range(entries):
            matrix[i, j + 1, 0, e] += pair_sums[0, e]
            matrix[i + 1, j + 1, 0, e] += pair_sums[1, e]
            matrix[i + 1, j, 0, e] += pair_sums[2, e]
            matrix[i, j + 1, 2, e] += pair_sums[3, e]
            matrix[i + 1, j, 1, e] += pair_sums[4, e]
            matrix[i, j + 1, 3, e] += pair_sums[5, e]
        for e in range(unknowns):
            vector[i, j + 1, e] += vertex_sums[0, e]
            vector[i + 1, j + 1, e] += vertex_sums[1, e]
            vector[i + 1, j, e] += vertex_sums[2, e]
    else:  # (a, b, c)
        for e in range(entries):
            matrix[i, j, 0, e] += pair_sums[0, e]
            matrix[i, j + 1, 0, e] += pair_sums[1, e]
            matrix[i + 1, j, 0, e] += pair_sums[2, e]
            matrix[i, j, 1, e] += pair_sums[3, e]
            matrix[i, j + 1, 3, e] += pair_sums[4, e]
            matrix[i, j, 2, e] += pair_sums[5, e]
        for e in range(unknowns):
            vector[i, j, e] += vertex_sums[0, e]
            vector[i, j + 1, e] += vertex_sums[1, e]
            vector[i + 1, j, e] += vertex_sums[2, e]
    pair_sums[:] = 0.0
    vertex_sums[:] = 0.0
    return i
