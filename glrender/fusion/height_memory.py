"""What frames have said about the heights of a map for good, and what follows from it."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from glrender.solve.multigrid import MultigridSolver
from glrender.solve.patch import LocalEquations, Patch, equations_on
from glrender.solve.priors import SmoothnessPrior
from glrender.solve.systems import NormalEquations

Float64 = NDArray[np.float64]


class HeightMemory:
    """The information about the heights of a grid of `shape` (rows, cols), of a prior and of all that was `add`ed.

    Whatever is asked is about a patch of the grid, with what is `held` back counted as well.
    """

    def __init__(self, shape: tuple[int, int], prior: SmoothnessPrior) -> None:
        level = np.zeros((*shape, 1))
        self._whole = Patch.whole(shape)
        self._known = prior.add_to(NormalEquations.zeros(*shape, 0), level)
        self._prior = self._known.height_information
        self._data = np.zeros(shape)  # the diagonal without the prior

    def add(self, said: LocalEquations) -> None:
        """Keep for good what was said."""
        here, equations = said.patch.slices, said.equations
        self._known.stencil.matrix[here] += equations.stencil.matrix
        self._known.vector[here] += equations.vector
        self._known = replace(
            self._known, cost=self._known.cost + equations.cost, count=self._known.count + equations.count
        )
        self._data[here] += equations.height_information

    def is_new(self, patch: Patch) -> NDArray[np.bool_]:
        """(rows, cols): the cells of a patch that nothing was said about for good."""
        return np.asarray(self._data[patch.slices] == 0)

    def information(self, patch: Patch, held: Sequence[LocalEquations]) -> Float64:
        """(rows, cols) 1/m²: what the data say about each height, were its neighbours known."""
        total = self._data[patch.slices].copy()
        for said in held:
            both = patch.common(said.patch)
            total[both.within(patch)] += said.equations.height_information[both.within(said.patch)]
        return total

    def exceeds_prior(self, patch: Patch, held: Sequence[LocalEquations], times: float) -> NDArray[np.bool_]:
        """(rows, cols): the cells of a patch about which the data say so many times more than the prior."""
        return np.asarray(self.information(patch, held) > times * self._prior[patch.slices])

    def equations(self, patch: Patch, held: Sequence[LocalEquations], heights: Float64) -> NormalEquations:
        """Of the heights of a patch, those around it being as `heights` (of the grid) has them."""
        return equations_on(patch, [LocalEquations(self._whole, self._known), *held], heights)

    def solved(
        self, patch: Patch, held: Sequence[LocalEquations], solver: MultigridSolver, heights: Float64
    ) -> Float64:
        """The heights of a patch, moved from `heights` (of the grid) to, or towards, the solution of all equations."""
        total, start = self.equations(patch, held, heights), heights[patch.slices]
        if total.count == 0:
            return start  # the prior says nothing about how high the ground is as a whole
        # In increments, so that the solver's tolerance is one on what is still to be gained.
        increment = replace(total, vector=total.vector - total.matvec(start[..., None]))
        return start + solver.solve(increment).x[..., 0]
