"""Gauss-Newton and Levenberg-Marquardt, put together from a problem, a linear solver and a stopping rule.

Both lower the cost that the problem reports (the sum of rho over its measurements, and its priors) at every step they
accept. Unknowns that nothing touches keep their values.
"""

from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glrender.checks import check_array, check_positive
from glrender.errors import SolverError, UsageError
from glrender.solve.linear import DirectSolver, LinearSolver
from glrender.solve.problem import Problem
from glrender.solve.systems import Damped, LinearSystem, NormalEquations, hold_unseen

Array = NDArray[np.float64]


@dataclass(frozen=True)
class StoppingRule:
    """When to stop."""

    max_iterations: int = 50
    """Bound on the steps tried, accepted or not."""
    cost_tolerance: float = 1e-9
    """Converged where the undamped step would, by the quadratic model, lower the cost by less than this fraction."""

    def __post_init__(self) -> None:
        steps: Any = self.max_iterations
        tolerance: Any = self.cost_tolerance
        if isinstance(steps, bool) or not isinstance(steps, Integral) or steps < 1:
            raise UsageError(f"max_iterations: received {steps!r}, expected a whole number of at least 1")
        if not (isinstance(tolerance, float | int) and tolerance >= 0):
            raise UsageError(f"cost_tolerance: received {tolerance!r}, expected a number of at least 0")


@dataclass(frozen=True)
class IterationSummary:
    """One step that was tried."""

    cost_before: float
    """The cost at the estimate the step starts from."""
    cost_after: float
    """The cost at its end; not finite where the problem could not be evaluated."""
    step_norm: float
    """Euclidean length of the step, in the units of the unknowns."""
    damping: float
    """Gauss-Newton: 0. Levenberg-Marquardt: the multiple of the diagonal that was added to it."""
    linear_iterations: int
    """Iterations of the linear solver; 0 for a direct solver or a step that is a previous one shortened."""
    accepted: bool
    """Whether the step lowered the cost and was taken."""


@dataclass(frozen=True, eq=False)
class Result:
    """An estimate and how it was reached."""

    x: Array
    """The estimate."""
    cost: float
    """The cost there."""
    converged: bool
    """False where the iteration ended without reaching the stopping rule's tolerance."""
    reason: str
    """Why the iteration ended."""
    iterations: tuple[IterationSummary, ...]
    """Every step that was tried, in order."""

    def table(self) -> str:
        """One line per step, and the reason at the end."""
        lines = ["step  cost before    cost after     decrease    |step|      damping    linear  accepted"]
        for number, step in enumerate(self.iterations, start=1):
            lines.append(
                f"{number:4d}  {step.cost_before:.6e}  {step.cost_after:.6e}  {step.cost_before - step.cost_after:+.2e}"
                f"  {step.step_norm:.3e}  {step.damping:.2e}  {step.linear_iterations:7d}  "
                + ("yes" if step.accepted else "no")
            )
        return "\n".join([*lines, f"{'converged' if self.converged else 'stopped'}: {self.reason}"])


@dataclass(frozen=True)
class GaussNewton:
    """Full steps; one that does not lower the cost is halved until it does."""

    linear_solver: LinearSolver = field(default_factory=DirectSolver)
    """Solves the normal equations of each step."""
    stopping: StoppingRule = field(default_factory=StoppingRule)
    """When to stop."""
    max_halvings: int = 10
    """How often one step may be halved."""

    def minimize(self, problem: Problem, x: ArrayLike) -> Result:
        """Descend from `x`; raises SolverError where a step cannot be solved for, or nothing was measured of `x`."""
        log = _Log(problem, x, self.stopping)
        while log.reason is None:
            system = log.linearize()
            solution = self.linear_solver.solve(hold_unseen(system))
            if log.promises_little(system, solution.x, 0.0):
                break
            linear_iterations = solution.iterations
            for halvings in range(self.max_halvings + 1):
                if log.try_step(solution.x * 0.5**halvings, 0.0, linear_iterations) or log.reason is not None:
                    break
                linear_iterations = 0
            else:
                log.stop(False, f"no fraction of the step lowers the cost ({self.max_halvings} halvings)")
        return log.result()


