"""Multigrid: how it converges, and on what."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from grid_examples import grid_example
from large_grids import measured_map, with_random_vector
from scipy.sparse import csr_array, eye_array, kron
from scipy.sparse.linalg import eigsh

from glrender.errors import InputError, SolverError, UsageError
from glrender.solve import multigrid
from glrender.solve.coarsening import coarsen, fill_lines, to_stencil, zero_lines
from glrender.solve.linear import DirectSolver
from glrender.solve.multigrid import Multigrid, MultigridSolver
from glrender.solve.priors import GaussianPrior, SmoothnessPrior
from glrender.solve.relaxation import LARGEST_EIGENVALUE
from glrender.solve.stencil import BlockStencil
from glrender.solve.systems import Damped, NormalEquations, SparseSystem, hold_unseen

EXACT = MultigridSolver(tolerance=1e-11)
MOST_ITERATIONS = 15


def smooth_map(rows: int, cols: int, channels: int, sigma: float = 10.0) -> NormalEquations:
    """A random right-hand side, smoothness, and a prior that hardly holds the whole."""
    zero = np.zeros((rows, cols, 1 + channels))
    equations = SmoothnessPrior(1.0).add_to(NormalEquations.zeros(rows, cols, channels), zero)
    equations.stencil.matrix[..., 1:2] = equations.stencil.matrix[..., :1]  # colours, where there are any, as heights
    equations = GaussianPrior(zero, sigma, sigma).add_to(equations, zero)
    return with_random_vector(equations, np.random.default_rng(rows * cols))


@pytest.mark.parametrize("channels", [0, 1, 3])
@pytest.mark.parametrize("shape", [(7, 9), (8, 8), (2, 11), (6, 2), (33, 20)], ids=str)
def test_solution_is_that_of_the_direct_solver(shape: tuple[int, int], channels: int) -> None:
    equations = grid_example(*shape, channels).equations
    solution = EXACT.solve(equations)
    np.testing.assert_allclose(solution.x, DirectSolver().solve(equations).x, rtol=1e-7, atol=1e-9)
    assert solution.residual < 1e-11


@pytest.mark.parametrize("channels", [0, 3])
@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (1, 40), (37, 1), (2, 2), (3, 3), (64, 5)], ids=str)
def test_maps_of_any_shape(shape: tuple[int, int], channels: int) -> None:
    equations = smooth_map(*shape, channels)
    solution = EXACT.solve(equations)
    np.testing.assert_allclose(solution.x, DirectSolver().solve(equations).x, rtol=1e-7, atol=1e-7)
    assert solution.iterations <= 2 * MOST_ITERATIONS


@pytest.mark.parametrize("held", [1.0, 1e-12, 1e12])
def test_unseen_cells_do_not_move_at_all(held: float) -> None:
    equations = measured_map(33, 3, part=0.3)
    seen = NormalEquations(BlockStencil(equations.stencil.matrix.copy()), equations.vector, 0.0, 0)
    far = np.indices((33, 33)).max(axis=0) > 22
    seen.stencil.matrix[far] = 0
    seen.stencil.matrix[22, :, 2:] = seen.stencil.matrix[:, 22, 1] = 0
    seen.vector[far] = 0
    system = Damped(seen, np.where(seen.diagonal() == 0, held, 0.0))
    few = MultigridSolver(max_iterations=2, truncated=True).solve(system)
    assert not few.x[far].any()
    assert few.x[~far].all()
    other = replace(seen, vector=np.where(far[..., None], 3 * held, seen.vector))
    np.testing.assert_allclose(MultigridSolver().solve(Damped(other, system.damping)).x[far], 3, rtol=1e-15)


@pytest.mark.parametrize("channels", [0, 1])
def test_unseen_cells_stay_and_the_others_are_solved(channels: int) -> None:
    equations = grid_example(20, 17, channels, hidden=9).equations
    held = hold_unseen(equations)
    x = EXACT.solve(held).x
    unseen = equations.diagonal() == 0
    assert unseen.any()
    np.testing.assert_allclose(x[unseen], 0, atol=1e-9)
    np.testing.assert_allclose(x, DirectSolver().solve(held).x, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("size", [65, 129, 256, 513, 1025])
def test_iterations_do_not_grow_with_the_map(size: int) -> None:
    assert MultigridSolver().solve(measured_map(size, per_vertex=1)).iterations <= 8


@pytest.mark.parametrize("size", [65, 257])
@pytest.mark.parametrize(
    "data",
    [
        pytest.param({"per_vertex": 0.02}, id="2 % of the vertices' number of pixels"),
        pytest.param({"part": 0.02, "per_vertex": 50}, id="2 % of the map seen well"),
        pytest.param({"part": 0.02, "per_vertex": 5, "depth": 1e6}, id="and a million times stronger than the prior"),
        pytest.param({"part": 0.02, "per_vertex": 5, "depth": 1e-3}, id="and a thousand times weaker"),
        pytest.param({"per_vertex": 5, "depth": 1e-3}, id="seen all over, and weaker"),
        pytest.param({"per_vertex": 5, "depth": 1e6}, id="seen all over, and stronger"),
    ],
)
def test_iterations_are_bounded_for_heights(size: int, data: dict[str, float]) -> None:
    assert MultigridSolver().solve(measured_map(size, **data)).iterations <= MOST_ITERATIONS


@pytest.mark.parametrize("size", [65, 257])
@pytest.mark.parametrize(
    "data",
    [
        pytest.param({"per_vertex": 5}, id="seen all over"),
        pytest.param({"per_vertex": 5, "depth": 0.0}, id="without depth"),
        pytest.param({"per_vertex": 1}, id="with a pixel a vertex"),
        pytest.param({"per_vertex": 0.02}, id="with a pixel for 50 vertices"),
        pytest.param({"part": 0.02, "per_vertex": 20}, id="2 % of the map"),
    ],
)
def test_iterations_are_bounded_with_three_colours(size: int, data: dict[str, float]) -> None:
    assert MultigridSolver().solve(measured_map(size, 3, **data)).iterations <= MOST_ITERATIONS


@pytest.mark.parametrize("sigma", [1e2, 1e4])
def test_iterations_are_bounded_for_smoothness_alone(sigma: float) -> None:
    for size in (65, 257):
        assert MultigridSolver().solve(smooth_map(size, size, 0, sigma)).iterations <= MOST_ITERATIONS


@pytest.mark.parametrize("channels", [0, 3])
def test_a_cycle_is_symmetric_and_positive(channels: int) -> None:
    equations = measured_map(50, channels, per_vertex=2)
    grids, scale = Multigrid(equations.stencil), np.sqrt(equations.diagonal())
    u, v = scale * np.random.default_rng(1).normal(size=(2, *scale.shape))
    Mu, Mv = grids.cycle(u), grids.cycle(v)
    length = np.sqrt(np.sum(u * Mu) * np.sum(v * Mv))
    assert np.sum(u * Mu) > 0
    assert abs(np.sum(v * Mu) - np.sum(u * Mv)) < 1e-5 * length
    assert abs(np.sum(v * Mu)) > 1e-3 * length  # the products say something


@pytest.mark.parametrize(("sweeps", "most"), [(1, 24), (2, 12), (3, 9)])
def test_fewer_sweeps_take_more_iterations(sweeps: int, most: int) -> None:
    equations = measured_map(129, per_vertex=5)
    few, usual = (MultigridSolver(tolerance=1e-9, sweeps=count).solve(equations) for count in (sweeps, None))
    np.testing.assert_allclose(few.x, usual.x, atol=1e-7 * np.abs(usual.x).max())
    assert usual.iterations <= few.iterations <= most
    two = MultigridSolver(max_iterations=2, truncated=True, sweeps=sweeps).solve(equations)
    assert two.residual < 0.13 * sweeps**-3


def test_cycles_alone_converge() -> None:
    equations = measured_map(129)
    grids, x, lengths = Multigrid(equations.stencil), None, []
    for _ in range(6):
        x = grids.cycle(equations.rhs, x)
        lengths.append(np.linalg.norm(equations.rhs - equations.matvec(x)))
    assert lengths[-1] < 1e-4 * np.linalg.norm(equations.rhs)
    assert all(after < 0.5 * before for before, after in pairwise(lengths))


def test_a_warm_start_saves_iterations_and_truncation_leaves_some() -> None:
    equations = measured_map(100, per_vertex=1)
    cold = MultigridSolver().solve(equations)
    assert MultigridSolver().solve(equations, guess=cold.x).iterations == 0
    near = cold.x + 1e-3 * np.random.default_rng(0).normal(size=cold.x.shape) * np.abs(cold.x).mean()
    assert 0 < MultigridSolver().solve(equations, guess=near).iterations < cold.iterations
    few = MultigridSolver(max_iterations=2, truncated=True).solve(equations)
    assert few.iterations == 2
    assert cold.residual < few.residual < 0.1
    with pytest.raises(SolverError, match="no convergence in 2 iterations"):
        MultigridSolver(max_iterations=2).solve(equations)


def test_several_right_sides_at_once() -> None:
    equations = measured_map(40, 1)
    grids = Multigrid(equations.stencil)
    sides = np.random.default_rng(0).normal(size=(5, *equations.rhs.shape))
    solutions = grids.solve_all(sides, tolerance=1e-10)
    for side, solution in zip(sides, solutions, strict=True):
        np.testing.assert_allclose(solution, grids.solve(side, tolerance=1e-10).x, rtol=1e-7, atol=1e-9)
    assert grids.solve_all(sides[:0]).shape == (0, *equations.rhs.shape)


@pytest.mark.parametrize("channels", [0, 3])
def test_parts_do_not_change_a_bit(channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    equations = measured_map(44, channels)
    whole = Multigrid(equations.stencil).cycle(equations.rhs)

    def thirds(matrix: object, rows: int, *, threads: bool = True) -> list[tuple[int, int]]:
        return [(k * rows // 3, (k + 1) * rows // 3) for k in range(3)]

    monkeypatch.setattr(multigrid, "_parts", thirds)
    assert np.array_equal(Multigrid(equations.stencil).cycle(equations.rhs), whole)


def test_damped_equations_are_solved_as_such() -> None:
    equations = measured_map(30, 3)
    damped = Damped(equations, 0.1 * equations.diagonal())
    np.testing.assert_allclose(EXACT.solve(damped).x, DirectSolver().solve(damped).x, rtol=1e-7, atol=1e-9)
    with pytest.raises(InputError, match="differs between the colours"):
        EXACT.solve(Damped(equations, np.random.default_rng(0).random(equations.rhs.shape)))


def test_other_systems_are_refused() -> None:
    with pytest.raises(UsageError, match="SparseSystem"):
        MultigridSolver().solve(SparseSystem(csr_array(np.eye(2)), np.ones(2)))


def test_singular_systems_are_refused() -> None:
    equations = grid_example(9, 9, 1, hidden=4).equations
    zeros = int((equations.diagonal() == 0).sum())
    with pytest.raises(SolverError, match=rf"162 unknowns: .* {zeros} unknowns have a zero diagonal"):
        MultigridSolver().solve(equations)
    with pytest.raises(SolverError, match="zero diagonal"):
        Multigrid(equations.stencil).solve_all(np.ones((2, 9, 9, 2)))
    floating = SmoothnessPrior(0.1).add_to(NormalEquations.zeros(20, 20, 0), np.zeros((20, 20, 1)))
    with pytest.raises(SolverError, match="400 unknowns"):
        MultigridSolver().solve(replace(floating, vector=np.ones((20, 20, 1))))


def test_an_indefinite_system_is_refused() -> None:
    matrix = np.zeros((6, 6, 4, 1))
    matrix[:, :, 0], matrix[:, :, 1] = 1, 2
    system = NormalEquations(BlockStencil(matrix), np.random.default_rng(0).normal(size=(6, 6, 1)), 0.0, 0)
    with pytest.raises(SolverError, match="36 unknowns"):
        MultigridSolver().solve(system)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(bad: float) -> None:
    equations = measured_map(12)
    vector = equations.vector.copy()
    vector[1, 2] = bad
    with pytest.raises(SolverError, match="right-hand side is not finite"):
        MultigridSolver().solve(replace(equations, vector=vector))
    for axis in (0, 1):  # on the diagonal, and beside it
        matrix = equations.stencil.matrix.copy()
        matrix[5, 6, axis] = bad
        with pytest.raises(SolverError):
            MultigridSolver().solve(replace(equations, stencil=BlockStencil(matrix)))


def test_a_zero_right_side_gives_zero() -> None:
    equations = replace(measured_map(9), vector=np.zeros((9, 9, 1)))
    assert not MultigridSolver().solve(equations).x.any()


def test_arrays_of_another_shape_are_refused() -> None:
    grids = Multigrid(measured_map(9).stencil)
    with pytest.raises(InputError, match="rhs"):
        grids.solve(np.ones((9, 9, 2)))
    with pytest.raises(InputError, match="guess"):
        grids.solve(np.ones((9, 9, 1)), np.ones((8, 9, 1)))


@pytest.mark.parametrize("shape", [(5, 7), (6, 8), (1, 6), (4, 1), (2, 2)], ids=str)
def test_the_coarse_matrix_is_the_galerkin_product(shape: tuple[int, int]) -> None:
    stencil = BlockStencil(np.random.default_rng(0).normal(size=(*shape, 4, 3)))
    rows, cols = (n // 2 + 1 for n in shape)
    fine, coarse = zero_lines(*shape, 3), zero_lines(rows, cols, 3)
    fill_lines(stencil.matrix, fine, 0, shape[0])
    coarsen(fine, coarse, 0, (fine.shape[0] - 1) // 2)
    # The interpolation, from what it means: hat functions of the coarse triangles at the fine vertices.
    P = np.zeros((*shape, coarse.shape[0] - 2, coarse.shape[3] - 2))
    for i, j in np.ndindex(shape):
        row, col, s, t = i // 2, j // 2, (i % 2) / 2, (j % 2) / 2  # its coarse quad, and where it is in that
        P[i, j, row, col] += 1 - s - t
        if t:
            P[i, j, row, col + 1] += t
        if s:
            P[i, j, row + 1, col] += s
    P = kron(csr_array(P.reshape(shape[0] * shape[1], -1)), np.eye(2))
    expected = (P.T @ stencil.to_csr() @ P).toarray()
    np.testing.assert_allclose(to_stencil(coarse).to_csr().toarray(), expected, atol=1e-13)


@pytest.mark.parametrize("channels", [0, 3])
def test_no_eigenvalue_exceeds_the_bound(channels: int) -> None:
    equations = measured_map(24, channels, per_vertex=0.1, depth=1e4)
    blocks = equations.diagonal_blocks()
    half = np.linalg.inv(np.linalg.cholesky(blocks))
    width, count = blocks.shape[1], len(blocks)
    L = csr_array(kron(eye_array(count), np.ones((width, width))))
    L.data[:] = half.ravel()
    largest = eigsh(L @ equations.to_csr() @ L.T, 1, return_eigenvectors=False)[0]
    assert 0.8 * LARGEST_EIGENVALUE < largest <= LARGEST_EIGENVALUE * (1 + 1e-12)
