"""Normal equations of a few unknowns from thousands of weighted differences, and what their scatter makes of them."""

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Float64 = NDArray[np.float64]

_WEAK = 1e-9  # of an unknown's own information: what is told less than that is not told


class BlockEquations(NamedTuple):
    """Normal equations of each block of an image. Their sum is the equations of all differences; how much they scatter
    tells how far that sum may be off."""

    matrices: Float64
    """(B, P, P) Jᵀ W J."""
    vectors: Float64
    """(B, P) -Jᵀ W r."""

    def scores(self, step: Float64) -> Float64:
        """(B, P) Jᵀ W r of what is left of the differences after a step (P,)."""
        return self.matrices @ step - self.vectors


def block_equations(
    by: Float64, weight: Float64, value: Float64, block: NDArray[np.int64], count: int
) -> BlockEquations:
    """Of rows `by` (N, P), best each column in one piece, weights (N,) and differences `value` (N,).

    `block` (N,) says which of `count` blocks each is of, in ascending order.
    """
    P = by.shape[1]
    found = BlockEquations(np.zeros((count, P, P)), np.zeros((count, P)))
    _sum_blocks(np.ascontiguousarray(by.T), weight, value, block, *found)
    return found


@njit(cache=True, nogil=True)
def _sum_blocks(
    columns: Float64, weight: Float64, value: Float64, block: NDArray[np.int64], matrices: Float64, vectors: Float64
) -> None:
    P, N = columns.shape
    # A block's own rows: indices that begin at 0 are known to need no wrapping round, which vectors could not do.
    rows, weights, scratch = np.empty((P + 1, N)), np.empty(N), np.empty(N)
    first = 0
    while first < N:
        own, count = block[first], 1
        while first + count < N and block[first + count] == own:
            count += 1
        for k in range(count):
            rows[P, k], weights[k] = value[first + k], weight[first + k]
            for a in range(P):
                rows[a, k] = columns[a, first + k]
        add_products(rows, weights, count, scratch, matrices[own], vectors[own])
        first += count


# Sums may be taken in any order, so that they become vector instructions; and always within the caller, or which of
# several compiled copies is linked, each with an order of its own, would depend on what was compiled before.
@njit(cache=True, nogil=True, forceinline=True, fastmath={"contract", "reassoc", "nsz"})
def add_products(
    rows: Float64, weight: Float64, count: int, scratch: Float64, matrix: Float64, vector: Float64
) -> None:
    """In compiled loops: add the equations of `count` differences, whose derivatives are the first rows (P + 1, count)
    and they themselves the last one. `scratch` is as long as the weights."""
    P = len(vector)
    for a in range(P):
        for k in range(count):
            scratch[k] = weight[k] * rows[a, k]
        vector[a] -= _product(scratch, rows, P, count)
        for b in range(a + 1):
            matrix[a, b] += _product(scratch, rows, b, count)
            matrix[b, a] = matrix[a, b]


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"}, inline="always")
def _product(weighted: Float64, rows: Float64, row: int, count: int) -> float:
    total = 0.0
    for k in range(count):
        total += weighted[k] * rows[row, k]
    return total


def solved(matrix: Float64, vector: Float64) -> Float64:
    """The step (P,) of the equations, 0 along what they say nothing of."""
    steps = np.empty((1, len(vector)))
    _solve(matrix, vector[None], steps)
    return steps[0]


def inverse(matrix: Float64) -> Float64:
    """(P, P): the covariance of the equations, huge along what they say nothing of."""
    covariance = np.empty_like(matrix)
    _solve(matrix, np.eye(len(matrix)), covariance)
    return covariance


def inflation(information: Float64, scores: Float64) -> float:
    """The factor, at least 1, by which the covariance is larger than the inverse of `information` (P, P), on average.

    Were the differences independent, the scatter of the blocks' `scores` (B, P) would be the information. Those that
    err together, as where the surface is another or a shadow moves, mostly do so inside of a block (the sandwich
    estimate, Liang and Zeger 1986).
    """
    of_blocks = scores[scores.any(axis=1)]
    count = len(of_blocks)
    if count < 2:
        return 1.0
    of_blocks = of_blocks - of_blocks.sum(axis=0) / count
    scatter = of_blocks.T @ of_blocks * (count / (count - 1))
    return max(float((inverse(information) * scatter).sum()) / len(information), 1.0)


@njit(cache=True, nogil=True)
def _solve(matrix: Float64, vectors: Float64, steps: Float64) -> None:
    """Fill in the `steps` (n, P) of n vectors, by Cholesky's triangle of the equations, each unknown scaled so that its
    information is 1. What nothing is said of is weakly told to stay, so that there is one."""
    P = len(matrix)
    scale, root = np.empty(P), np.empty((P, P))
    for a in range(P):
        scale[a] = math.sqrt(matrix[a, a]) if matrix[a, a] > 0 else 1.0
    for a in range(P):
        for b in range(a + 1):
            left = matrix[a, b] / (scale[a] * scale[b])
            for c in range(b):
                left -= root[a, c] * root[b, c]
            root[a, b] = math.sqrt(max(left, 0.0) + _WEAK) if a == b else left / root[b, b]
    for k in range(len(vectors)):
        x = steps[k]
        for a in range(P):
            x[a] = vectors[k, a] / scale[a]
            for c in range(a):
                x[a] -= root[a, c] * x[c]
            x[a] /= root[a, a]
        for a in range(P - 1, -1, -1):
            for c in range(a + 1, P):
                x[a] -= root[c, a] * x[c]
            x[a] /= root[a, a]
        for a in range(P):
            x[a] /= scale[a]
