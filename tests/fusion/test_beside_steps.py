"""Which vertices are beside a step."""

import numpy as np
from numpy.typing import NDArray

from glrender.fusion.steps import beside_steps


def wall(height: float) -> NDArray[np.float64]:
    """Between columns 9 and 10."""
    return np.where(np.arange(20) > 9, height, 0.0) * np.ones((6, 1))


def test_two_vertices_to_each_side_of_a_step() -> None:
    columns = beside_steps(wall(1.0), 0.1, 1.5).all(axis=0)
    np.testing.assert_array_equal(np.flatnonzero(columns), [8, 9, 10, 11])


def test_a_step_is_steeper_than_the_steepest_over_two_cells() -> None:
    assert not beside_steps(wall(0.29), 0.1, 1.5).any()
    assert beside_steps(wall(0.31), 0.1, 1.5).any()


def test_a_slope_is_none() -> None:
    slope = 0.14 * np.arange(20) * np.ones((6, 1))
    assert not beside_steps(slope, 0.1, 1.5).any()
    assert beside_steps(slope, 0.1, 1.3).all()
