"""What is known of any ground's slopes, its steps included: they are few, and no less likely for being high.

A quadratic cost pulls at the two sides of a wall by its height over sigma², and bends metres of roof and yard towards
each other where the data are not much better than it. Huber's cost grows linearly from a step on, so that it pulls by
no more than there, and is convex all the same: there is one solution, wherever one begins.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.checks import check_array
from glrender.errors import InputError
from glrender.solve.patch import Patch
from glrender.solve.priors import SmoothnessPrior
from glrender.solve.stencil import BlockStencil
from glrender.solve.systems import NormalEquations

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SlopePrior:
    """Neighbours along rows and columns are alike, or beside a step: the cost of a difference is Huber's of it."""

    height_sigma: float
    """Standard deviation of the difference of two neighbours' heights, metres, where there is no step."""
    step: float = np.inf
    """Metres: the difference from which on there is one; inf: none is."""

    def __post_init__(self) -> None:
        for name in ("height_sigma", "step"):
            value = check_array(name, getattr(self, name), ())
            if not value > 0:
                raise InputError(f"{name}: received {float(value)!r}, expected a number greater than 0")
            object.__setattr__(self, name, float(value))

    def on_level_ground(self, shape: tuple[int, int]) -> Array:
        """(rows, cols) 1/m²: what it says about each height of a grid, were its neighbours known, without steps."""
        zeros = NormalEquations.zeros(*shape, 0)
        return SmoothnessPrior(self.height_sigma).add_to(zeros, zeros.vector).height_information

    def added_to(self, equations: NormalEquations, patch: Patch, heights: Array) -> NormalEquations:
        """The equations of a patch's heights with this prior, linearised at `heights` (rows, cols) of the grid.

        Heights around the patch are taken as they are. The cost, which is of measurements, stays.
        """
        matrix, vector = equations.stencil.matrix.copy(), equations.vector.copy()
        _add(matrix, vector, heights, patch.top, patch.left, self.height_sigma**-2, self.step)
        return NormalEquations(BlockStencil(matrix), vector, equations.cost, equations.count)


@njit(cache=True, nogil=True, error_model="numpy")
def _add(matrix: Array, vector: Array, heights: Array, top: int, left: int, information: float, step: float) -> None:
    """Add to a patch's matrix (rows, cols, 4, 1) and vector (rows, cols, 1); (top, left) is its place in the grid."""
    rows, cols = matrix.shape[0], matrix.shape[1]
    below, beside = heights.shape
    for i in range(rows):
        for j in range(cols):
            here = heights[top + i, left + j]
            for axis in range(1, 3):  # along the row, and across it
                for sign in (1, -1):
                    p, q = i + sign * (axis == 2), j + sign * (axis == 1)
                    if not (0 <= top + p < below and 0 <= left + q < beside):
                        continue
                    there = heights[top + p, left + q]
                    difference = abs(there - here)
                    weight = information if difference <= step else information * step / difference
                    matrix[i, j, 0, 0] += weight
                    if not (0 <= p < rows and 0 <= q < cols):
                        vector[i, j, 0] += weight * there
                    elif sign == 1:
                        matrix[i, j, axis, 0] -= weight
