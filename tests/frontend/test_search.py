"""Where a sweep looks: between two levels."""

import numpy as np
import pytest

from glrender.errors import InputError
from glrender.frontend.search import Search
from glrender.geometry import se3
from glrender.geometry.camera import Camera

CAMERA = Camera(48, 36, 40.0, 40.0, 23.5, 17.5)
POSE = se3.look_at((0.2, -1.0, 1.5), (0.0, 0.5, 0.0))


def test_each_step_between_two_heights_is_level_ground() -> None:
    T_world_map = se3.exp((0.1, 0.2, 0.3, 0.05, -0.1, 0.2))
    far, near = Search(T_world_map, -0.1, 0.4).bounds(CAMERA, POSE)
    T_map_camera = se3.inverse(T_world_map) @ POSE
    for share in (0.0, 0.3, 1.0):
        w = far.astype(np.float64) + share * (near - far)
        points = CAMERA.rays() / w[..., None] @ T_map_camera[:3, :3].T + T_map_camera[:3, 3]
        eye = T_map_camera[2, 3]
        height = eye - 1 / ((1 - share) / (eye + 0.1) + share / (eye - 0.4))
        np.testing.assert_allclose(points[..., 2], height, atol=1e-5)


def test_above_the_horizon_there_is_nothing_to_look_for() -> None:
    ahead = se3.look_at((0.0, 0.0, 1.0), (0.0, 1.0, 1.0))
    far, near = Search(np.eye(4), -0.1, 0.4).bounds(CAMERA, ahead)
    upper = CAMERA.rays()[..., 1] < 0
    np.testing.assert_array_equal(near > far, ~upper)
    assert not far[upper].any()
    assert not near[upper].any()


def test_a_camera_among_the_heights_looks_down_only() -> None:
    far, near = Search(np.eye(4), 0.0, 5.0).bounds(CAMERA, POSE)
    seen = near > 0
    assert seen.any()
    np.testing.assert_allclose(near[seen] / far[seen], 10, rtol=1e-5)


def test_heights_that_are_none_are_refused() -> None:
    for low, high in ((1.0, 1.0), (1.0, 0.0), (0.0, np.inf), (np.nan, 1.0)):
        with pytest.raises(InputError, match="low < high"):
            Search(np.eye(4), low, high)
