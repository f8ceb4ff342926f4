"""The pose of one photograph relative to another, put right by what both see of the map.

A pose that is off by a hundredth of a degree displaces an image by a tenth of a pixel, and what is found in it by a
millimetre at a distance of one metre. So the relative pose counts as unknown: before photographs tell heights, each is
moved to where it agrees with the reference best, the map taken as it is. That leaves what is uneven about the ground to
be told by photographs, and its general lie to what the map knows from elsewhere.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.assembly.statistics import SIGMA_PER_MEDIAN
from glrender.fusion.parallax import TAIL, Views, between
from glrender.geometry import se3
from glrender.parallel import even_parts, run_parts

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

_SHIFT, _TURN = 0.02, np.radians(1.0)
"""How far poses may be off: standard deviations, of the distance to the ground, and of the orientation."""

_MOST_PASSES, _SETTLED = 6, 0.02  # where no pixel moves by more than so many pixels
_LEAST_SCATTER = 1e-3
_FEWEST, _MOST_PIXELS = 200, 10_000  # that six unknowns can be told from, and that tell no more


def align(views: Views, other: int, image: Float32, scatter: float) -> Float64:
    """(4, 4): the pose `T_camera_reference` of the photograph number `other`, where it agrees with the reference.

    `image` (height, width) is that photograph with the reference's exposure; what `views.depth_sigma` says nothing of
    does not count. Gauss-Newton with Cauchy's weights, for residuals that scatter by `scatter` at first; where there
    is too little in common, the pose stays.
    """
    given, depth = views.T_camera_reference[other], np.where(np.isfinite(views.depth_sigma), views.depth, 0)
    T, moved = given, np.zeros(6)
    distance = float(np.median(depth[depth > 0])) if (depth > 0).any() else 1.0
    precision = np.repeat([1 / (_SHIFT * distance) ** 2, 1 / _TURN**2], 3)
    scale = max(scatter, _LEAST_SCATTER)
    stride = max(1, int(np.sqrt(depth.size / _MOST_PIXELS)))
    rows = len(range(0, len(depth), stride))
    for _ in range(_MOST_PASSES):
        sums = np.zeros((rows, 27))
        residuals = np.full((rows, len(range(0, depth.shape[1], stride))), np.nan, np.float32)
        run_parts(
            _row_sums,
            even_parts(rows),
            depth,
            views.images[views.reference],
            image,
            views.depths[other],
            T,
            views.lens,
            views.nearest,
            TAIL * scale,
            stride,
            sums,
            residuals,
        )
        there = residuals[np.isfinite(residuals)]
        if there.size < _FEWEST:
            return given
        total = sums.sum(axis=0)
        matrix = np.zeros((6, 6))
        matrix[np.triu_indices(6)] = total[:21]
        matrix = (matrix + np.triu(matrix, 1).T) / scale**2
        step = np.linalg.solve(matrix + np.diag(precision), total[21:27] / scale**2 - precision * moved)
        scale = max(SIGMA_PER_MEDIAN * float(np.median(np.abs(there))), _LEAST_SCATTER)
        moved += step
        T = se3.exp(step) @ T
        if views.lens[0] * (np.abs(step[:3]).max() / distance + np.abs(step[3:]).max()) < _SETTLED:
            break
    return T


@njit(cache=True, nogil=True)
def _row_sums(
    depth: Float32,
    reference: Float32,
    image: Float32,
    rendered: Float32,
    T: Float64,
    lens: Float64,
    nearest: float,
    tail: float,
    stride: int,
    sums: Float64,
    residuals: Float32,
    first: int,
    last: int,
) -> None:
    """JᵀWJ (upper triangle) and JᵀWr of each row, for a twist of the other camera; and the residuals."""
    fx, fy, cx, cy = lens
    height, width = depth.shape
    J = np.zeros(6)
    for row in range(first, last):
        v = row * stride
        for column in range(residuals.shape[1]):
            u = column * stride
            D = np.float64(depth[v, u])
            if not (D > 0 and np.isfinite(reference[v, u])):
                continue
            x, y = D * (u - cx) / fx, D * (v - cy) / fy
            X = T[0, 0] * x + T[0, 1] * y + T[0, 2] * D + T[0, 3]
            Y = T[1, 0] * x + T[1, 1] * y + T[1, 2] * D + T[1, 3]
            Z = T[2, 0] * x + T[2, 1] * y + T[2, 2] * D + T[2, 3]
            if not Z > 0:
                continue
            p, q = fx * X / Z + cx, fy * Y / Z + cy
            if not (p >= 1 and q >= 1 and p <= width - 2 and q <= height - 2):
                continue
            if abs(rendered[int(q + 0.5), int(p + 0.5)] - Z) > nearest:
                continue
            e = reference[v, u] - between(image, p, q)
            g_u = 0.5 * (between(image, p + 1, q) - between(image, p - 1, q))
            g_v = 0.5 * (between(image, p, q + 1) - between(image, p, q - 1))
            if not np.isfinite(e + g_u + g_v):
                continue
            residuals[row, column] = e
            w = 1 / (1 + (e / tail) ** 2)
            J[0], J[1] = g_u * fx / Z, g_v * fy / Z
            J[2] = -(J[0] * X + J[1] * Y) / Z
            J[3], J[4], J[5] = Y * J[2] - Z * J[1], Z * J[0] - X * J[2], X * J[1] - Y * J[0]
            n = 0
            for k in range(6):
                for other in range(k, 6):
                    sums[row, n] += w * J[k] * J[other]
                    n += 1
            for k in range(6):
                sums[row, 21 + k] += w * J[k] * e
