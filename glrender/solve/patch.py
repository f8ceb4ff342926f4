"""Patches: rectangles of a grid's vertices, and normal equations in their heights alone.

A measurement tells nothing about heights far away from it, so a large map is improved patch by patch, while the heights
around the patch are held.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.solve.stencil import BlockStencil
from glrender.solve.systems import NormalEquations

Array = NDArray[np.float64]
Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Patch:
    """The vertices (i, j) of a grid with top <= i < bottom and left <= j < right; values[patch.slices] are theirs."""

    top: int
    bottom: int
    left: int
    right: int

    @staticmethod
    def whole(shape: tuple[int, int]) -> "Patch":
        """All of a grid of (rows, cols) vertices."""
        return Patch(0, shape[0], 0, shape[1])

    @staticmethod
    def hull(patches: Iterable["Patch"]) -> "Patch":
        """The smallest patch that holds all of at least one."""
        edges = np.array([(p.top, -p.bottom, p.left, -p.right) for p in patches]).min(axis=0)
        top, bottom, left, right = map(int, edges * (1, -1, 1, -1))
        return Patch(top, bottom, left, right)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, cols) of vertices."""
        return self.bottom - self.top, self.right - self.left

    @property
    def slices(self) -> tuple[slice, slice]:
        """Its place in arrays of the grid."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def at(self, rows: Indices, cols: Indices, values: Array) -> Array:
        """(n,): what its `values` (rows, cols) are at vertices (rows, cols), each (n,), of the grid; NaN outside."""
        result = np.empty(len(rows))
        _look_up(rows, cols, self.top, self.left, values, result)
        return result


@dataclass(frozen=True, eq=False)
class LocalEquations:
    """Normal equations in the heights of a patch, without colours."""

    patch: Patch
    equations: NormalEquations
    """In the heights themselves, not in increments: they stay true when the estimate moves."""


@njit(cache=True, nogil=True)
def _look_up(rows: Indices, cols: Indices, top: int, left: int, values: Array, result: Array) -> None:
    for k in range(len(rows)):
        i, j = rows[k] - top, cols[k] - left
        inside = 0 <= i < values.shape[0] and 0 <= j < values.shape[1]
        result[k] = values[i, j] if inside else np.nan


def given_around(equations: NormalEquations, patch: Patch, heights: Array) -> NormalEquations:
    """The equations of a patch's heights alone, all others of the grid being held at `heights` (rows, cols)."""
    matrix, vector = equations.stencil.matrix[patch.slices], equations.vector[patch.slices].copy()
    if patch != Patch.whole(equations.stencil.shape):
        place = patch.top, patch.bottom, patch.left, patch.right
        _subtract_around(equations.stencil.matrix, heights, *place, vector)
    return NormalEquations(BlockStencil(matrix), vector, equations.cost, equations.count)


@njit(cache=True, nogil=True)
def _subtract_around(
    matrix: Array, heights: Array, top: int, bottom: int, left: int, right: int, vector: Array
) -> None:
    """Subtract from the vector of a patch what couples it to the heights around it."""
    rows, cols = heights.shape
    for i in range(top, bottom):
        step = 1 if i in (top, bottom - 1) else max(right - 1 - left, 1)
        for j in range(left, right, step):
            for axis in range(1, 4):
                for sign in (1, -1):
                    s = i + sign * (axis >= 2)
                    t = j + sign * ((axis == 1) - (axis == 3))
                    inside = top <= s < bottom and left <= t < right
                    if inside or s < 0 or s >= rows or t < 0 or t >= cols:
                        continue
                    row, column = (i, j) if sign == 1 else (s, t)
                    vector[i - top, j - left, 0] -= matrix[row, column, axis, 0] * heights[s, t]
