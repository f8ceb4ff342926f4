"""How fast a camera moves, from its poses."""

import numpy as np

from glrender.frontend.camera_rates import camera_rates
from glrender.geometry import se3


def test_a_steady_motion() -> None:
    velocity = np.array([0.3, -0.1, 0.2, 0.2, 0.1, -0.4])
    times = np.array([0.0, 0.1, 0.25, 0.3, 0.45])
    rates = camera_rates(np.stack([se3.exp(-t * velocity) for t in times]), times)
    np.testing.assert_allclose(rates, [velocity] * 5, atol=1e-9)


def test_photographs_of_one_moment_do_not_tell_how_fast_the_camera_is() -> None:
    velocity = np.array([0.3, -0.1, 0.2, 0.0, 0.0, 0.0])
    times = np.array([0.0, 0.1, 0.1, 0.2, 0.2, 0.3])
    poses = np.stack([se3.exp(-t * velocity) for t in times])
    poses[2, 2, 3] += 0.01  # of the same moment as the one before
    rates = camera_rates(poses, times)
    np.testing.assert_allclose(rates[[0, 1]], [velocity] * 2, atol=1e-9)
    assert np.isfinite(rates).all()
    assert not camera_rates(poses[1:3], times[1:3]).any()
