"""The normal equations as a block stencil, made by a compiled loop on the host from the compact buffers.

Each pixel adds b_k b_l times one scalar a block to the six pairs of its triangle's vertices. Neighbouring
pixels of a row mostly see the same triangle, so a run of them is summed up before it is added to the vertices.
Each core looks at every pixel, but adds to the rows of vertices that are its own: a sum is made in the order of
the image, whatever the number of cores, and nothing larger than the result is needed.
"""

from itertools import pairwise

import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.assembly.lanes import add_scaled
from glrender.assembly.residuals import Residuals
from glrender.errors import UsageError
from glrender.parallel import cores_free, run_parts
from glrender.recycle import Recycler
from glrender.render.buffers import CompactBuffers, DerivativeBuffers
from glrender.solve.stencil import BlockStencil
from glrender.solve.systems import NormalEquations

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

_recycler = Recycler()


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
    matrix = _recycler.zeros((rows, cols, 4, 2 + channels if channels else 1), np.float64)
    vector = np.zeros((rows, cols, 1 + channels))
    triangles = buffers.triangle_numbers
    with_color = channels > 0 and residuals.color.shape[2] == channels
    run_parts(
        _accumulate,
        shares(triangles, rows, cols),
        triangles,
        buffers.geometry,
        buffers.image_factor,
        residuals.depth,
        residuals.depth_weight,
        residuals.color,
        residuals.color_weight,
        with_color,
        with_color and heights_from_color,
        matrix,
        vector,
        tuple(range(channels)),
    )
    return NormalEquations(BlockStencil(matrix), vector, residuals.cost, residuals.count)


def shares(triangles: NDArray[np.uint32], rows: int, cols: int) -> list[tuple[int, int]]:
    """(first, last) rows of vertices for each free core, such that all see about as many pixels; some may be empty."""
    parts = cores_free()
    if parts == 1:
        return [(0, rows)]
    sample = triangles[8::16, ::4]
    quad_rows = (sample[sample > 0] - 1) // (2 * (cols - 1))
    below = np.cumsum(np.bincount(quad_rows, minlength=rows))
    cuts = np.searchsorted(below, below[-1] * np.arange(1, parts) / parts)
    edges = [0, *(int(cut) for cut in cuts), rows]
    return list(pairwise(edges))


@njit(cache=True, nogil=True, fastmath={"contract"})
def _accumulate(
    triangles: NDArray[np.uint32],
    geometry: Float32,
    factor: Float32,
    depth: Float32,
    depth_weight: Float32,
    color: Float32,
    color_weight: Float32,
    with_color: bool,
    with_slope: bool,
    matrix: Float64,
    vector: Float64,
    channels: tuple[int, ...],
    first: int,
    last: int,
) -> None:
    """Add all pixels to the rows first … last - 1 of vertices; `channels` is a tuple so that its length is compiled in.

    The sums of a run: for each pair of vertices 00 11 22 01 12 20 a row (cc, hc_0, hc_1, hc_2), for each vertex a row
    of the vector, and two rows with the hh of the pairs, three each.
    """
    height, width = depth.shape
    cols = matrix.shape[1]
    # A row of vertices is touched by the quads above and below it.
    lowest = 2 * max(first - 1, 0) * (cols - 1) + 1
    beyond = 2 * last * (cols - 1) + 1
    sums = np.zeros((11, 4))
    for v in range(height):
        u = 0
        while u < width:
            triangle = np.int64(triangles[v, u])
            end = u + 1
            while end < width and np.int64(triangles[v, end]) == triangle:
                end += 1
            if triangle < lowest or triangle >= beyond:
                u = end
                continue
            sums[:] = 0.0
            while u < end:
                wd, wc = np.float64(depth_weight[v, u]), np.float64(color_weight[v, u])
                if wd == 0.0 and wc == 0.0:
                    u += 1
                    continue
                m_u = np.float64(geometry[v, u, 2])
                hh = wd * m_u * m_u
                pull = wd * m_u * np.float64(depth[v, u])
                slope0 = slope1 = slope2 = pull0 = pull1 = pull2 = 0.0
                if with_color:
                    if len(channels) > 0:
                        pull0 = wc * np.float64(color[v, u, 0])
                    if len(channels) > 1:
                        pull1 = wc * np.float64(color[v, u, 1])
                        pull2 = wc * np.float64(color[v, u, 2])
                if with_slope:
                    if len(channels) > 0:
                        slope0 = np.float64(factor[v, u, 0])
                    if len(channels) > 1:
                        slope1 = np.float64(factor[v, u, 1])
                        slope2 = np.float64(factor[v, u, 2])
                hc0, hc1, hc2 = wc * slope0, wc * slope1, wc * slope2
                hh += hc0 * slope0 + hc1 * slope1 + hc2 * slope2
                pull += pull0 * slope0 + pull1 * slope1 + pull2 * slope2
                b1, b2 = np.float64(geometry[v, u, 0]), np.float64(geometry[v, u, 1])
                b0 = 1.0 - b1 - b2
                b00, b11, b22, b01, b12, b20 = b0 * b0, b1 * b1, b2 * b2, b0 * b1, b1 * b2, b2 * b0
                if len(channels) > 0:
                    add_scaled(sums, 0, b00, wc, hc0, hc1, hc2)
                    add_scaled(sums, 1, b11, wc, hc0, hc1, hc2)
                    add_scaled(sums, 2, b22, wc, hc0, hc1, hc2)
                    add_scaled(sums, 3, b01, wc, hc0, hc1, hc2)
                    add_scaled(sums, 4, b12, wc, hc0, hc1, hc2)
                    add_scaled(sums, 5, b20, wc, hc0, hc1, hc2)
                add_scaled(sums, 6, b0, pull, pull0, pull1, pull2)
                add_scaled(sums, 7, b1, pull, pull0, pull1, pull2)
                add_scaled(sums, 8, b2, pull, pull0, pull1, pull2)
                add_scaled(sums, 9, hh, b00, b11, b22, 0.0)
                add_scaled(sums, 10, hh, b01, b12, b20, 0.0)
                u += 1
            _add_run(matrix, vector, sums, triangle - 1, channels, first, last)


