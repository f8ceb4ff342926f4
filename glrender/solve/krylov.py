"""The loops of conjugate gradients over lines (see `coarsening`), in double precision around a single precision cycle.

Each returns what the rows first … last - 1 contribute to a sum. Lines of the frame are zero and stay so.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.solve.relaxation import residual_row

Array = NDArray[np.float64]
Float32 = NDArray[np.float32]

_TINY = np.finfo(np.float64).tiny


@njit(cache=True, nogil=True, fastmath={"contract"})
def residual(matrix: Array, b: Array, x: Array, r: Array, first: int, last: int) -> None:
    """r = b - Λx."""
    for i in range(first + 1, last + 1):
        residual_row(matrix, b, i, x, i - 1, i, i + 1, r, i)


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def multiply(matrix: Array, zero: Array, p: Array, q: Array, first: int, last: int) -> float:
    """q = -Λp; returns p·q. `zero` is a vector of zeros."""
    total = 0.0
    for i in range(first + 1, last + 1):
        residual_row(matrix, zero, i, p, i - 1, i, i + 1, q, i)
        total += _dot(p[i], q[i])
    return total


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def hand_over(matrix: Array, r: Array, single: Float32, first: int, last: int) -> float:
    """Fill `single` with r in single precision; returns Σ r² / Λ_ii."""
    total = 0.0
    for i in range(first + 1, last + 1):
        for k in range(r.shape[1]):
            diagonal = matrix[i, 0, min(k, 1)]
            part = 0.0
            for j in range(r.shape[2]):
                part += r[i, k, j] * r[i, k, j] / max(diagonal[j], _TINY)
                single[i, k, j] = r[i, k, j]
            total += part
    return total


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def advance(
    step: float, matrix: Array, p: Array, q: Array, x: Array, r: Array, single: Float32, first: int, last: int
) -> float:
    """x += step p, r += step q, and what `hand_over` does."""
    for i in range(first + 1, last + 1):
        for k in range(x.shape[1]):
            for j in range(x.shape[2]):
                x[i, k, j] += step * p[i, k, j]
                r[i, k, j] += step * q[i, k, j]
    return hand_over(matrix, r, single, first, last)


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def project(z: Float32, r: Array, q: Array, first: int, last: int) -> tuple[float, float]:
    """z·r and z·q."""
    along, across = 0.0, 0.0
    for i in range(first + 1, last + 1):
        along += _dot(r[i], z[i])
        across += _dot(q[i], z[i])
    return along, across


@njit(cache=True, nogil=True, fastmath={"contract"})
def turn(z: Float32, ratio: float, p: Array, first: int, last: int) -> None:
    """p = z + ratio p."""
    for i in range(first + 1, last + 1):
        for k in range(p.shape[1]):
            for j in range(p.shape[2]):
                p[i, k, j] = z[i, k, j] + ratio * p[i, k, j]


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def _dot(a: Array, b: Array | Float32) -> float:
    total = 0.0
    for k in range(a.shape[0]):
        for j in range(a.shape[1]):
            total += a[k, j] * b[k, j]
    return total
