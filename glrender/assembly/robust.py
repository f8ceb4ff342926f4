"""Residuals and robust weights pixel by pixel, compiled: one sweep over a frame instead of a dozen.

The formulas are those of `glrender.solve.losses`, which a test holds them to.
"""

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from glrender.errors import UsageError
from glrender.solve.losses import Cauchy, Huber, Loss, Squared, Tukey

Float32 = NDArray[np.float32]

KINDS = {Squared: 0, Huber: 1, Cauchy: 2, Tukey: 3}


def loss_parameters(loss: Loss) -> tuple[int, float]:
    """The number of a loss in the compiled code, and its k. Raises UsageError for a loss that it does not know."""
    kind = KINDS.get(type(loss))
    if kind is None:
        known = ", ".join(each.__name__ for each in KINDS)
        raise UsageError(f"loss: received {type(loss).__name__}, expected one of {known}")
    return kind, float(getattr(loss, "k", 0.0))


@njit(cache=True, inline="always")
def rho_and_weight(kind: int, k: float, r: float) -> tuple[float, float]:
    """rho(r) and rho'(r) / r of a normalised residual r >= 0."""
    if kind == 1:
        inside = min(r, k)
        return inside * (r - 0.5 * inside), k / max(r, k)
    if kind == 2:
        u = (r / k) * (r / k)
        return 0.5 * k * k * np.log1p(u), 1 / (1 + u)
    if kind == 3:
        u = min((r / k) * (r / k), 1.0)
        return k * k / 6 * u * (3 - u * (3 - u)), (1 - u) * (1 - u)
    return 0.5 * r * r, 1.0


@njit(cache=True, parallel=True)
def weigh_depth(
    rendered: Float32,
    measured: Float32,
    sigma: Float32,
    mask: NDArray[np.bool_],
    kind: int,
    k: float,
    residual: Float32,
    weight: Float32,
) -> tuple[float, int, int]:
    """Fill residual and weight (h, w); returns the cost, the pixels used, and those whose sigma is not positive.

    `rendered` is the image attachment (depth in channel 3); `sigma` and `mask` are (h, w).
    """
    height = measured.shape[0]
    cost, used, bad = np.zeros(height), np.zeros(height, np.int64), np.zeros(height, np.int64)
    for v in prange(height):
        cost[v], used[v], bad[v] = _depth_row(
            rendered[v], measured[v], sigma[v], mask[v], kind, k, residual[v], weight[v]
        )
    return cost.sum(), used.sum(), bad.sum()


@njit(cache=True)
def _depth_row(
    rendered: Float32,
    measured: Float32,
    sigma: Float32,
    mask: NDArray[np.bool_],
    kind: int,
    k: float,
    residual: Float32,
    weight: Float32,
) -> tuple[float, int, int]:
    cost, used, bad = 0.0, 0, 0
    for u in range(measured.size):
        z, predicted, s = np.float64(measured[u]), np.float64(rendered[u, 3]), np.float64(sigma[u])
        residual[u] = 0
        weight[u] = 0
        if not (z > 0 and z < np.inf and predicted > 0 and mask[u]):
            continue
        if not s > 0:
            bad += 1
            continue
        rho, w = rho_and_weight(kind, k, abs(z - predicted) / s)
        residual[u] = z - predicted
        weight[u] = w / (s * s)
        cost += rho
        used += 1
    return cost, used, bad


@njit(cache=True, parallel=True)
def weigh_color(
    rendered: Float32,
    measured: Float32,
    sigma: float,
    mask: NDArray[np.bool_],
    kind: int,
    k: float,
    residual: Float32,
    weight: Float32,
) -> tuple[float, int]:
    """Fill residual (h, w, C) and weight (h, w); returns the cost and the pixels used."""
    height = measured.shape[0]
    cost, used = np.zeros(height), np.zeros(height, np.int64)
    for v in prange(height):
        cost[v], used[v] = _color_row(rendered[v], measured[v], sigma, mask[v], kind, k, residual[v], weight[v])
    return cost.sum(), used.sum()


@njit(cache=True)
def _color_row(
    rendered: Float32,
    measured: Float32,
    sigma: float,
    mask: NDArray[np.bool_],
    kind: int,
    k: float,
    residual: Float32,
    weight: Float32,
) -> tuple[float, int]:
    cost, used = 0.0, 0
    channels = measured.shape[1]
    for u in range(measured.shape[0]):
        square = 0.0
        for c in range(channels):
            e = np.float64(measured[u, c]) - np.float64(rendered[u, c])
            residual[u, c] = e
            square += e * e
        weight[u] = 0
        if not (rendered[u, 3] > 0 and mask[u] and square < np.inf):
            residual[u] = 0
            continue
        rho, w = rho_and_weight(kind, k, np.sqrt(square) / sigma)
        weight[u] = w / (sigma * sigma)
        cost += rho
        used += 1
    return cost, used
