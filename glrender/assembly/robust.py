"""Residuals and robust weights pixel by pixel, compiled: one sweep over a frame instead of a dozen.

The formulas are those of `glrender.solve.losses`, which a test holds them to.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.parallel import even_parts, run_parts
from glrender.solve.losses import Cauchy, Huber, Loss, Squared, Tukey, check_loss

Float32 = NDArray[np.float32]

KINDS = {Squared: 0, Huber: 1, Cauchy: 2, Tukey: 3}


def loss_parameters(loss: Loss) -> tuple[int, float]:
    """The number of a loss in the compiled code, and its k. Raises UsageError for a loss that it does not know."""
    return KINDS[type(check_loss("loss", loss))], float(getattr(loss, "k", 0.0))


@njit(cache=True, inline="always")
def rho_and_weight(kind: int, k: float, square: float) -> tuple[float, float]:
    """rho(r) and rho'(r) / r of a normalised residual, from its square."""
    if kind == 1:
        if square <= k * k:
            return 0.5 * square, 1.0
        r = np.sqrt(square)
        return k * (r - 0.5 * k), k / r
    if kind == 2:
        u = square / (k * k)
        return 0.5 * k * k * np.log1p(u), 1 / (1 + u)
    if kind == 3:
        u = min(square / (k * k), 1.0)
        return k * k / 6 * u * (3 - u * (3 - u)), (1 - u) * (1 - u)
    return 0.5 * square, 1.0


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
    sums = np.zeros((len(measured), 3))
    run_parts(_depth_rows, even_parts(len(measured)), rendered, measured, sigma, mask, kind, k, residual, weight, sums)
    cost, used, bad = sums.sum(axis=0)
    return float(cost), int(used), int(bad)


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
    sums = np.zeros((len(measured), 2))
    channels = tuple(range(measured.shape[2]))
    run_parts(
        _color_rows,
        even_parts(len(measured)),
        *(rendered, measured, sigma, mask, kind, k, residual, weight, sums, channels),
    )
    cost, used = sums.sum(axis=0)
    return float(cost), int(used)


@njit(cache=True, nogil=True)
def _depth_rows(
    rendered: Float32,
    measured: Float32,
    sigma: Float32,
    mask: NDArray[np.bool_],
    kind: int,
    k: float,
    residual: Float32,
    weight: Float32,
    sums: NDArray[np.float64],
    first: int,
    last: int,
) -> None:
    """Rows first … last - 1 of the image; their cost, used and bad pixels go to `sums`."""
    for v in range(first, last):
        cost, used, bad = 0.0, 0, 0
        for u in range(measured.shape[1]):
            z, predicted, s = np.float64(measured[v, u]), np.float64(rendered[v, u, 3]), np.float64(sigma[v, u])
            residual[v, u] = 0
            weight[v, u] = 0
            if not (z > 0 and z < np.inf and predicted > 0 and mask[v, u]):
                continue
            if not s > 0:
                bad += 1
                continue
            e = z - predicted
            information = 1.0 / (s * s)
            rho, w = rho_and_weight(kind, k, e * e * information)
            residual[v, u] = e
            weight[v, u] = w * information
            cost += rho
            used += 1
        sums[v, 0], sums[v, 1], sums[v, 2] = cost, used, bad


@njit(cache=True, nogil=True)
def _color_rows(
    rendered: Float32,
    measured: Float32,
    sigma: float,
    mask: NDArray[np.bool_],
    kind: int,
    k: float,
    residual: Float32,
    weight: Float32,
    sums: NDArray[np.float64],
    channels: tuple[int, ...],
    first: int,
    last: int,
) -> None:
    """The same for colours; `channels` is a tuple so that its length is compiled in."""
    information = 1.0 / (sigma * sigma)
    for v in range(first, last):
        cost, used = 0.0, 0
        for u in range(measured.shape[1]):
            square = 0.0
            for c in range(len(channels)):
                e = np.float64(measured[v, u, c]) - np.float64(rendered[v, u, c])
                residual[v, u, c] = e
                square += e * e
            if rendered[v, u, 3] > 0 and mask[v, u] and square < np.inf:
                rho, w = rho_and_weight(kind, k, square * information)
                weight[v, u] = w * information
                cost += rho
                used += 1
            else:
                weight[v, u] = 0
                for c in range(len(channels)):
                    residual[v, u, c] = 0
        sums[v, 0], sums[v, 1] = cost, used
