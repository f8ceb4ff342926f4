"""Prior knowledge about a height map that fits the stencil of its normal equations.

`x` is (rows, cols, 1 + C): the height, metres, and the linear colour channels of each vertex.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from glrender.checks import check_array
from glrender.errors import InputError
from glrender.solve.patch import Patch
from glrender.solve.stencil import BlockStencil
from glrender.solve.systems import NormalEquations

Array = NDArray[np.float64]


class Prior(Protocol):
    """A term of the cost that is not a measurement."""

    def cost(self, x: Array) -> float:
        """Its share of the cost at x."""

    def add_to(self, equations: NormalEquations, x: Array) -> NormalEquations:
        """The equations at x with this prior's matrix, vector and cost; the count of measurements stays."""


@dataclass(frozen=True, eq=False)
class GaussianPrior:
    """Each unknown is near a known value: cost ½ Σ ((x - mean) / sigma)²."""

    mean: Array
    """(rows, cols, 1 + C): the expected heights and colours."""
    height_sigma: float | Array
    """Standard deviation of the heights, metres: one number or (rows, cols); inf where nothing is known."""
    color_sigma: float | Array = np.inf
    """Standard deviation of every colour channel: one number or (rows, cols); inf where nothing is known."""

    def __post_init__(self) -> None:
        mean = check_array("mean", self.mean, (None, None, None), finite=True)
        object.__setattr__(self, "mean", mean)
        for name in ("height_sigma", "color_sigma"):
            sigma = np.broadcast_to(_check_above_zero(name, getattr(self, name)), mean.shape[:2])
            object.__setattr__(self, name, sigma)

    def cost(self, x: Array) -> float:
        return 0.5 * float(np.sum(self._information() * np.square(x - self.mean)))

    def add_to(self, equations: NormalEquations, x: Array) -> NormalEquations:
        information = self._information()
        matrix = equations.stencil.matrix.copy()
        entries = min(2, matrix.shape[3])  # height and, where there is one, the entry that all channels share
        matrix[:, :, 0, :entries] += information[..., :entries]
        vector = equations.vector + information * (self.mean - x)
        return NormalEquations(BlockStencil(matrix), vector, equations.cost + self.cost(x), equations.count)

    def _information(self) -> Array:
        information = np.empty_like(self.mean)
        information[..., 0] = np.square(1 / np.asarray(self.height_sigma))
        information[..., 1:] = np.square(1 / np.asarray(self.color_sigma))[..., None]
        return information


@dataclass(frozen=True)
class SmoothnessPrior:
    """Heights of neighbours along rows and columns are alike, or beside a step: cost Σ ρ((x_q - x_p) / sigma).

    The sum is over all such pairs p, q, and ρ is Huber's. A quadratic cost, which is that without steps, pulls at the
    two sides of a wall by its height over sigma², and bends metres of roof and yard towards each other where the data
    are not much better than it. Huber's grows linearly from a step on, so that it pulls by no more than there, and is
    convex all the same: there is one solution, wherever one begins.
    """

    height_sigma: float
    """Standard deviation of the difference of two neighbours' heights, metres, where there is no step; inf for none."""
    step: float = np.inf
    """Metres: the difference from which on there is one; inf: none is."""

    def __post_init__(self) -> None:
        for name in ("height_sigma", "step"):
            value = check_array(name, getattr(self, name), ())
            object.__setattr__(self, name, float(_check_above_zero(name, value)))

    def cost(self, x: Array) -> float:
        total = 0.0
        for axis in (0, 1):
            difference = np.abs(np.diff(x[..., 0], axis=axis))
            inside = np.minimum(difference, self.step)
            # Of an infinite difference, infinity less infinity would be nothing.
            beyond = np.subtract(difference, inside, where=difference > inside, out=np.zeros_like(inside))
            total += 0.5 * float(np.sum(self.height_sigma**-2 * (inside * (inside + 2 * beyond))))
        return total

    def add_to(self, equations: NormalEquations, x: Array) -> NormalEquations:
        matrix, vector = equations.stencil.matrix.copy(), equations.vector.copy()
        heights = np.ascontiguousarray(x[..., 0])
        _add_pairs(matrix, vector, heights, 0, 0, self.height_sigma**-2, self.step, True)
        return NormalEquations(BlockStencil(matrix), vector, equations.cost + self.cost(x), equations.count)

    def add_to_patch(self, equations: NormalEquations, patch: Patch, heights: Array) -> NormalEquations:
        """The equations of a patch's heights, not of increments, with this prior linearised at `heights` (rows, cols).

        These are the whole grid's; those around the patch are taken as they are. The cost, of measurements, stays.
        """
        matrix, vector = equations.stencil.matrix.copy(), equations.vector.copy()
        _add_pairs(matrix, vector, heights, patch.top, patch.left, self.height_sigma**-2, self.step, False)
        return NormalEquations(BlockStencil(matrix), vector, equations.cost, equations.count)

    def on_level_ground(self, shape: tuple[int, int]) -> Array:
        """(rows, cols) 1/m²: what it says about each height of a grid, were its neighbours known, beside no step."""
        zeros = NormalEquations.zeros(*shape, 0)
        return self.add_to(zeros, zeros.vector).height_information


@njit(cache=True, nogil=True, error_model="numpy")
def _add_pairs(
    matrix: Array,
    vector: Array,
    heights: Array,
    top: int,
    left: int,
    information: float,
    step: float,
    increments: bool,
) -> None:
    """Add what pairs of neighbours say to a patch's matrix (rows, cols, 4, E) and vector (rows, cols, 1 + C).

    (top, left) is its place in the grid, of which `heights` are; `increments` says whether the equations are in
    increments of these, or in the heights themselves, where only those around the patch are known.
    """
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
                    if increments:
                        vector[i, j, 0] += weight * (there - here)
                    if not (0 <= p < rows and 0 <= q < cols):
                        if not increments:
                            vector[i, j, 0] += weight * there
                    elif sign == 1:
                        matrix[i, j, axis, 0] -= weight


def _check_above_zero(name: str, value: ArrayLike) -> Array:
    values = np.asarray(value, dtype=np.float64)
    if not (values > 0).all():
        raise InputError(f"{name}: received {value!r}, expected more than 0; inf where nothing is known")
    return values
