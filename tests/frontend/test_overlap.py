"""How much of what one photograph sees another one shows."""

import numpy as np
from moving_camera import CAMERA

from glrender.frontend.overlap import share_in_view
from glrender.geometry import se3


def test_points_are_counted_that_are_in_front_and_among_the_pixels() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(60, 3)) + np.array([0, 0, 1.0])
    T = np.stack([se3.exp(0.3 * rng.normal(size=6)) for _ in range(12)]).reshape(3, 4, 4, 4)
    seen = points @ T[..., :3, :3].swapaxes(-1, -2) + T[..., None, :3, 3]
    expected = CAMERA.contains(CAMERA.project(seen)).mean(axis=-1)
    assert 0 < np.median(expected) < expected.max() < 0.8
    np.testing.assert_allclose(share_in_view(CAMERA, T, points), expected)
    np.testing.assert_allclose(share_in_view(CAMERA, T[1, 2], points), expected[1, 2])


def test_nothing_is_shown_of_no_points() -> None:
    assert (share_in_view(CAMERA, np.tile(np.eye(4), (2, 1, 1)), np.zeros((0, 3))) == 0).all()
