"""Rectangles of a grid's vertices, and normal equations that are about these alone.

What is measured at one place says nothing about another far away, so a large map is improved patch by patch: the
heights around a patch are taken as they are.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.parallel import even_parts, run_parts
from glrender.solve.stencil import BlockStencil
from glrender.solve.systems import NormalEquations

Array = NDArray[np.float64]


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

    def within(self, other: "Patch") -> tuple[slice, slice]:
        """Its place in arrays of another patch, which holds it."""
        rows = slice(self.top - other.top, self.bottom - other.top)
        return rows, slice(self.left - other.left, self.right - other.left)

    def common(self, other: "Patch") -> "Patch":
        """What both hold; without any vertex where there is nothing."""
        top, left = max(self.top, other.top), max(self.left, other.left)
        return Patch(top, max(min(self.bottom, other.bottom), top), left, max(min(self.right, other.right), left))

    def around(self, cells: NDArray[np.bool_]) -> "Patch | None":
        """The smallest patch that holds all of the `cells` of this one, (rows, cols); None: there are none."""
        rows, cols = (np.flatnonzero(cells.any(axis=axis)) for axis in (1, 0))
        if not len(rows):
            return None
        top, bottom, left, right = map(int, (rows[0], rows[-1] + 1, cols[0], cols[-1] + 1))
        return Patch(self.top + top, self.top + bottom, self.left + left, self.left + right)

    def of(self, values: Array, other: "Patch") -> Array:
        """(rows, cols) values of this patch, from those of another; NaN where that has none."""
        result = np.full(self.shape, np.nan)
        both = self.common(other)
        result[both.within(self)] = values[both.within(other)]
        return result


@dataclass(frozen=True, eq=False)
class LocalEquations:
    """What is said about the heights of a patch, no colours."""

    patch: Patch
    equations: NormalEquations
    """Of the heights themselves, not of increments."""


def equations_on(patch: Patch, parts: Sequence[LocalEquations], heights: Array) -> NormalEquations:
    """What all parts say about the heights of `patch`, those around it being as `heights` of the grid has them."""
    matrix, vector = np.empty((*patch.shape, 4, 1)), np.zeros((*patch.shape, 1))
    run_parts(_add_up, even_parts(patch.shape[0]), patch, parts, matrix)
    for part in parts:
        both = patch.common(part.patch)
        vector[both.within(patch)] += part.equations.vector[both.within(part.patch)]
        if both != part.patch:
            edges = np.array([(p.top, p.bottom, p.left, p.right) for p in (patch, part.patch)])
            _subtract_outside(part.equations.stencil.matrix, heights, edges[0], edges[1], vector)
    cost, count = (sum(getattr(part.equations, name) for part in parts) for name in ("cost", "count"))
    return NormalEquations(BlockStencil(matrix), vector, cost, count)


def _add_up(patch: Patch, parts: Sequence[LocalEquations], total: Array, first: int, last: int) -> None:
    """Rows first … last - 1 of the sum of the parts' matrices over a patch."""
    rows = Patch(patch.top + first, patch.top + last, patch.left, patch.right)
    total[first:last] = 0
    for part in parts:
        both = rows.common(part.patch)
        total[both.within(patch)] += part.equations.stencil.matrix[both.within(part.patch)]


@njit(cache=True, nogil=True)
def _subtract_outside(
    matrix: Array, heights: Array, patch: NDArray[np.int64], part: NDArray[np.int64], vector: Array
) -> None:
    """Subtract from a patch's vector what couples it to the heights of a part around it.

    `patch` and `part` are (top, bottom, left, right); the matrix is that of the part.
    """
    top, bottom, left, right = patch
    for i in range(max(top, part[0]), min(bottom, part[1])):
        step = 1 if i in (top, bottom - 1) else max(right - 1 - left, 1)
        for j in range(left, right, step):
            if j < part[2] or j >= part[3]:
                continue
            for axis in range(1, 4):
                for sign in (1, -1):
                    s = i + sign * (axis >= 2)
                    t = j + sign * ((axis == 1) - (axis == 3))
                    inside = top <= s < bottom and left <= t < right
                    if inside or s < part[0] or s >= part[1] or t < part[2] or t >= part[3]:
                        continue
                    row, column = (i, j) if sign == 1 else (s, t)
                    vector[i - top, j - left, 0] -= matrix[row - part[0], column - part[2], axis, 0] * heights[s, t]
