"""Patches of a grid, and equations that are about their heights alone."""

import numpy as np
import pytest
from grid_examples import GridExample, grid_example
from scipy.sparse.linalg import spsolve

from glrender.solve.patch import LocalEquations, Patch, equations_on

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
def test_between_heights_that_are_right_a_patch_comes_out_right(patch: Patch) -> None:
    told = example()
    heights = spsolve(told.information.tocsc(), told.vector).reshape(ROWS, COLS)
    around = heights.copy()
    around[patch.slices] = np.nan  # the heights inside are not asked for
    local = equations_on(patch, [LocalEquations(WHOLE, told.equations)], around)
    found = np.linalg.solve(local.to_csr().toarray(), local.vector.ravel())
    np.testing.assert_allclose(found, heights[patch.slices].ravel(), atol=1e-10)


@pytest.mark.parametrize("patch", PATCHES)
def test_parts_about_other_patches_add_up(patch: Patch) -> None:
    others = [Patch(0, 6, 2, 9), Patch(5, 13, 0, 17), Patch(3, 10, 8, 15), WHOLE]
    told = [grid_example(*other.shape, 0, seed=k) for k, other in enumerate(others)]
    heights = np.random.default_rng(0).normal(size=(ROWS, COLS))
    matrix, vector = np.zeros((ROWS * COLS, ROWS * COLS)), np.zeros(ROWS * COLS)
    number = np.arange(ROWS * COLS).reshape(ROWS, COLS)
    for each, other in zip(told, others, strict=True):
        there = number[other.slices].ravel()
        matrix[np.ix_(there, there)] += each.information.toarray()
        vector[there] += each.vector
    inside = number[patch.slices].ravel()
    outside = np.setdiff1d(number, inside)
    given = vector[inside] - matrix[np.ix_(inside, outside)] @ heights.ravel()[outside]
    parts = [LocalEquations(other, each.equations) for other, each in zip(others, told, strict=True)]
    local = equations_on(patch, parts, heights)
    np.testing.assert_allclose(local.to_csr().toarray(), matrix[np.ix_(inside, inside)], atol=1e-10)
    np.testing.assert_allclose(local.vector.ravel(), given, atol=1e-9)
    assert local.count == sum(each.equations.count for each in told)


def test_hulls_and_what_patches_have_in_common() -> None:
    one, other = Patch(2, 5, 3, 9), Patch(4, 11, 1, 6)
    assert Patch.hull([one, other]) == Patch(2, 11, 1, 9)
    assert one.common(other) == Patch(4, 5, 3, 6)
    assert one.common(Patch(7, 9, 0, 20)).shape[0] == 0
    cells = np.zeros(one.shape, bool)
    assert one.around(cells) is None
    cells[1, 2], cells[2, 4] = True, True
    assert one.around(cells) == Patch(3, 5, 5, 8)


def test_values_of_another_patch() -> None:
    values = np.arange(ROWS * COLS, dtype=float).reshape(ROWS, COLS)
    one, other = Patch(2, 5, 3, 9), Patch(4, 11, 1, 6)
    taken = one.of(values[other.slices], other)
    assert taken.shape == one.shape
    known = np.isfinite(taken)
    assert known.sum() == np.prod(one.common(other).shape)
    np.testing.assert_array_equal(taken[known], values[one.slices][known])
    np.testing.assert_array_equal(values[one.slices], values[one.within(WHOLE)])
