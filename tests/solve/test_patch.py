"""Patches of a grid, and equations that are about their heights alone."""

import numpy as np
import pytest
from grid_examples import GridExample, grid_example
from scipy.sparse.linalg import spsolve

from glrender.solve.patch import Patch, given_around

ROWS, COLS = 13, 17
WHOLE = Patch.whole((ROWS, COLS))
PATCHES = [
    WHOLE,
    Patch(3, 9, 4, 12),
    Patch(0, 5, 0, 17),
    Patch(6, 13, 10, 17),
    Patch(4, 5, 3, 9),
    Patch(2, 11, 16, 17),
    Patch(7, 8, 8, 9),
]


def example() -> GridExample:
    return grid_example(ROWS, COLS, 0, per_triangle=4)


@pytest.mark.parametrize("patch", PATCHES)
def test_equations_given_the_heights_around(patch: Patch) -> None:
    told = example()
    heights = np.random.default_rng(0).normal(size=(ROWS, COLS))
    number = np.arange(ROWS * COLS).reshape(ROWS, COLS)
    inside = number[patch.slices].ravel()
    outside = np.setdiff1d(number, inside)
    matrix = told.information.toarray()
    local = given_around(told.equations, patch, heights)
    np.testing.assert_allclose(local.to_csr().toarray(), matrix[np.ix_(inside, inside)], atol=1e-10)
    given = told.vector[inside] - matrix[np.ix_(inside, outside)] @ heights.ravel()[outside]
    np.testing.assert_allclose(local.vector.ravel(), given, atol=1e-10)
    assert local.count == told.equations.count


@pytest.mark.parametrize("patch", PATCHES)
def test_between_heights_that_are_right_a_patch_comes_out_right(patch: Patch) -> None:
    told = example()
    heights = spsolve(told.information.tocsc(), told.vector).reshape(ROWS, COLS)
    around = heights.copy()
    around[patch.slices] = np.nan  # the heights inside are not asked for
    local = given_around(told.equations, patch, around)
    found = np.linalg.solve(local.to_csr().toarray(), local.vector.ravel())
    np.testing.assert_allclose(found, heights[patch.slices].ravel(), atol=1e-10)


def test_hulls_hold_all_and_no_more() -> None:
    one, other = Patch(2, 5, 3, 9), Patch(4, 11, 1, 6)
    assert Patch.hull([one, other]) == Patch(2, 11, 1, 9)
    assert Patch.hull([other]) == other


def test_values_at_vertices_of_the_grid() -> None:
    values = np.arange(ROWS * COLS, dtype=float).reshape(ROWS, COLS)
    rows, cols = (places.ravel() for places in np.indices((ROWS, COLS)))
    np.testing.assert_array_equal(WHOLE.at(rows, cols, values), values.ravel())
    patch = Patch(4, 11, 1, 6)
    found = patch.at(rows, cols, values[patch.slices]).reshape(ROWS, COLS)
    np.testing.assert_array_equal(found[patch.slices], values[patch.slices])
    assert np.isfinite(found).sum() == 35
