"""How a frame differs from a reference that it is aligned with, in intensity and in depth.

A pixel of the reference at X (reference camera) has the intensity I there, and the frame shows i(X') at X' = T X:

    r = I - gain i(X') - bias,          dr/dtwist = -gain (w, X' × w),       w = di/dX'

with the twist of the frame's camera, and of the reference's, whose depth D is that of a surface that stays where it is,

    dr/dtwist = -gain (w, X × w),       w = (q·r) m - q,  q = R'ᵀ di/dX'

as for a rendered image: q is its gradient ∇I, and m = dD/dX the slope of its depth.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.assembly.statistics import SIGMA_PER_MEDIAN
from glrender.frontend.reference import ReferencePoints
from glrender.geometry.camera import Camera
from glrender.solve.losses import Cauchy

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

LEAST_SIGMA = 0.002
"""Intensity: no photograph of 8 bits repeats better."""
LEAST_DEPTH_SIGMA = 1e-4
"""Of the depth: no sensor repeats better."""
TAIL = Cauchy.k
"""Standard deviations at which a weight is one half."""
FEWEST = 40
"""A frame is judged by at least so many points."""


@dataclass(frozen=True)
class Exposure:
    """What makes a frame's intensities those of a reference: gain · intensity + bias."""

    gain: float = 1.0
    bias: float = 0.0


@dataclass(frozen=True, eq=False)
class Residuals:
    """Differences of one kind between a reference's points and a frame."""

    value: Float64
    """(N,) 0 where a point is not seen."""
    weight: Float64
    """(N,) robust weight over sigma²; 0 where a point is not seen."""
    by: Float64
    """(N, P) by the twist of the frame's camera, and for intensities (P = 8) by gain and bias."""
    sigma: float
    """Standard deviation of the differences that are no outliers."""
    cost: float
    """Mean of rho over the seen points, times the number of all points: leaving the image makes nothing better."""


def geometric(
    reference: ReferencePoints,
    depth: Float32,
    camera: Camera,
    T_camera_reference: Float64,
    sigma: float | None = None,
) -> Residuals:
    """Depths (height, width) that a sensor of the frame measured against the planes through the reference's points.

    Only nearest pixels are looked up: between depths nothing is interpolated, and on planes nothing needs to be.
    """
    R, t = T_camera_reference[:3, :3], T_camera_reference[:3, 3]
    X = reference.points @ R.T + t
    z = np.maximum(X[:, 2], 1e-6)
    u = np.rint(camera.fx * X[:, 0] / z + camera.cx)
    v = np.rint(camera.fy * X[:, 1] / z + camera.cy)
    inside = (X[:, 2] > 1e-6) & (u >= 0) & (v >= 0) & (u < camera.width) & (v < camera.height)
    u, v = (np.where(inside, at, 0).astype(np.int64) for at in (u, v))
    rays = camera.rays_through(np.stack([u, v], axis=-1))
    normal = reference.depth_slope @ R.T
    facing = np.einsum("nk,nk->n", normal, rays)
    measured = depth[v, u].astype(np.float64)
    # On 0.05 and less of its length a plane is seen too flatly for its depth to be worth anything.
    seen = inside & (measured > 0) & (facing > 0.05 * np.linalg.norm(normal, axis=1))
    m = np.divide(normal, facing[:, None], out=np.zeros_like(normal), where=seen[:, None])
    predicted = np.einsum("nk,nk->n", m, X)
    # What is farther from it than a tenth of the depth is another surface, and no outlier of this one.
    seen &= np.abs(measured - predicted) < 0.1 * predicted
    value = np.where(seen, measured - predicted, np.nan)
    return _weighed(value, _by_twist(-m, predicted[:, None] * rays), sigma, LEAST_DEPTH_SIGMA)


@njit(cache=True, nogil=True)
def _by_twist(gradient: Float64, points: Float64) -> Float64:
    """(N, 6): the change of a value under a twist (v, omega) that moves the points, w (v + omega x X) = (w, X x w).

    Each column is in one piece: normal equations are summed up column by column.
    """
    columns = np.empty((6, len(points)))
    for n in range(len(points)):
        x, y, z = points[n, 0], points[n, 1], points[n, 2]
        a, b, c = gradient[n, 0], gradient[n, 1], gradient[n, 2]
        columns[0, n], columns[1, n], columns[2, n] = a, b, c
        columns[3, n], columns[4, n], columns[5, n] = y * c - z * b, z * a - x * c, x * b - y * a
    return columns.T


def _weighed(value: Float64, by: Float64, sigma: float | None, least: float) -> Residuals:
    """Residuals of differences that are NaN where a point is not seen, which become 0 there."""
    if sigma is None:
        sizes = np.abs(value[~np.isnan(value)])
        sigma = max(SIGMA_PER_MEDIAN * middle(sizes, len(sizes)), least)
    weight = np.empty(len(value))
    count, rho = weigh(value, sigma, weight)
    return Residuals(value, weight, by, sigma, rho / count * len(value) if count else np.inf)


@njit(cache=True, nogil=True)
def weigh(value: Float64, sigma: float, weight: Float64) -> tuple[int, float]:
    """How many points are seen, and the sum of rho over them; their weights are filled in, as in `Residuals`.

    Differences that are NaN, of what is not seen, become 0.
    """
    count, rho, product = 0, 0.0, 1.0
    per_sigma, per_variance = 1 / (TAIL * sigma), 1 / sigma**2
    for n in range(len(value)):
        seen = not np.isnan(value[n])
        off = value[n] if seen else 0.0
        value[n], weight[n] = off, per_variance / (1 + (off * per_sigma) ** 2) if seen else 0.0
        count += seen
    for n in range(len(value)):
        product *= 1 + (value[n] * per_sigma) ** 2  # one logarithm for many
        if product > 1e200:
            rho += np.log(product)
            product = 1.0
    return count, 0.5 * TAIL**2 * (rho + np.log(product))


@njit(cache=True, nogil=True)
def middle(sizes: Float64, count: int) -> float:
    """The median of the first `count` sizes, the upper of two; 0 of none. They are put into another order."""
    wanted, first, last = count // 2, 0, count - 1
    while first < last:  # Hoare's selection
        pivot, i, j = sizes[(first + last) // 2], first, last
        while i <= j:
            while sizes[i] < pivot:
                i += 1
            while pivot < sizes[j]:
                j -= 1
            if i <= j:
                sizes[i], sizes[j] = sizes[j], sizes[i]
                i, j = i + 1, j - 1
        first, last = i if wanted > j else first, j if wanted < i else last
    return sizes[wanted] if count else 0.0
