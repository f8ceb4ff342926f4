"""Both optimisers on robust problems of maps and of a curve."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from grid_examples import GridExample, grid_example, stencil_of
from numpy.typing import NDArray

from glrender.errors import InputError, SolverError, UsageError
from glrender.solve.gauss_newton import GaussNewton, LevenbergMarquardt, Result, StoppingRule
from glrender.solve.linear import ConjugateGradient, DirectSolver
from glrender.solve.losses import Cauchy, Huber, Loss, Squared, Tukey
from glrender.solve.priors import GaussianPrior, SmoothnessPrior
from glrender.solve.problem import WithPriors
from glrender.solve.systems import NormalEquations, SparseSystem

Array = NDArray[np.float64]
OPTIMIZERS = [
    kind(solver) for kind in (GaussNewton, LevenbergMarquardt) for solver in (DirectSolver(), ConjugateGradient(1e-10))
]


def label(value: object) -> str:
    solver = getattr(value, "linear_solver", None)
    return type(value).__name__ + (f"-{type(solver).__name__}" if solver else "")


each_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=label)


@dataclass
class GridFit:
    """Measurements z = p + bend p³ with p = J x."""

    example: GridExample
    measured: Array
    loss: Loss
    bend: float = 0.0

    def residual(self, x: Array) -> Array:
        p = self.example.jacobian @ x.ravel()
        return np.sqrt(self.example.weight) * (self.measured - p - self.bend * p**3)

    def cost(self, x: Array) -> float:
        return float(self.loss.rho(self.residual(x)).sum())

    def linearize(self, x: Array) -> NormalEquations:
        p, r = self.example.jacobian @ x.ravel(), self.residual(x)
        slope = 1 + 3 * self.bend * p**2
        weight = self.loss.weight(r) * self.example.weight
        vector = self.example.jacobian.T @ (np.sqrt(self.example.weight) * self.loss.weight(r) * r * slope)
        bent = GridExample(self.example.shape, self.example.jacobian, weight * slope**2, r)
        stencil = stencil_of(bent.information, self.example.shape)
        return NormalEquations(stencil, vector.reshape(self.example.shape), self.cost(x), len(r))


@dataclass
class Curve:
    """The curve a exp(-b t) + c, by plain sparse matrices."""

    t: Array
    y: Array

    def residual(self, x: Array) -> Array:
        return self.y - (x[0] * np.exp(-x[1] * self.t) + x[2])

    def cost(self, x: Array) -> float:
        with np.errstate(over="ignore"):  # far off, the cost is infinite
            return 0.5 * float(np.sum(self.residual(x) ** 2))

    def linearize(self, x: Array) -> SparseSystem:
        e = np.exp(-x[1] * self.t)
        J = np.stack([e, -x[0] * self.t * e, np.ones_like(e)], axis=1)
        return SparseSystem.from_jacobian(J, self.residual(x), np.ones_like(e))


def check_descent(result: Result) -> None:
    """Every accepted step lowers the cost, and each step starts where the last accepted one ended."""
    cost = result.iterations[0].cost_before
    for step in result.iterations:
        assert step.cost_before == cost
        assert step.accepted == (step.cost_after < step.cost_before)
        cost = step.cost_after if step.accepted else cost
    assert result.cost == cost


@each_optimizer
@pytest.mark.parametrize("loss", [Squared(), Huber(), Cauchy(), Tukey()], ids=label)
def test_every_loss_descends_to_a_stationary_point(optimizer: GaussNewton | LevenbergMarquardt, loss: Loss) -> None:
    example = grid_example(6, 7, 1, seed=5)
    truth = np.random.default_rng(0).uniform(-0.5, 0.5, example.shape)
    p = example.jacobian @ truth.ravel()
    noise = np.random.default_rng(1).normal(size=len(p)) / np.sqrt(example.weight)
    problem = GridFit(example, p + 0.2 * p**3 + noise, loss, bend=0.2)
    with_priors = WithPriors(problem, (GaussianPrior(truth, 5.0, 5.0), SmoothnessPrior(2.0)))
    result = optimizer.minimize(with_priors, np.zeros(example.shape))
    check_descent(result)
    assert result.converged, result.table()
    assert result.cost == with_priors.cost(result.x)
    gradient = with_priors.linearize(result.x).vector
    assert np.abs(gradient).max() < 1e-2 * np.abs(with_priors.linearize(np.zeros(example.shape)).vector).max()
    # No direction lowers the cost by more than what the tolerance leaves.
    for direction in np.random.default_rng(2).normal(size=(5, *example.shape)):
        assert with_priors.cost(result.x + 1e-3 * direction) > result.cost * (1 - 1e-6)


@each_optimizer
def test_a_linear_problem_is_solved_exactly(optimizer: GaussNewton | LevenbergMarquardt) -> None:
    example = grid_example(6, 7, 1)
    result = optimizer.minimize(GridFit(example, example.residual, Squared()), np.zeros(example.shape))
    expected = np.linalg.solve(example.information.toarray(), example.vector)
    assert result.converged
    np.testing.assert_allclose(result.x.ravel(), expected, atol=1e-3)
    if isinstance(optimizer, GaussNewton):
        assert len(result.iterations) == 1
        np.testing.assert_allclose(result.x.ravel(), expected, atol=1e-7)


@each_optimizer
def test_robust_losses_ignore_outliers(optimizer: GaussNewton | LevenbergMarquardt) -> None:
    example = grid_example(6, 7, 0, per_triangle=12)
    truth = np.random.default_rng(0).normal(size=example.shape)
    rng = np.random.default_rng(1)
    measured = example.jacobian @ truth.ravel() + 0.05 * rng.normal(size=len(example.weight))
    bad = rng.random(len(measured)) < 0.05
    measured[bad] += 20
    errors = {}
    for loss in (Squared(), Huber(), Tukey()):
        start = truth + 0.1 * rng.normal(size=truth.shape)
        result = optimizer.minimize(GridFit(example, measured, loss), start)
        check_descent(result)
        errors[type(loss).__name__] = np.abs(result.x - truth).mean()
    assert errors["Tukey"] < errors["Huber"] < errors["Squared"]
    assert errors["Tukey"] < 0.1 * errors["Squared"]


def test_unseen_cells_keep_their_values() -> None:
    example = grid_example(9, 9, 1, hidden=4)
    unseen = example.equations.diagonal() == 0
    start = np.random.default_rng(0).normal(size=example.shape)
    for optimizer in OPTIMIZERS:
        result = optimizer.minimize(GridFit(example, example.residual, Squared()), start)
        assert result.converged
        np.testing.assert_array_equal(result.x[unseen], start[unseen])
        assert not np.allclose(result.x[~unseen], start[~unseen])


@each_optimizer
def test_a_curve_is_fitted_through_sparse_matrices(optimizer: GaussNewton | LevenbergMarquardt) -> None:
    t = np.linspace(0, 4, 40)
    truth = np.array([2.0, 1.3, 0.5])
    result = optimizer.minimize(Curve(t, truth[0] * np.exp(-truth[1] * t) + truth[2]), np.array([1.0, 0.3, 0.0]))
    check_descent(result)
    np.testing.assert_allclose(result.x, truth, atol=1e-6)


def test_steps_that_overshoot_are_shortened_or_damped() -> None:
    t = np.linspace(0, 4, 40)
    problem = Curve(t, 2.0 * np.exp(-1.3 * t) + 0.5)
    far = np.array([0.1, 4.0, 1.0])
    halved = GaussNewton().minimize(problem, far)
    damped = LevenbergMarquardt(initial_damping=1e-8).minimize(problem, far)
    for result in (halved, damped):
        check_descent(result)
        assert not all(step.accepted for step in result.iterations)
        np.testing.assert_allclose(result.x, [2.0, 1.3, 0.5], atol=1e-6)
    for before, after in pairwise(halved.iterations):
        if not before.accepted:
            assert after.step_norm == pytest.approx(before.step_norm / 2)
    for before, after in pairwise(damped.iterations):
        assert after.damping > before.damping if not before.accepted else after.damping < 2 * before.damping


def test_strong_damping_is_not_taken_for_convergence() -> None:
    example = grid_example(6, 7, 0)
    problem = GridFit(example, example.residual, Squared())
    slow = LevenbergMarquardt(initial_damping=1e10, stopping=StoppingRule(max_iterations=200))
    result = slow.minimize(problem, np.zeros(example.shape))
    best = GaussNewton().minimize(problem, np.zeros(example.shape))
    assert result.converged
    assert result.cost == pytest.approx(best.cost, rel=1e-6)


def test_an_iteration_that_gets_nowhere_says_so() -> None:
    class Wrong(Curve):  # points uphill
        def linearize(self, x: Array) -> SparseSystem:
            system = super().linearize(x)
            return SparseSystem(system.matrix, -system.rhs)

    t = np.linspace(0, 4, 40)
    problem = Wrong(t, 2.0 * np.exp(-1.3 * t) + 0.5)
    for optimizer in (GaussNewton(), LevenbergMarquardt()):
        result = optimizer.minimize(problem, np.array([1.5, 1.0, 0.4]))
        assert not result.converged
        assert "lowers the cost" in result.reason
        np.testing.assert_array_equal(result.x, [1.5, 1.0, 0.4])


def test_the_number_of_steps_is_bounded() -> None:
    t = np.linspace(0, 4, 40)
    result = LevenbergMarquardt(stopping=StoppingRule(max_iterations=3)).minimize(
        Curve(t, 2.0 * np.exp(-1.3 * t) + 0.5), np.array([0.1, 4.0, 1.0])
    )
    assert len(result.iterations) == 3
    assert not result.converged
    assert "limit" in result.reason


@each_optimizer
def test_nothing_to_compare_is_no_minimum(optimizer: GaussNewton | LevenbergMarquardt) -> None:
    """Whether priors would be content with the start, or there are none."""

    @dataclass
    class Blind(GridFit):
        def linearize(self, x: Array) -> NormalEquations:
            return NormalEquations.zeros(*self.example.shape[:2], self.example.shape[2] - 1)

    example = grid_example(4, 5, 0)
    blind = Blind(example, example.residual, Squared())
    empty = Curve(np.zeros(0), np.zeros(0))
    for problem, x in (
        (blind, np.zeros(example.shape)),
        (WithPriors(blind, (SmoothnessPrior(1.0),)), np.zeros(example.shape)),
        (empty, np.ones(3)),
    ):
        with pytest.raises(SolverError, match="at the initial estimate there is nothing to compare: no measurement"):
            optimizer.minimize(problem, x)


def test_a_step_to_where_nothing_is_to_compare_is_no_minimum() -> None:
    class Escaping(GridFit):
        """Of which nothing is seen any more after the first step."""

        def cost(self, x: Array) -> float:
            return 0.0 if x.any() else super().cost(x)

        def linearize(self, x: Array) -> NormalEquations:
            return NormalEquations.zeros(4, 5, 0) if x.any() else super().linearize(x)

    example = grid_example(4, 5, 0)
    with pytest.raises(SolverError, match="after step 1 there is nothing to compare"):
        GaussNewton().minimize(Escaping(example, example.residual, Squared()), np.zeros(example.shape))


def test_nothing_is_tried_at_the_minimum() -> None:
    example = grid_example(4, 5, 0)
    problem = GridFit(example, np.zeros(len(example.weight)), Squared())
    result = GaussNewton().minimize(problem, np.zeros(example.shape))
    assert result.converged
    assert result.iterations == ()


def test_the_table_has_a_line_per_step() -> None:
    example = grid_example(4, 5, 0)
    result = LevenbergMarquardt().minimize(GridFit(example, example.residual, Huber()), np.zeros(example.shape))
    lines = result.table().splitlines()
    assert len(lines) == len(result.iterations) + 2
    assert lines[0].split()[0] == "step"
    assert f"{result.iterations[0].cost_before:.6e}" in lines[1]
    assert lines[-1].startswith("converged")


def test_bad_starts_are_refused() -> None:
    example = grid_example(4, 5, 0)
    with pytest.raises(InputError, match="NaN"):
        GaussNewton().minimize(GridFit(example, example.residual, Squared()), np.full(example.shape, np.nan))
    with pytest.raises(SolverError, match="initial estimate"):
        GaussNewton().minimize(
            GridFit(example, np.full_like(example.residual, np.nan), Squared()), np.zeros(example.shape)
        )
    with pytest.raises(InputError, match="initial_damping"):
        LevenbergMarquardt(initial_damping=0.0)
    for steps in (0, -1, 1.5):
        with pytest.raises(UsageError, match=f"max_iterations: received {steps}, expected a whole number"):
            StoppingRule(max_iterations=steps)  # type: ignore[arg-type]
    assert StoppingRule(np.int64(5)).max_iterations == 5  # type: ignore[arg-type]
    for tolerance in (-1e-9, np.nan):
        with pytest.raises(UsageError, match="cost_tolerance: received"):
            StoppingRule(cost_tolerance=tolerance)
