"""Poses that were refined about ground of an assumed height and tilt are laid over those that were given."""

import numpy as np
from numpy.typing import NDArray

from glrender.geometry import se3
from glrender.pipeline.refine_with_map import LEVEL_SIGMA, _laid_over

SIGMA = 0.01


def path(bend: float) -> NDArray[np.float64]:
    """(25, 4, 4): 1.2 m straight on at 0.7 m, and `bend` metres to the side, looking ahead."""
    t = np.linspace(0, 1, 25)
    eyes = np.column_stack([1.2 * t, bend * np.sin(5 * t), 0.7 + 0.2 * bend * np.cos(7 * t)])
    return np.stack([se3.look_at(eye, eye + np.array([1.0, 0.0, -0.8])) for eye in eyes])


def otherwise(poses: NDArray[np.float64], turn: tuple[float, float, float], scale: float) -> NDArray[np.float64]:
    """The same motion in a world that is turned and larger."""
    T = se3.exp([0.1, -0.2, 0.05, *turn])
    larger = poses.copy()
    larger[:, :3, 3] *= scale
    return T @ larger


def test_place_turn_and_scale_are_those_of_the_given_positions() -> None:
    given = path(0.4)
    laid = _laid_over(otherwise(given, (0.004, -0.006, 0.008), 1.03), given, 0.1 * SIGMA)
    np.testing.assert_allclose(laid[:, :3, 3], given[:, :3, 3], atol=2e-3)
    np.testing.assert_allclose(laid[:, :3, :3], given[:, :3, :3], atol=2e-3)


def test_nothing_turns_about_a_straight_line() -> None:
    """Whatever the noise of the positions: level ground stays level."""
    given = path(0.0)
    noisy = given.copy()
    noisy[:, :3, 3] += SIGMA * np.random.default_rng(2).normal(size=(25, 3))
    laid = _laid_over(given, noisy, SIGMA)
    turn = se3.log(laid[0] @ se3.inverse(given[0]))[3:]
    assert abs(turn[0]) < 0.1 * LEVEL_SIGMA
    assert np.abs(laid[:, :3, 3] - given[:, :3, 3]).max() < SIGMA


def test_a_camera_that_stays_in_place_tells_no_scale() -> None:
    given = path(0.0)
    given[:, :3, 3] = given[0, :3, 3] + 1e-4 * np.random.default_rng(3).normal(size=(25, 3))
    shaken = given.copy()
    shaken[:, :3, 3] += SIGMA * np.random.default_rng(4).normal(size=(25, 3))
    laid = _laid_over(given, shaken, SIGMA)
    arms = laid[:, :3, 3] - laid[:, :3, 3].mean(axis=0)
    np.testing.assert_allclose(arms, given[:, :3, 3] - given[:, :3, 3].mean(axis=0), atol=1e-5)