@njit(cache=True, nogil=True)
def _add_run(
    matrix: Float64,
    vector: Float64,
    sums: Float64,
    triangle: np.int64,
    channels: tuple[int, ...],
    first: int,
    last: int,
) -> None:
    """Add a run's sums to those of its triangle's vertices that lie in rows first … last - 1."""
    quad = triangle >> 1
    row, column = quad // (matrix.shape[1] - 1), quad % (matrix.shape[1] - 1)
    upper, lower = row >= first, row + 1 < last
    # Without a sign, or each place would be checked for being counted from the end.
    i, j, below, right = np.uintp(row), np.uintp(column), np.uintp(row + 1), np.uintp(column + 1)
    if triangle & 1:  # (b, d, c): right of a, diagonal from a, below a
        if upper:
            _add_pair(matrix, i, right, 0, sums, 0, channels)
            _add_pair(matrix, i, right, 2, sums, 3, channels)
            _add_pair(matrix, i, right, 3, sums, 5, channels)
            _add_vertex(vector, i, right, sums, 6, channels)
        if lower:
            _add_pair(matrix, below, right, 0, sums, 1, channels)
            _add_pair(matrix, below, j, 0, sums, 2, channels)
            _add_pair(matrix, below, j, 1, sums, 4, channels)
            _add_vertex(vector, below, right, sums, 7, channels)
            _add_vertex(vector, below, j, sums, 8, channels)
    else:  # (a, b, c)
        if upper:
            _add_pair(matrix, i, j, 0, sums, 0, channels)
            _add_pair(matrix, i, right, 0, sums, 1, channels)
            _add_pair(matrix, i, j, 1, sums, 3, channels)
            _add_pair(matrix, i, right, 3, sums, 4, channels)
            _add_pair(matrix, i, j, 2, sums, 5, channels)
            _add_vertex(vector, i, j, sums, 6, channels)
            _add_vertex(vector, i, right, sums, 7, channels)
        if lower:
            _add_pair(matrix, below, j, 0, sums, 2, channels)
            _add_vertex(vector, below, j, sums, 8, channels)


@njit(cache=True, nogil=True, inline="always")
def _add_pair(
    matrix: Float64, i: np.uintp, j: np.uintp, offset: int, sums: Float64, pair: int, channels: tuple[int, ...]
) -> None:
    matrix[i, j, offset, 0] += sums[9 + pair // 3, pair % 3]
    if len(channels) > 0:
        for e in range(1 + len(channels)):
            matrix[i, j, offset, 1 + e] += sums[pair, e]


@njit(cache=True, nogil=True, inline="always")
def _add_vertex(vector: Float64, i: np.uintp, j: np.uintp, sums: Float64, row: int, channels: tuple[int, ...]) -> None:
    for e in range(1 + len(channels)):
        vector[i, j, e] += sums[row, e]
