"""Sparse normal equations over the twists of many poses, of which only those are coupled that see the same."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import bsr_array, csc_array
from scipy.sparse.linalg import SuperLU, splu

Float64 = NDArray[np.float64]


def assembled(blocks: Mapping[tuple[int, int], Float64], count: int) -> csc_array:
    """(6 count, 6 count): the matrix of `blocks` (6, 6) by row and column; each row has one at least."""
    places = sorted(blocks)
    starts = np.searchsorted([row for row, _ in places], np.arange(count + 1))
    data = np.stack([blocks[place] for place in places])
    return csc_array(bsr_array((data, [column for _, column in places], starts), shape=(6 * count, 6 * count)))


def factored(matrix: csc_array) -> SuperLU:
    """The factors of a symmetric positive definite matrix, which needs no pivoting."""
    return splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
