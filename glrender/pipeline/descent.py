"""Going down the cost of all frames: rounds of Levenberg-Marquardt, between which the pixels are chosen anew."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from glrender.fusion.joint import JointProblem
from glrender.solve.gauss_newton import LevenbergMarquardt, StoppingRule
from glrender.solve.multigrid import MultigridSolver
from glrender.solve.priors import Prior
from glrender.solve.problem import WithPriors
from glrender.solve.systems import NormalEquations

Float64 = NDArray[np.float64]

ROUNDS = (5, 5)
"""Steps tried before the pixels are chosen anew: where the map has moved, others lie on its edges. The last round goes
on to the end; choosing ever again would come to none, since a few pixels enter and leave with every choice."""

TOLERANCE = 1e-5
"""Converged where a step promises to lower the cost by less than this fraction. With 80 measurements for each unknown
that moves the unknowns by 0.03 of their standard deviation; the cost itself is uneven on this scale, where pixels pass
from one side of an edge to the other."""


@dataclass(frozen=True)
class FitStep:
    """An estimate on the way down."""

    round: int
    """From 1; the costs of two rounds do not compare, since other pixels count."""
    measurements: int
    """Depths, and colours of pixels, that count."""
    cost: float
    """Sum of rho over the measurements, without the priors."""
    moved: float
    """Metres from the estimate before, root mean square over the heights that a measurement touches; NaN at first."""
    seconds: float
    """Since the estimate before, or the beginning."""


class Descent:
    """An estimate of heights and colours that goes down the cost of all frames; an interruption leaves the last one."""

    def __init__(
        self,
        make_problem: Callable[[Float64], JointProblem],
        priors: Sequence[Prior],
        x: Float64,
        on_step: Callable[[FitStep], None] = lambda step: None,
    ) -> None:
        """`make_problem` chooses the pixels at an estimate; `on_step` is called with every estimate on the way."""
        self._make_problem, self._priors, self._on_step = make_problem, priors, on_step
        self.x = x
        """(rows, cols, 1 + C): the last estimate that lowered the cost."""
        self.steps: list[FitStep] = []
        self.converged = False
        self.reason = "interrupted"
        self.stages: dict[str, list[float]] = defaultdict(list)
        """Seconds of each "choose", "cost", "linearize" and "solve"."""
        self._rounds = 0
        self._noted = x
        self._since = perf_counter()

    def run(self, iterations: int) -> None:
        """Try up to `iterations` steps."""
        # A step is only a step: three digits of it will do.
        solver = MultigridSolver(tolerance=1e-3, max_iterations=30, truncated=True)
        damping, left = 1e-4, iterations
        for limit in (*ROUNDS, iterations):
            problem = WithPriors(_Watched(self, self._choose()), self._priors)
            stopping = StoppingRule(min(limit, left), TOLERANCE)
            result = LevenbergMarquardt(solver, stopping, damping).minimize(problem, self.x)
            self.x, self.converged, self.reason = result.x, result.converged, result.reason
            left -= len(result.iterations)
            if left == 0:
                self.reason = result.reason if result.converged else f"{iterations} steps tried, which is the limit"
                return
            if result.iterations:
                last = result.iterations[-1]
                damping = max(last.damping if last.accepted else 10 * last.damping, 1e-6)

    def finish(self) -> tuple[JointProblem, NormalEquations]:
        """The problem with the pixels chosen at the last estimate, and its equations there, without the priors."""
        problem = self._choose()
        return problem, _Watched(self, problem).linearize(self.x)

    def note(self, x: Float64, equations: NormalEquations) -> None:
        """Take `x`, at which the measurements have these equations, for the estimate."""
        touched = equations.diagonal()[..., 0] > 0
        step = (x - self._noted)[touched, 0]
        now = perf_counter()
        moved = float(np.sqrt(np.mean(np.square(step)))) if self.steps and step.size else np.nan
        self.steps.append(FitStep(self._rounds, equations.count, equations.cost, moved, now - self._since))
        self.x, self._noted, self._since = x, x, now
        self._on_step(self.steps[-1])

    def _choose(self) -> JointProblem:
        start = perf_counter()
        problem = self._make_problem(self.x)
        self.stages["choose"].append(perf_counter() - start)
        self._rounds += 1
        return problem


class _Watched:
    """A problem that tells of the estimates at which it is linearised: those that were accepted."""

    def __init__(self, descent: Descent, problem: JointProblem) -> None:
        self._descent, self._problem = descent, problem
        self._left: float | None = None

    def cost(self, x: Float64) -> float:
        start = perf_counter()
        stages = self._descent.stages
        if self._left is not None:
            stages["solve"].append(start - self._left)
        cost = self._problem.cost(x)
        stages["cost"].append(perf_counter() - start)
        return cost

    def linearize(self, x: Float64) -> NormalEquations:
        start = perf_counter()
        equations = self._problem.linearize(x)
        self._left = perf_counter()
        self._descent.stages["linearize"].append(self._left - start)
        self._descent.note(x, equations)
        return equations
