"""Where a sweep looks: planes, depths, and bands around a map."""

from collections.abc import Iterator

import numpy as np
import pytest

from glrender.errors import InputError
from glrender.frontend.search import Search
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.render.forward import ForwardRenderer

CAMERA = Camera(48, 36, 40.0, 40.0, 23.5, 17.5)
POSE = se3.look_at((0.2, -1.0, 1.5), (0.0, 0.5, 0.0))


@pytest.fixture(scope="module")
def renderer(context: Context) -> Iterator[ForwardRenderer]:
    renderer = ForwardRenderer(context, CAMERA)
    yield renderer
    renderer.release()


def test_each_step_between_two_heights_is_level_ground(renderer: ForwardRenderer) -> None:
    T_world_map = se3.exp((0.1, 0.2, 0.3, 0.05, -0.1, 0.2))
    far, near = Search.heights(T_world_map, -0.1, 0.4).bounds(POSE, renderer)
    T_map_camera = se3.inverse(T_world_map) @ POSE
    for share in (0.0, 0.3, 1.0):
        w = far.astype(np.float64) + share * (near - far)
        points = CAMERA.rays() / w[..., None] @ T_map_camera[:3, :3].T + T_map_camera[:3, 3]
        eye = T_map_camera[2, 3]
        height = eye - 1 / ((1 - share) / (eye + 0.1) + share / (eye - 0.4))
        np.testing.assert_allclose(points[..., 2], height, atol=1e-5)


def test_above_the_horizon_there_is_nothing_to_look_for(renderer: ForwardRenderer) -> None:
    ahead = se3.look_at((0.0, 0.0, 1.0), (0.0, 1.0, 1.0))
    far, near = Search.heights(None, -0.1, 0.4).bounds(ahead, renderer)
    upper = CAMERA.rays()[..., 1] < 0
    np.testing.assert_array_equal(near > far, ~upper)
    assert not far[upper].any()
    assert not near[upper].any()


def test_a_camera_among_the_heights_looks_down_only(renderer: ForwardRenderer) -> None:
    far, near = Search.heights(None, 0.0, 5.0).bounds(POSE, renderer)
    seen = near > 0
    assert seen.any()
    np.testing.assert_allclose(near[seen] / far[seen], 10, rtol=1e-5)


@pytest.mark.parametrize("far", [4.0, np.inf])
def test_depths_are_the_same_for_all_pixels(renderer: ForwardRenderer, far: float) -> None:
    bounds = Search.depths(0.5, far).bounds(POSE, renderer)
    np.testing.assert_allclose(bounds.far, 1 / far)
    np.testing.assert_allclose(bounds.near, 2)


def test_around_a_map_its_heights_move_by_the_band(renderer: ForwardRenderer) -> None:
    rng = np.random.default_rng(0)
    ground = HeightMap(0.05 * rng.normal(size=(21, 31)), 0.05, (-0.75, -0.5))
    depth = renderer.render(ground, POSE).depth
    bands = np.full(ground.shape, 0.1)
    far, near = Search.around(ground, bands).bounds(POSE, renderer)
    seen = depth > 0
    assert 0.1 < seen.mean() < 0.95
    assert not far[~seen].any()
    assert not near[~seen].any()
    incidence = np.abs(CAMERA.rays() @ POSE[2, :3])[seen]
    np.testing.assert_allclose((1 / far[seen] - depth[seen]) * incidence, 0.1, atol=1e-4)
    np.testing.assert_allclose((depth[seen] - 1 / near[seen]) * incidence, 0.1, atol=1e-4)
    np.testing.assert_array_equal(Search.around(ground, 0.1).bounds(POSE, renderer).far, far)


def test_searches_that_make_no_sense_are_refused() -> None:
    with pytest.raises(InputError, match="0 < near < far"):
        Search.depths(2.0, 1.0)
    with pytest.raises(InputError, match="low < high"):
        Search.heights(None, 1.0, 1.0)
    ground = HeightMap(np.zeros((3, 3)), 1.0)
    with pytest.raises(InputError, match="search band"):
        Search.around(ground, -1.0)
    with pytest.raises(InputError, match="more than 0"):
        Search.around(ground, np.zeros((3, 3)))
