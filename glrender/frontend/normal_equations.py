"""Normal equations of a few unknowns from thousands of weighted differences, and what their scatter makes of them."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Float64 = NDArray[np.float64]

_WEAK = 1e-9  # of an unknown's own information: what is told less than that is not told


class BlockEquations(NamedTuple):
    """Normal equations of each block of an image: their sum is that of all differences, their scatter its error."""

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


# Sums may be taken in any order, so that they become vector instructions.
@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"})
def _sum_blocks(
    columns: Float64, weight: Float64, value: Float64, block: NDArray[np.int64], matrices: Float64, vectors: Float64
) -> None:
    P, N = columns.shape
    # A block's own rows: indices that begin at 0 are known to need no wrapping round, which vectors could not do.
    rows, weighted = np.empty((P + 1, N)), np.empty(N)
    first = 0
    while first < N:
        own, count = block[first], 1
        while first + count < N and block[first + count] == own:
            count += 1
        for k in range(count):
            rows[P, k] = value[first + k]
            for a in range(P):
                rows[a, k] = columns[a, first + k]
        for a in range(P):
            for k in range(count):
                weighted[k] = weight[first + k] * rows[a, k]
            vectors[own, a] -= _product(weighted, rows, P, count)
            for b in range(a + 1):
                matrices[own, a, b] += _product(weighted, rows, b, count)
                matrices[own, b, a] = matrices[own, a, b]
        first += count


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"}, inline="always")
def _product(weighted: Float64, rows: Float64, row: int, count: int) -> float:
    total = 0.0
    for k in range(count):
        total += weighted[k] * rows[row, k]
    return total


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
