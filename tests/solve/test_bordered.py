"""Eliminating the map from a bordered system gives what a dense solution of the whole gives."""

import numpy as np
import pytest
from grid_examples import stencil_of
from numpy.typing import NDArray
from scipy.sparse import csr_array

from glrender.errors import InputError, SolverError
from glrender.solve.bordered import BorderedSystem
from glrender.solve.priors import SmoothnessPrior
from glrender.solve.stencil import BlockStencil
from glrender.solve.systems import NormalEquations

ROWS, COLS, SHARED, GROUPS = 9, 7, 4, 6
MAP = ROWS * COLS


def random_problem() -> tuple[BorderedSystem, NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """A system of measurements of three neighbours and of the shared unknowns, its dense matrix and right-hand side.

    Also the right-hand side of each group of measurements, (GROUPS, MAP + SHARED).
    """
    rng = np.random.default_rng(3)
    rows_of_J = []
    for i in range(ROWS - 1):
        for j in range(COLS - 1):
            for corners in ([(i, j), (i, j + 1), (i + 1, j)], [(i, j + 1), (i + 1, j + 1), (i + 1, j)]):
                for _ in range(4):
                    row = np.zeros(MAP + SHARED)
                    row[[a * COLS + b for a, b in corners]] = rng.dirichlet(np.ones(3))
                    row[MAP:] = rng.normal(size=SHARED)
                    rows_of_J.append(row)
    J = np.array(rows_of_J)
    weight, residual = rng.uniform(0.5, 2, len(J)), rng.normal(size=len(J))
    matrix, groups = J.T @ (weight[:, None] * J), np.zeros((GROUPS, MAP + SHARED))
    for k, row in enumerate(J):
        groups[k % GROUPS] += weight[k] * residual[k] * row
    prior = SmoothnessPrior(3.0).add_to(NormalEquations.zeros(ROWS, COLS, 0), np.zeros((ROWS, COLS, 1)))
    matrix[:MAP, :MAP] += prior.to_csr().toarray()
    rhs = groups.sum(axis=0)
    equations = NormalEquations(
        stencil_of(csr_array(matrix[:MAP, :MAP]), (ROWS, COLS, 1)), rhs[:MAP].reshape(ROWS, COLS, 1), 0.0, len(J)
    )
    border = matrix[MAP:, :MAP].reshape(SHARED, ROWS, COLS, 1)
    return BorderedSystem(equations, border, matrix[MAP:, MAP:], rhs[MAP:]), matrix, rhs, groups


def test_the_solution_is_that_of_the_whole() -> None:
    system, matrix, rhs, _ = random_problem()
    np.testing.assert_allclose(system.interior.to_csr().toarray(), matrix[:MAP, :MAP], atol=1e-12)
    whole = np.linalg.solve(matrix, rhs)
    reduced = system.eliminate_map(1e-10)
    shared = np.linalg.solve(reduced.matrix, reduced.vector)
    np.testing.assert_allclose(shared, whole[MAP:], rtol=1e-6)
    np.testing.assert_allclose(reduced.map_at(shared).ravel(), whole[:MAP], rtol=1e-6, atol=1e-8)


def test_the_inverse_is_the_covariance_beside_an_unknown_map() -> None:
    system, matrix, _, _ = random_problem()
    covariance = np.linalg.inv(matrix)[MAP:, MAP:]
    reduced = system.eliminate_map(1e-10)
    np.testing.assert_allclose(np.linalg.inv(reduced.matrix), covariance, rtol=1e-6)
    np.testing.assert_array_equal(reduced.matrix, reduced.matrix.T)


def test_the_parts_of_groups_sum_up_to_the_vector() -> None:
    system, matrix, _, groups = random_problem()
    reduced = system.eliminate_map(1e-10)
    scores = reduced.scores(groups[:, MAP:], groups[:, :MAP].reshape(GROUPS, ROWS, COLS, 1))
    np.testing.assert_allclose(scores.sum(axis=0), reduced.vector, rtol=1e-6, atol=1e-9)
    alone = groups[0, MAP:] - matrix[MAP:, :MAP] @ np.linalg.solve(matrix[:MAP, :MAP], groups[0, :MAP])
    np.testing.assert_allclose(scores[0], alone, rtol=1e-6, atol=1e-9)


def test_no_shared_unknown_leaves_the_map() -> None:
    system, matrix, rhs, _ = random_problem()
    bare = BorderedSystem(system.interior, np.zeros((0, ROWS, COLS, 1)), np.zeros((0, 0)), np.zeros(0))
    alone = np.linalg.solve(matrix[:MAP, :MAP], rhs[:MAP])
    np.testing.assert_allclose(bare.eliminate_map().map_at(np.zeros(0)).ravel(), alone, rtol=1e-5, atol=1e-7)


def test_what_does_not_fit_is_refused() -> None:
    system, _, _, _ = random_problem()
    with pytest.raises(InputError, match=r"border: received shape \(4, 9, 7, 1\), expected \(3, 9, 7, 1\)"):
        BorderedSystem(system.interior, system.border, np.eye(3), np.zeros(3))
    with pytest.raises(InputError, match="corner: 1 of 16 values are NaN"):
        corner = system.corner.copy()
        corner[1, 2] = np.nan
        BorderedSystem(system.interior, system.border, corner, system.vector)
    indefinite = NormalEquations(BlockStencil(-np.ones((ROWS, COLS, 4, 1))), np.ones((ROWS, COLS, 1)), 0.0, 1)
    with pytest.raises(SolverError):
        BorderedSystem(indefinite, system.border, system.corner, system.vector).eliminate_map()
