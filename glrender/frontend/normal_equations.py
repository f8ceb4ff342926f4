"""Normal equations of a few unknowns from thousands of weighted differences, and what their scatter makes of them."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

Float64 = NDArray[np.float64]

_WEAK = 1e-9  # of an unknown's own information: what is told less than that is not told


@njit(cache=True, nogil=True, fastmath={"contract"})
def normal_equations(by: Float64, weight: Float64, value: Float64) -> tuple[Float64, Float64]:
    """Jᵀ W J (P, P) and -Jᵀ W r (P,) of rows `by` (N, P), weights (N,) and differences `value` (N,)."""
    count = by.shape[1]
    matrix, vector = np.zeros((count, count)), np.zeros(count)
    for n in range(len(by)):
        if weight[n] == 0:
            continue
        for a in range(count):
            weighted = weight[n] * by[n, a]
            vector[a] -= weighted * value[n]
            for b in range(a + 1):
                matrix[a, b] += weighted * by[n, b]
    for a in range(count):
        for b in range(a):
            matrix[b, a] = matrix[a, b]
    return matrix, vector


@njit(cache=True, nogil=True, fastmath={"contract"})
def block_scores(by: Float64, weight: Float64, value: Float64, block: NDArray[np.int64], count: int) -> Float64:
    """(B, P): the sums of weighted rows times differences over each of `count` blocks; `block` (N,) says which."""
    sums = np.zeros((count, by.shape[1]))
    for n in range(len(by)):
        pull = weight[n] * value[n]
        if pull != 0:
            for a in range(by.shape[1]):
                sums[block[n], a] += pull * by[n, a]
    return sums


def solved(matrix: Float64, vector: Float64) -> Float64:
    """The step (P,) of the equations, 0 along what they say nothing of."""
    scale = _scale(matrix)
    return np.linalg.solve(_scaled(matrix, scale), vector / scale) / scale


def inverse(matrix: Float64) -> Float64:
    """(P, P): the covariance of the equations, huge along what they say nothing of."""
    scale = _scale(matrix)
    return np.asarray(np.linalg.inv(_scaled(matrix, scale)) / np.outer(scale, scale), np.float64)


def inflation(information: Float64, scores: Float64) -> float:
    """By how much the covariance is larger than the inverse of `information` (P, P) has it, on average, at least 1.

    Were the differences independent, the scatter of the blocks' `scores` (B, P) would be the information. Those that
    err together, as where the surface is another or a shadow moves, mostly do so inside of a block (the sandwich
    estimate, Liang and Zeger 1986).
    """
    of_blocks = scores[scores.any(axis=1)]
    if len(of_blocks) < 2:
        return 1.0
    of_blocks = of_blocks - of_blocks.mean(axis=0)
    scatter = of_blocks.T @ of_blocks * (len(of_blocks) / (len(of_blocks) - 1))
    return max(float(np.sum(inverse(information) * scatter)) / len(information), 1.0)


def _scale(matrix: Float64) -> Float64:
    """(P,): of unknowns whose information is then 1; that of one which nothing is said of stays 0."""
    diagonal = np.diag(matrix)
    return np.sqrt(np.where(diagonal > 0, diagonal, 1.0))


def _scaled(matrix: Float64, scale: Float64) -> Float64:
    return matrix / np.outer(scale, scale) + _WEAK * np.eye(len(scale))
