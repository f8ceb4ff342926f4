"""Equations that say little, and those that rounding has left with less than nothing."""

import numpy as np

from glrender.frontend.normal_equations import inverse, solved


def test_what_is_told_is_solved_and_what_is_not_stays() -> None:
    matrix, vector = np.diag([4.0, 0.0, 1e-8]), np.array([2.0, 0.0, 3e-8])
    np.testing.assert_allclose(solved(matrix, vector), [0.5, 0.0, 3.0], rtol=1e-6)
    assert inverse(matrix)[1, 1] > 1e6


def test_rounding_that_makes_information_negative_leaves_numbers() -> None:
    """As where gain and bias are eliminated of a photograph whose points all lie in one pixel."""
    matrix = np.array([[1.0, 1.0, 0.5], [1.0, 1.0 - 1e-7, 0.5], [0.5, 0.5, 1.0]])
    assert np.linalg.eigvalsh(matrix)[0] < 0
    assert np.isfinite(solved(matrix, np.array([1.0, 1.0, 0.5]))).all()
    assert np.isfinite(inverse(matrix)).all()
