"""Marginal variances against inverses."""

import numpy as np
import pytest
from grid_examples import grid_example

from glrender.errors import SolverError
from glrender.solve.dissection import Region, dissect
from glrender.solve.marginals import marginal_variances, marginal_variances_at
from glrender.solve.priors import GaussianPrior, SmoothnessPrior
from glrender.solve.stencil import BlockStencil
from glrender.solve.systems import NormalEquations


def from_dense_inverse(stencil: BlockStencil) -> np.ndarray:
    diagonal = np.linalg.inv(stencil.to_csr().toarray()).diagonal()
    return diagonal.reshape(*stencil.shape, 1 + stencil.channels)[:, :, 0]


@pytest.mark.parametrize(("rows", "cols"), [(2, 2), (2, 40), (33, 3), (17, 17), (21, 34)])
def test_variances_are_the_diagonal_of_the_dense_inverse(rows: int, cols: int) -> None:
    stencil = grid_example(rows, cols, 0).equations.stencil
    np.testing.assert_allclose(marginal_variances(stencil), from_dense_inverse(stencil), rtol=1e-9)


@pytest.mark.parametrize("channels", [1, 3])
def test_unknown_colors_make_heights_less_certain(channels: int) -> None:
    stencil = grid_example(11, 12, channels).equations.stencil
    variances = marginal_variances(stencil)
    np.testing.assert_allclose(variances, from_dense_inverse(stencil), rtol=1e-9)
    assert (variances > marginal_variances(stencil.heights_only())).all()


@pytest.mark.parametrize("sigma", [1.0, 100.0])
def test_a_weak_prior_makes_unseen_cells_regular(sigma: float) -> None:
    example = grid_example(19, 22, 0, hidden=8)
    prior = GaussianPrior(np.zeros(example.shape), sigma)
    stencil = prior.add_to(example.equations, np.zeros(example.shape)).stencil
    variances = marginal_variances(stencil)
    np.testing.assert_allclose(variances, from_dense_inverse(stencil), rtol=1e-6)
    np.testing.assert_allclose(variances[example.equations.diagonal()[:, :, 0] == 0], sigma**2, rtol=1e-9)


def test_smoothness_carries_certainty_into_unseen_cells() -> None:
    example = grid_example(19, 22, 0, hidden=8)
    stencil = SmoothnessPrior(10.0).add_to(example.equations, np.zeros(example.shape)).stencil
    variances = marginal_variances(stencil)
    np.testing.assert_allclose(variances, from_dense_inverse(stencil), rtol=1e-6)
    assert variances[9, 11] == variances.max()


@pytest.mark.parametrize("channels", [0, 1])
def test_unseen_heights_have_infinite_variance(channels: int) -> None:
    example = grid_example(15, 14, channels, hidden=6)
    equations = example.equations
    unseen = equations.diagonal()[:, :, 0] == 0
    variances = marginal_variances(equations.stencil)
    assert unseen.any()
    assert np.isinf(variances[unseen]).all()
    seen = np.repeat(~unseen.ravel(), 1 + channels)
    inverse = np.linalg.inv(example.information.toarray()[np.ix_(seen, seen)])
    np.testing.assert_allclose(variances[~unseen], inverse.diagonal()[:: 1 + channels], rtol=1e-7)


def test_a_larger_map_satisfies_the_definition() -> None:
    """One column of the inverse at a time, by a solver that has nothing in common with the recursion."""
    from scipy.sparse.linalg import spsolve

    example = grid_example(70, 61, 0)
    variances = marginal_variances(example.equations.stencil).ravel()
    for vertex in (0, 60, 30 * 61 + 29, 35 * 61, 70 * 61 - 1):
        unit = np.zeros(70 * 61)
        unit[vertex] = 1
        assert variances[vertex] == pytest.approx(spsolve(example.information.tocsc(), unit)[vertex], rel=1e-9)


def test_a_singular_matrix_is_refused_by_the_vertex() -> None:
    smooth = SmoothnessPrior(0.1).add_to(NormalEquations.zeros(12, 12, 0), np.zeros((12, 12, 1))).stencil
    with pytest.raises(SolverError, match=r"singular at vertex \(\d+, \d+\).*prior"):
        marginal_variances(smooth)
    indefinite = BlockStencil.zeros(4, 4, 0)
    indefinite.matrix[:, :, 0] = 1
    indefinite.matrix[2, 1, 0] = -1
    with pytest.raises(SolverError, match=r"vertex \(2, 1\)"):
        marginal_variances(indefinite)
    indefinite.matrix[2, 1, 0] = np.nan
    with pytest.raises(SolverError, match="not finite"):
        marginal_variances(indefinite)


@pytest.mark.parametrize("seed", range(10))
def test_too_few_measurements_are_refused_whatever_the_rounding(seed: int) -> None:
    """Two measurements of four heights: the last two pivots are zero up to rounding, of either sign."""
    with pytest.raises(SolverError, match="singular"):
        marginal_variances(grid_example(2, 2, 0, seed=seed, per_triangle=1).equations.stencil)


def test_the_matrix_is_left_alone() -> None:
    stencil = grid_example(8, 8, 0, hidden=2).equations.stencil
    before = stencil.matrix.copy()
    marginal_variances(stencil)
    np.testing.assert_array_equal(stencil.matrix, before)


@pytest.mark.parametrize(("rows", "cols", "leaf"), [(2, 2, 1), (9, 14, 1), (9, 14, 6), (1, 20, 4), (5, 5, 64)])
def test_dissection_eliminates_every_vertex_once_and_separates(rows: int, cols: int, leaf: int) -> None:
    eliminated: list[int] = []

    def visit(region: Region) -> None:
        for child in region.children:
            assert set(child.border) <= set(region.own) | set(region.border)
            visit(child)
        eliminated.extend(region.own)
        for vertex in region.own:
            i, j = divmod(int(vertex), cols)
            for s, t in ((i, j + 1), (i, j - 1), (i + 1, j), (i - 1, j), (i + 1, j - 1), (i - 1, j + 1)):
                if 0 <= s < rows and 0 <= t < cols:
                    other = s * cols + t
                    assert other in region.own or other in region.border or other in eliminated

    visit(dissect(rows, cols, leaf))
    assert sorted(eliminated) == list(range(rows * cols))


def test_tiles_agree_with_the_whole_where_something_was_measured() -> None:
    example = grid_example(230, 420, 0, hidden=60)
    stencil = SmoothnessPrior(10.0).add_to(example.equations, np.zeros(example.shape)).stencil
    measured = example.equations.diagonal()[:, :, 0] > 0
    whole, tiles = marginal_variances(stencil), marginal_variances_at(stencil, measured)
    np.testing.assert_allclose(tiles[measured], whole[measured], rtol=2e-4)
    assert np.isnan(tiles[~measured]).all()
    assert (~measured).sum() > 3000


def test_a_map_of_one_tile_is_exact() -> None:
    stencil = grid_example(40, 30, 1).equations.stencil
    everywhere = np.ones((40, 30), bool)
    np.testing.assert_array_equal(marginal_variances_at(stencil, everywhere), marginal_variances(stencil))
    assert np.isnan(marginal_variances_at(stencil, ~everywhere)).all()
