"""A map of estimated poses, moved into the true world."""

import numpy as np
import pytest

from glrender.geometry.heightmap import HeightMap
from glrender.geometry.trajectory_alignment import align_trajectories
from glrender.pipeline.trajectory_error import moved_map


def test_what_is_uncertain_grows_with_the_map() -> None:
    true = np.random.default_rng(0).normal(size=(5, 3))
    sigma = np.full((4, 5), 0.01)
    half = HeightMap(np.ones((4, 5)), 0.1, sigma=sigma, local_sigma=sigma / 4)
    moved = moved_map(half, align_trajectories(true / 2, true, scale=True))
    assert moved.spacing == pytest.approx(0.2)
    np.testing.assert_allclose(moved.heights, 2)
    np.testing.assert_allclose(moved.sigma, 0.02)
    np.testing.assert_allclose(moved.local_sigma, 0.005)
