"""Every view of a linear system shows the same matrix."""

import numpy as np
import pytest
from grid_examples import grid_example
from scipy.sparse import csr_array

from glrender.errors import InputError
from glrender.solve.systems import Damped, LinearSystem, NormalEquations, SparseSystem, hold_unseen


def dense(system: LinearSystem) -> np.ndarray:
    return system.to_csr().toarray()


def check_consistent(system: LinearSystem) -> None:
    """All views of a system show the same matrix."""
    matrix = dense(system)
    x = np.random.default_rng(0).normal(size=system.rhs.shape)
    np.testing.assert_allclose(system.matvec(x).ravel(), matrix @ x.ravel(), atol=1e-10)
    np.testing.assert_allclose(system.diagonal().ravel(), matrix.diagonal(), atol=1e-12)
    blocks = system.diagonal_blocks()
    count, width = blocks.shape[:2]
    grid = matrix.reshape(count, width, count, width)
    np.testing.assert_allclose(blocks, grid[np.arange(count), :, np.arange(count), :], atol=1e-12)


@pytest.mark.parametrize("channels", [0, 3])
def test_every_view_of_a_system_shows_the_same_matrix(channels: int) -> None:
    example = grid_example(4, 5, channels)
    damping = np.random.default_rng(1).uniform(size=example.shape)
    for system in (example.equations, Damped(example.equations, damping)):
        check_consistent(system)
    check_consistent(SparseSystem(example.information, example.vector))
    check_consistent(Damped(SparseSystem(example.information, example.vector), damping.ravel()))


def test_normal_equations_and_jacobian_agree() -> None:
    example = grid_example(4, 5, 1)
    system = SparseSystem.from_jacobian(example.jacobian, example.residual, example.weight)
    np.testing.assert_allclose(dense(system), dense(example.equations), atol=1e-12)
    np.testing.assert_allclose(system.rhs, example.equations.rhs.ravel(), atol=1e-12)


def test_damping_adds_to_the_diagonal_and_leaves_the_system() -> None:
    equations = grid_example(4, 5, 3).equations
    before = dense(equations)
    damped = Damped(equations, np.full((4, 5, 4), 2.0))
    damped.diagonal_blocks()
    np.testing.assert_allclose(dense(damped), before + 2 * np.eye(80))
    np.testing.assert_array_equal(dense(equations), before)
    np.testing.assert_array_equal(damped.rhs, equations.rhs)


def test_unseen_unknowns_get_the_identity() -> None:
    equations = grid_example(7, 8, 1, hidden=2).equations
    unseen = equations.diagonal().ravel() == 0
    assert 0 < unseen.sum() < unseen.size
    held = dense(hold_unseen(equations))
    np.testing.assert_array_equal(held[unseen], np.eye(unseen.size)[unseen])
    np.testing.assert_allclose(held[~unseen][:, ~unseen], dense(equations)[~unseen][:, ~unseen])


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(InputError, match="vector"):
        NormalEquations(NormalEquations.zeros(3, 3, 1).stencil, np.zeros((3, 3, 1)), 0.0, 0)
    with pytest.raises(InputError, match="matrix"):
        SparseSystem(csr_array(np.eye(3)), np.zeros(4))
