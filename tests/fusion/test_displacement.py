"""What the poses of all frames together displace the ground by, between the places where it is known."""

import numpy as np

from glrender.fusion.displacement import Displacement
from glrender.geometry import se3


def test_places_keep_theirs_and_between_them_it_is_between() -> None:
    covariances = np.stack([k * np.eye(3) for k in (1.0, 3.0)])
    found = Displacement(np.array([[0.0, 0, 0], [1.0, 0, 5.0]]), covariances)
    at = found.at(np.array([[0.0, 0, 9.0], [0.5, 0, 0], [0.9, 0, 0], [50.0, 0, 0]]))
    np.testing.assert_allclose(at[0], np.eye(3), rtol=1e-6)
    np.testing.assert_allclose(at[1], 2 * np.eye(3))
    assert 2.5 < at[2, 0, 0] < 3
    assert 1.9 < at[3, 0, 0] < 2.1


def test_in_the_frame_of_a_map_that_is_turned() -> None:
    """What is displaced along the world's x is so along the map's y, where that is the world's x."""
    T_world_map = np.eye(4)
    T_world_map[:3, :3] = np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])
    T_world_map[:3, 3] = (1.0, 2.0, 3.0)
    place = np.array([4.0, -5.0, 6.0])
    found = Displacement.in_frame(T_world_map, place[None], np.diag([4.0, 1.0, 0.0])[None])
    assert found is not None
    T = se3.inverse(T_world_map)
    np.testing.assert_allclose(found.places[0], T[:3, :3] @ place + T[:3, 3])
    np.testing.assert_allclose(found.covariances[0], np.diag([1.0, 4.0, 0.0]))
    assert Displacement.in_frame(T_world_map, np.zeros((0, 3)), np.zeros((0, 3, 3))) is None
