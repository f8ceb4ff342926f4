"""What the poses of all frames together displace the ground by, between the places where it is known."""

import numpy as np
import pytest
from flights import fly, rough_ground

from glrender.fusion.displacement import Displacement
from glrender.geometry import se3
from glrender.gl.context import Context


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


@pytest.mark.parametrize("upwards", [0.03, None])
def test_a_map_tells_what_all_of_it_is_displaced_by_apart(context: Context, upwards: float | None) -> None:
    flight = fly(context, rough_ground(), frames=8)
    fusion = flight.fusion(context)
    for pose, depth in zip(flight.poses, flight.depths, strict=True):
        fusion.integrate(pose, depth=depth)
    if upwards is not None:
        fusion.displacement = Displacement(np.zeros((1, 3)), np.diag([0.0, 0.0, upwards**2])[None])
    found = fusion.map()
    fusion.release()
    if upwards is None:
        assert found.local_sigma is None
        return
    known = np.isfinite(found.heights)
    apart = np.sqrt(np.square(found.sigma) - np.square(found.local_sigma))[known]
    np.testing.assert_allclose(apart, upwards, rtol=1e-6)
    assert np.median(found.local_sigma[known]) < 0.01
