"""The information that frames have brought about the heights of a map, and the estimate that follows from it."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from glrender.fusion.observation import Threshold
from glrender.solve.linear import LinearSolver
from glrender.solve.patch import LocalEquations, Patch, given_around
from glrender.solve.priors import SmoothnessPrior
from glrender.solve.systems import NormalEquations

Float64 = NDArray[np.float64]


class HeightMemory:
    """The sum of all frames' normal equations in the heights of a grid of `shape` (rows, cols), with a prior.

    A cell is observed once the data bring `ratio` times the prior's information about it, see `Threshold`. Equations
    that are taken out again leave their rounding behind, 1e-16 of what was known, which is nothing beside the prior.
    """

    def __init__(self, shape: tuple[int, int], prior: SmoothnessPrior, ratio: float) -> None:
        self._total = NormalEquations.zeros(*shape, 0)
        self._information = np.zeros(shape)  # the diagonal of its matrix, in an array of its own
        self._by_photographs = np.zeros(shape)  # the photographs' part of that
        self._prior = prior
        self.threshold = Threshold(prior.on_level_ground(shape), ratio)
        """From when on a cell is observed."""
        self._new = np.ones(shape, bool)

    def copy(self) -> "HeightMemory":
        """Another that knows the same."""
        return deepcopy(self)

    def add(self, local: LocalEquations, by_photographs: bool = False) -> None:
        """Add the equations of depths, or of photographs."""
        self._count(local, np.add, 1)
        if by_photographs:
            self._by_photographs[local.patch.slices] += local.equations.height_information

    def relinearize(self, before: LocalEquations, after: LocalEquations) -> None:
        """Put the equations `after`, for good, in the place of those that were added `before`, of the same frame."""
        self._count(before, np.subtract, -1)
        self._count(after, np.add, 1)
        self._new[after.patch.slices] &= after.equations.height_information == 0

    def _count(self, local: LocalEquations, change: np.ufunc, sign: int) -> None:
        here, total, equations = local.patch.slices, self._total, local.equations
        for sum_, part in (
            (total.stencil.matrix[here], equations.stencil.matrix),
            (total.vector[here], equations.vector),
            (self._information[here], equations.height_information),
        ):
            change(sum_, part, out=sum_)
        cost, count = total.cost + sign * equations.cost, total.count + sign * equations.count
        self._total = replace(total, cost=cost, count=count)

    def is_new(self, patch: Patch) -> NDArray[np.bool_]:
        """(rows, cols): the cells of a patch that no frame has told anything about for good."""
        return self._new[patch.slices]

    def information(self, patch: Patch) -> Float64:
        """(rows, cols) 1/m²: the data's information about each height of a patch, were its neighbours known."""
        return np.maximum(self._information[patch.slices], 0)

    def share_of_photographs(self) -> Float64:
        """(rows, cols): part of the information about each height that photographs brought; 0 where there is none."""
        share = np.zeros_like(self._information)
        return np.divide(self._by_photographs, self._information, out=share, where=self._information > 0).clip(0, 1)

    def color_share(self) -> float:
        """The same of all heights together."""
        return float(self._by_photographs.sum() / max(self._information.sum(), 1e-300))

    def observed(self, patch: Patch, times: float = 1.0) -> NDArray[np.bool_]:
        """(rows, cols): the cells of a patch with more than `times` the information that makes a cell observed."""
        return np.asarray(self._information[patch.slices] > times * self.threshold.at(patch))

    def equations(self, patch: Patch, heights: Float64) -> NormalEquations:
        """Of the heights of a patch, linearised at `heights` (of the grid); those around it are as these have them."""
        return self._prior.add_to_patch(given_around(self._total, patch, heights), patch, heights)

    def solved(self, patch: Patch, solver: LinearSolver, heights: Float64) -> Float64:
        """The heights of a patch, moved from `heights` (of the grid) to, or towards, the solution of all equations."""
        total, start = self.equations(patch, heights), heights[patch.slices]
        if total.count == 0:
            return start  # the prior says nothing about how high the ground is as a whole
        # In increments, so that the solver's tolerance is one on what is still to be gained.
        increment = replace(total, vector=total.vector - total.matvec(start[..., None]))
        return start + solver.solve(increment).x[..., 0]
