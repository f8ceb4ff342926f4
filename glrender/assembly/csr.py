"""The normal equations by sparse products: the readable reference for the stencil."""

import numpy as np
from scipy.sparse import csr_array, hstack, vstack

from glrender.assembly.residuals import Residuals
from glrender.render.buffers import DerivativeBuffers
from glrender.solve.systems import SparseSystem


def sparse_normal_equations(buffers: DerivativeBuffers, residuals: Residuals) -> SparseSystem:
    """JᵀWJ dx = JᵀWr in the unknowns (height, colour_0 … colour_C-1) of each vertex, row by row.

    The same system as `glrender.assembly.stencil.normal_equations`, over `x.ravel()`.
    """
    channels = buffers.channels
    vertices = buffers.surface.heights.size
    blocks = [_with_colors(buffers.jacobian("depth", "height"), None, vertices, channels)]
    weights, values = [residuals.depth_weight.ravel()], [residuals.depth.ravel()]
    if residuals.color.shape[2]:
        blocks.append(
            _with_colors(buffers.jacobian("image", "height"), buffers.jacobian("image", "color"), vertices, channels)
        )
        weights.append(np.repeat(residuals.color_weight.ravel(), channels))
        values.append(residuals.color.ravel())
    weight = np.concatenate(weights).astype(np.float64)
    return SparseSystem.from_jacobian(vstack(blocks), np.concatenate(values).astype(np.float64), weight)


def _with_colors(by_height: csr_array, by_color: csr_array | None, vertices: int, channels: int) -> csr_array:
    """Columns in the order of x.ravel(): each vertex's height, then its colours."""
    width = 1 + channels
    if by_color is None:
        by_color = csr_array((by_height.shape[0], vertices * channels))
    unknowns = np.arange(vertices * width).reshape(vertices, width)
    order = np.concatenate([unknowns[:, 0], unknowns[:, 1:].ravel()])
    place = csr_array((np.ones(order.size), (np.arange(order.size), order)), shape=(order.size, order.size))
    return csr_array(hstack([by_height, by_color]) @ place)
