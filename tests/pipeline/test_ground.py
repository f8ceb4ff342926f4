"""The level of the ground is found from photographs whose poses are known, and only where these tell it."""

import numpy as np
import pytest
from numpy.typing import NDArray

from glrender.errors import InputError
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.geometry.intensity import intensity
from glrender.gl.context import Context
from glrender.pipeline.ground import find_ground
from glrender.render.forward import ForwardRenderer

CAMERA = Camera(160, 120, 140.0, 140.0, 79.5, 59.5)
Images = list[NDArray[np.float32]]


@pytest.fixture(scope="module")
def textured() -> HeightMap:
    """Level ground at 0.3 m with a ridge on it, 6 m a side, of random colours that are smooth over 4 cm."""
    rng = np.random.default_rng(0)
    colors = sum(np.kron(rng.random((301 // k + 1, 301 // k + 1)), np.ones((k, k)))[:301, :301] for k in (2, 6, 20)) / 3
    heights = np.full((301, 301), 0.3)
    heights[:, 140:150] += 0.1
    return HeightMap(heights, 0.02, (-3.0, -3.0), colors[..., None])


def flown(context: Context, ground: HeightMap, poses: list[NDArray[np.float64]]) -> Images:
    renderer = ForwardRenderer(context, CAMERA)
    images = [intensity(renderer.render(ground, pose).image) for pose in poses]
    renderer.release()
    return images


def path(step: float, count: int = 12, tilt: float = 0.4) -> list[NDArray[np.float64]]:
    """Along x at a height of 1.5 m, looking `tilt` metres ahead a metre down."""
    return [se3.look_at((k * step - 1, 0, 1.5), (k * step - 1, 0.5 + tilt, 0.3)) for k in range(count)]


@pytest.mark.parametrize("step", [0.02, 0.1])
def test_the_level_on_which_photographs_agree(context: Context, textured: HeightMap, step: float) -> None:
    poses = path(step)
    images = flown(context, textured, poses)
    found = find_ground(CAMERA, poses, images.__getitem__)
    assert found.height == pytest.approx(0.3, abs=0.04)
    assert found.likeness > 0.8
    assert found.camera_height(poses[0], np.eye(4)) == pytest.approx(1.2, abs=0.04)


def test_a_camera_that_comes_back_to_where_it_was(context: Context, textured: HeightMap) -> None:
    """Photographs from one place have no baseline, however far the camera went in between."""
    poses = [*path(0.1, 7), *path(0.1, 6)[::-1]]
    images = flown(context, textured, poses)
    assert find_ground(CAMERA, poses, images.__getitem__).height == pytest.approx(0.3, abs=0.04)


def test_in_another_map_frame_and_with_files_that_cannot_be_read(context: Context, textured: HeightMap) -> None:
    poses = path(0.1)
    images = flown(context, textured, poses)
    T_world_map = np.eye(4)
    T_world_map[2, 3] = 5.0
    found = find_ground(CAMERA, poses, lambda k: None if k in (0, 5) else images[k], T_world_map)
    assert found.height == pytest.approx(0.3 - 5, abs=0.04)


def test_a_camera_that_stands_still_tells_nothing(context: Context, textured: HeightMap) -> None:
    poses = [path(0.1)[0]] * 5
    with pytest.raises(InputError, match="stands in one place"):
        find_ground(CAMERA, poses, flown(context, textured, poses).__getitem__)


def test_photographs_of_other_places_agree_on_nothing() -> None:
    rng = np.random.default_rng(1)
    poses = path(0.1)
    images = [rng.random(CAMERA.shape).astype(np.float32) for _ in poses]
    with pytest.raises(InputError, match="agree on no level"):
        find_ground(CAMERA, poses, images.__getitem__)


def test_photographs_that_cannot_be_read_tell_nothing() -> None:
    poses = path(0.1)
    with pytest.raises(InputError, match=r"0 of the \d+ that are compared can be read"):
        find_ground(CAMERA, poses, lambda k: None)
