"""What is minimised: a cost, and its quadratic model around any estimate."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from glrender.solve.priors import Prior
from glrender.solve.systems import LinearSystem, NormalEquations

Array = NDArray[np.float64]


class Problem(Protocol):
    """Robust least squares in unknowns x of any shape."""

    def cost(self, x: Array) -> float:
        """Sum of rho over all measurements and priors; not finite where x is no valid estimate."""

    def linearize(self, x: Array) -> LinearSystem:
        """The normal equations JᵀWJ dx = JᵀWr at x; the right-hand side is minus the gradient of the cost."""


class GridProblem(Problem, Protocol):
    """A problem in the unknowns of a height map, (rows, cols, 1 + C)."""

    def linearize(self, x: Array) -> NormalEquations:
        """The normal equations at x."""


@dataclass(frozen=True, eq=False)
class WithPriors:
    """A problem on a height map with prior knowledge added."""

    problem: GridProblem
    """The measurements."""
    priors: Sequence[Prior]
    """What is known besides."""

    def cost(self, x: Array) -> float:
        return self.problem.cost(x) + sum(prior.cost(x) for prior in self.priors)

    def linearize(self, x: Array) -> NormalEquations:
        equations = self.problem.linearize(x)
        for prior in self.priors:
            equations = prior.add_to(equations, x)
        return equations
