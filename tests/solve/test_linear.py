"""The linear solvers against dense solutions, and what they refuse."""

from dataclasses import replace

import numpy as np
import pytest
from grid_examples import grid_example
from scipy.sparse import csr_array

from glrender.errors import InputError, SolverError
from glrender.solve.linear import ConjugateGradient, DirectSolver, LinearSolver
from glrender.solve.priors import GaussianPrior, SmoothnessPrior
from glrender.solve.systems import NormalEquations, SparseSystem, hold_unseen

SOLVERS = [DirectSolver(), ConjugateGradient(tolerance=1e-12)]
each_solver = pytest.mark.parametrize("solver", SOLVERS, ids=lambda s: type(s).__name__)


@each_solver
@pytest.mark.parametrize("channels", [0, 1, 3])
def test_solution_is_that_of_the_dense_system(solver: LinearSolver, channels: int) -> None:
    example = grid_example(7, 9, channels)
    solution = solver.solve(example.equations)
    expected = np.linalg.solve(example.information.toarray(), example.vector)
    np.testing.assert_allclose(solution.x.ravel(), expected, rtol=1e-7, atol=1e-9)
    assert solution.x.shape == example.shape
    assert solution.residual < 1e-10


@each_solver
def test_unseen_cells_stay_and_the_others_are_solved(solver: LinearSolver) -> None:
    example = grid_example(9, 9, 1, hidden=4)
    equations = example.equations
    x = solver.solve(hold_unseen(equations)).x
    unseen = equations.diagonal() == 0
    assert unseen.any()
    assert not x[unseen].any()
    seen = ~unseen.ravel()
    expected = np.linalg.solve(example.information.toarray()[np.ix_(seen, seen)], example.vector[seen])
    np.testing.assert_allclose(x[~unseen], expected, rtol=1e-6, atol=1e-8)


@each_solver
def test_zero_diagonals_are_counted(solver: LinearSolver) -> None:
    equations = grid_example(9, 9, 1, hidden=4).equations
    zeros = int((equations.diagonal() == 0).sum())
    with pytest.raises(SolverError, match=rf"162 unknowns: .* {zeros} unknowns have a zero diagonal"):
        solver.solve(equations)


@each_solver
def test_a_singular_system_is_refused(solver: LinearSolver) -> None:
    smooth = SmoothnessPrior(0.1).add_to(NormalEquations.zeros(6, 6, 0), np.zeros((6, 6, 1)))  # any constant fits
    with pytest.raises(SolverError, match="36 unknowns: .* 0 unknowns have a zero diagonal"):
        solver.solve(replace(smooth, vector=np.ones((6, 6, 1))))


@each_solver
def test_an_indefinite_system_is_refused(solver: LinearSolver) -> None:
    negative = SparseSystem(csr_array(np.diag([1.0, -1.0])), np.ones(2))
    with pytest.raises(SolverError, match="not positive definite.* 1 a negative one"):
        solver.solve(negative)


def test_conjugate_gradients_notice_negative_curvature() -> None:
    saddle = SparseSystem(csr_array(np.array([[1.0, 2.0], [2.0, 1.0]])), np.array([1.0, -1.0]))
    with pytest.raises(SolverError, match="curvature"):
        ConjugateGradient().solve(saddle)


@each_solver
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(solver: LinearSolver, bad: float) -> None:
    equations = grid_example(4, 4, 0).equations
    vector = equations.vector.copy()
    vector[1, 2] = bad
    with pytest.raises(SolverError, match="right-hand side is not finite"):
        solver.solve(replace(equations, vector=vector))
    equations.stencil.matrix[1, 2, 0] = bad
    with pytest.raises(SolverError, match="matrix is not finite"):
        solver.solve(equations)


@each_solver
def test_a_zero_right_side_gives_zero(solver: LinearSolver) -> None:
    equations = grid_example(4, 4, 1).equations
    solution = solver.solve(replace(equations, vector=np.zeros((4, 4, 2))))
    assert not solution.x.any()
    assert solution.residual == 0


def test_a_warm_start_saves_iterations() -> None:
    equations = grid_example(12, 12, 1).equations
    solver = ConjugateGradient(tolerance=1e-8)
    cold = solver.solve(equations)
    again = solver.solve(equations, guess=cold.x)
    near = solver.solve(equations, guess=cold.x * (1 + 1e-4))
    assert again.iterations == 0
    assert 0 < near.iterations < cold.iterations
    np.testing.assert_allclose(near.x, cold.x, rtol=1e-4, atol=1e-6)


def test_truncation_returns_what_a_few_iterations_reach() -> None:
    equations = grid_example(12, 12, 1).equations
    with pytest.raises(SolverError, match="no convergence in 3 iterations"):
        ConjugateGradient(max_iterations=3).solve(equations)
    few = ConjugateGradient(max_iterations=3, truncated=True).solve(equations)
    assert few.iterations == 3
    assert 0 < few.residual < 1


def test_vertex_blocks_precondition_better_than_the_diagonal() -> None:
    example = grid_example(12, 12, 3)
    blocks = ConjugateGradient().solve(example.equations)
    diagonal = ConjugateGradient().solve(SparseSystem(example.information, example.vector))
    assert blocks.iterations < diagonal.iterations


def test_a_prior_makes_unseen_cells_solvable() -> None:
    example = grid_example(9, 9, 0, hidden=4)
    x = np.zeros(example.shape)
    equations = GaussianPrior(np.full(example.shape, 3.0), 100.0).add_to(example.equations, x)
    unseen = example.equations.diagonal() == 0
    for solver in SOLVERS:
        np.testing.assert_allclose(solver.solve(equations).x[unseen], 3, rtol=1e-6)


def test_a_guess_of_another_shape_is_refused() -> None:
    with pytest.raises(InputError, match="guess"):
        ConjugateGradient().solve(grid_example(4, 4, 1).equations, guess=np.zeros((4, 4, 1)))