@dataclass(frozen=True)
class LevenbergMarquardt:
    """Steps damped by a multiple of the diagonal, which shrinks while the quadratic model predicts the cost well.

    The damping follows H. B. Nielsen, "Damping Parameter in Marquardt's Method", 1999.
    """

    linear_solver: LinearSolver = field(default_factory=DirectSolver)
    """Solves the damped normal equations of each step."""
    stopping: StoppingRule = field(default_factory=StoppingRule)
    """When to stop."""
    initial_damping: float = 1e-4
    """First multiple of the diagonal."""
    max_damping: float = 1e12
    """Beyond this, no step lowers the cost."""

    def __post_init__(self) -> None:
        check_positive("initial_damping", self.initial_damping)

    def minimize(self, problem: Problem, x: ArrayLike) -> Result:
        """Descend from `x`; raises SolverError where a step cannot be solved for, or nothing was measured of `x`."""
        log = _Log(problem, x, self.stopping)
        damping, growth = self.initial_damping, 2.0
        while log.reason is None:
            system = log.linearize()
            held = hold_unseen(system)
            accepted = False
            while not accepted and log.reason is None:
                solution = self.linear_solver.solve(Damped(held, damping * held.diagonal()))
                if log.promises_little(system, solution.x, damping):
                    break
                accepted = log.try_step(solution.x, damping, solution.iterations)
                if accepted:
                    gain = log.last_decrease / _predicted_decrease(system, solution.x)
                    damping *= max(1 / 3, 1 - (2 * gain - 1) ** 3)
                    growth = 2.0
                else:
                    damping *= growth
                    growth *= 2
                if damping > self.max_damping:
                    log.stop(False, f"no step lowers the cost, damping {damping:.1e}")
        return log.result()


def _predicted_decrease(system: LinearSystem, step: Array) -> float:
    """How much the step lowers the cost by its quadratic model."""
    return float(np.sum(step * (system.rhs - 0.5 * system.matvec(step))))


class _Log:
    """The estimate so far, the steps that led to it, and whether to go on."""

    def __init__(self, problem: Problem, x: ArrayLike, stopping: StoppingRule) -> None:
        self.problem, self.stopping = problem, stopping
        self.x: Array = np.array(x, dtype=np.float64)
        check_array("x", self.x, self.x.shape, finite=True)
        self.cost = problem.cost(self.x)
        if not np.isfinite(self.cost):
            raise SolverError(f"initial estimate: its cost is {self.cost}, expected a finite cost; start elsewhere")
        self.steps: list[IterationSummary] = []
        self.converged = False
        self.reason: str | None = None

    @property
    def last_decrease(self) -> float:
        return self.steps[-1].cost_before - self.steps[-1].cost_after

    def linearize(self) -> LinearSystem:
        """The system at the estimate; SolverError where nothing is compared, which would pass for a minimum."""
        system = self.problem.linearize(self.x)
        # Priors are no measurement: alone they are fitted perfectly.
        unmeasured = isinstance(system, NormalEquations) and system.count == 0
        if unmeasured or not system.diagonal().any():
            where = f"after step {len(self.steps)}" if self.steps else "at the initial estimate"
            raise SolverError(
                f"{where} there is nothing to compare: no measurement says anything of the unknowns; check that "
                "something was measured, masks leave some of it, and the camera sees what is sought"
            )
        return system

    def stop(self, converged: bool, reason: str) -> None:
        self.converged, self.reason = converged, reason

    def promises_little(self, system: LinearSystem, step: Array, damping: float) -> bool:
        """Stop if there is little left to gain."""
        promised = (1 + damping) * _predicted_decrease(system, step)  # damping is no convergence
        if promised > self.stopping.cost_tolerance * self.cost:
            return False
        self.stop(True, f"the next step promises to lower the cost by {promised:.1e} of {self.cost:.6e}")
        return True

    def try_step(self, step: Array, damping: float, linear_iterations: int) -> bool:
        """Take the step if it lowers the cost."""
        x = self.x + step
        cost = self.problem.cost(x)
        accepted = bool(cost < self.cost)
        length = float(np.sqrt(np.sum(np.square(step))))
        self.steps.append(IterationSummary(self.cost, float(cost), length, damping, linear_iterations, accepted))
        if accepted:
            self.x, self.cost = x, cost
        if len(self.steps) >= self.stopping.max_iterations:
            self.stop(False, f"{len(self.steps)} steps tried, which is the limit")
        return accepted

    def result(self) -> Result:
        assert self.reason is not None
        return Result(self.x, self.cost, self.converged, self.reason, tuple(self.steps))
