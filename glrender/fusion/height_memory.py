"""What frames have said about the heights of a map, and what follows from it."""

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
    """The information about the heights of a grid of `shape` (rows, cols), of a prior and of all that was said.

    `ratio` times what the prior says makes a cell observed, see `Threshold`. What is no longer said leaves its rounding
    behind, 1e-16 of what was known, which is nothing beside the prior.
    """

    def __init__(self, shape: tuple[int, int], prior: SmoothnessPrior, ratio: float) -> None:
        self._said = NormalEquations.zeros(*shape, 0)
        self._information = np.zeros(shape)  # its diagonal, side by side
        self._by_photographs = np.zeros(shape)  # the part of that which they said
        self._prior = prior
        self.enough = Threshold(prior.on_level_ground(shape), ratio)
        """From when on a cell is observed."""
        self._new = np.ones(shape, bool)

    def copy(self) -> "HeightMemory":
        """Another that knows the same."""
        return deepcopy(self)

    def add(self, said: LocalEquations, by_photographs: bool = False) -> None:
        """Count what is said, by depths or by photographs."""
        self._count(said, np.add, 1)
        if by_photographs:
            self._by_photographs[said.patch.slices] += said.equations.height_information

    def settle(self, before: LocalEquations, said: LocalEquations) -> None:
        """Count what is said, now for good, instead of what was said `before`."""
        self._count(before, np.subtract, -1)
        self._count(said, np.add, 1)
        self._new[said.patch.slices] &= said.equations.height_information == 0

    def _count(self, said: LocalEquations, change: np.ufunc, sign: int) -> None:
        here, total, equations = said.patch.slices, self._said, said.equations
        for sum_, part in (
            (total.stencil.matrix[here], equations.stencil.matrix),
            (total.vector[here], equations.vector),
            (self._information[here], equations.height_information),
        ):
            change(sum_, part, out=sum_)
        cost, count = total.cost + sign * equations.cost, total.count + sign * equations.count
        self._said = replace(total, cost=cost, count=count)

    def is_new(self, patch: Patch) -> NDArray[np.bool_]:
        """(rows, cols): the cells of a patch that nothing was said about for good."""
        return self._new[patch.slices]

    def information(self, patch: Patch) -> Float64:
        """(rows, cols) 1/m²: what the data say about each height, were its neighbours known."""
        return np.maximum(self._information[patch.slices], 0)

    def share_of_photographs(self) -> Float64:
        """(rows, cols): part of the information about each height that photographs brought; 0 where there is none."""
        share = np.zeros_like(self._information)
        return np.divide(self._by_photographs, self._information, out=share, where=self._information > 0).clip(0, 1)

    def color_share(self) -> float:
        """The same of all heights together."""
        return float(self._by_photographs.sum() / max(self._information.sum(), 1e-300))

    def observed(self, patch: Patch, times: float = 1.0) -> NDArray[np.bool_]:
        """(rows, cols): the cells of a patch that are observed; or about which so many `times` as much is said."""
        return np.asarray(self._information[patch.slices] > times * self.enough.at(patch))

    def equations(self, patch: Patch, heights: Float64) -> NormalEquations:
        """Of the heights of a patch, linearised at `heights` (of the grid); those around it are as these have them."""
        return self._prior.add_to_patch(given_around(self._said, patch, heights), patch, heights)

    def solved(self, patch: Patch, solver: LinearSolver, heights: Float64) -> Float64:
        """The heights of a patch, moved from `heights` (of the grid) to, or towards, the solution of all equations."""
        total, start = self.equations(patch, heights), heights[patch.slices]
        if total.count == 0:
            return start  # the prior says nothing about how high the ground is as a whole
        # In increments, so that the solver's tolerance is one on what is still to be gained.
        increment = replace(total, vector=total.vector - total.matvec(start[..., None]))
        return start + solver.solve(increment).x[..., 0]
