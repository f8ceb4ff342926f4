"""The block stencil against the matrix that it stands for."""

import numpy as np
import pytest
from grid_examples import grid_example

from glrender.errors import InputError
from glrender.solve.stencil import BlockStencil

shapes = pytest.mark.parametrize(("rows", "cols"), [(2, 2), (2, 7), (9, 2), (6, 8)])
channels = pytest.mark.parametrize("channels", [0, 1, 3])


@shapes
@channels
def test_stencil_equals_the_product_of_sparse_jacobians(rows: int, cols: int, channels: int) -> None:
    example = grid_example(rows, cols, channels, seed=rows * cols)
    stencil, expected = example.equations.stencil, example.information
    assert stencil.shape == (rows, cols)
    assert stencil.channels == channels
    np.testing.assert_allclose(stencil.to_csr().toarray(), expected.toarray(), atol=1e-12)
    np.testing.assert_allclose(stencil.diagonal().ravel(), expected.diagonal(), atol=1e-12)
    x = np.random.default_rng(1).normal(size=example.shape)
    np.testing.assert_allclose(stencil.matvec(x).ravel(), expected @ x.ravel(), atol=1e-10)


@channels
def test_diagonal_blocks_are_those_of_the_matrix(channels: int) -> None:
    example = grid_example(4, 5, channels)
    width = 1 + channels
    dense = example.information.toarray().reshape(20, width, 20, width)
    expected = dense[np.arange(20), :, np.arange(20), :]
    np.testing.assert_allclose(example.equations.stencil.diagonal_blocks(), expected, atol=1e-12)


def test_heights_only_are_the_rows_and_columns_of_the_heights() -> None:
    example = grid_example(4, 5, 3)
    heights = example.equations.stencil.heights_only()
    assert heights.channels == 0
    np.testing.assert_allclose(heights.to_csr().toarray(), example.information.toarray()[::4, ::4], atol=1e-12)


def test_sums_add_the_matrices() -> None:
    first, second = grid_example(4, 5, 1, seed=1), grid_example(4, 5, 1, seed=2)
    total = first.equations + second.equations
    np.testing.assert_allclose(total.to_csr().toarray(), (first.information + second.information).toarray(), atol=1e-12)
    np.testing.assert_allclose(total.vector.ravel(), first.vector + second.vector)
    assert total.count == len(first.residual) + len(second.residual)
    assert total.cost == pytest.approx(first.equations.cost + second.equations.cost)


@channels
def test_couplings_out_of_the_grid_are_ignored(channels: int) -> None:
    full = np.ones((3, 4, 4, 2 + channels if channels else 1))
    stencil = BlockStencil(full)
    matrix = stencil.to_csr()
    assert abs(matrix - matrix.T).max() == 0
    np.testing.assert_array_equal(
        matrix @ np.ones(matrix.shape[0]), stencil.matvec(np.ones((3, 4, 1 + channels))).ravel()
    )
    assert (
        matrix[[3 * (1 + channels)], [4 * (1 + channels)]] == 0
    )  # the end of a row does not meet the next row's start


def test_unseen_vertices_store_nothing() -> None:
    assert BlockStencil.zeros(3, 4, 1).to_csr().nnz == 0


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(InputError, match=r"\(any, any, 4, any\)"):
        BlockStencil(np.zeros((3, 3, 5, 1)))
    with pytest.raises(InputError, match="2 \\+ C"):
        BlockStencil(np.zeros((3, 3, 4, 2)))
    with pytest.raises(InputError, match=r"\(3, 3, 2\)"):
        BlockStencil.zeros(3, 3, 1).matvec(np.zeros((3, 3, 4)))
    with pytest.raises(InputError, match="sum of stencils"):
        BlockStencil.zeros(3, 3, 1) + BlockStencil.zeros(3, 3, 0)
