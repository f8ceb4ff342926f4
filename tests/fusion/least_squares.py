"""All frames of a flight as one sparse least-squares problem in the heights: what fusion is compared with."""

import numpy as np
from flights import Flight
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array, eye_array, kron, vstack

from glrender.assembly.usable import usable_pixels
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.render.derivatives import DerivativeRenderer


def depth_equations(
    context: Context, flight: Flight, surface: HeightMap, *, max_depth_slope: float | None = 20.0
) -> tuple[csr_array, NDArray[np.float64]]:
    """JᵀWJ (n, n) and JᵀWr (n,) of all depths, linearised at the heights of `surface`, least squares.

    `max_depth_slope` None takes every pixel that sees the map, occlusion edges and grazing views too.
    """
    n = surface.heights.size
    matrix, vector = csr_array((n, n)), np.zeros(n)
    renderer = DerivativeRenderer(context, flight.camera)
    bare = HeightMap(surface.heights, surface.spacing, surface.origin, None, surface.T_world_map)
    for pose, depth in zip(flight.poses, flight.depths, strict=True):
        buffers = renderer.render(bare, pose, pose=False)
        used = buffers.visible if max_depth_slope is None else usable_pixels(buffers, max_depth_slope)
        used = used & (depth > 0)
        J = buffers.jacobian("depth", "height")[np.flatnonzero(used)]
        weight = diags_array(flight.noise.sigma(depth)[used].astype(np.float64) ** -2)
        matrix = matrix + J.T @ weight @ J
        vector += J.T @ (weight @ (depth[used].astype(np.float64) - buffers.depth[used]))
    renderer.release()
    return csr_array(matrix), vector


def smoothness(shape: tuple[int, int], sigma: float) -> csr_array:
    """The information (n, n) of independent differences between neighbours of a row or column."""

    def differences(count: int) -> csr_array:
        return csr_array(eye_array(count - 1, count, k=1) - eye_array(count - 1, count))

    rows, cols = shape
    D = vstack([kron(eye_array(rows), differences(cols)), kron(differences(rows), eye_array(cols))])
    return csr_array(D.T @ D / sigma**2)
