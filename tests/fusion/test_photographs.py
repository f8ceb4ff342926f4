"""Which photographs make a group, and what is kept of them."""

import numpy as np
import pytest

from glrender.fusion.photographs import FEWEST, MOST, Photograph, PhotographGroup, distance_to
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap

IMAGE = np.full((12, 16, 3), 0.25, np.float32)


def at(x: float) -> Photograph:
    return Photograph.of(se3.look_at((x, 0.0, 1.0), (x, 0.0, 0.0), (0, 1, 0)), IMAGE)


def gathered(*places: float) -> PhotographGroup:
    group = PhotographGroup()
    for x in places:
        group = group.with_photograph(at(x), 1.0)
    return group


def test_a_camera_that_stays_gives_one() -> None:
    assert len(gathered(*[0.0] * 20, 0.01, 0.02).members) == 1


def test_a_group_is_complete_when_it_is_large_enough() -> None:
    places = 0.05 * np.arange(MOST)
    assert not gathered(*places[:-1]).complete
    assert gathered(*places).complete


def test_or_when_its_ends_are_far_apart() -> None:
    assert not gathered(0.0, 0.7).complete, "two are too few"
    group = gathered(0.0, 0.4, 0.8)
    assert group.complete
    assert len(group.members) == FEWEST


def test_what_was_not_measured_and_what_was_too_bright_is_unknown() -> None:
    image = IMAGE.copy()
    image[3, 4] = np.nan
    image[5, 6, 1] = 1.0
    photograph = Photograph.of(np.eye(4), image)
    unknown = np.zeros((12, 16), bool)
    unknown[3, 4] = unknown[5, 6] = True
    np.testing.assert_array_equal(np.isnan(photograph.intensity), unknown)
    np.testing.assert_allclose(photograph.intensity[~unknown], 0.5, rtol=1e-6)
    assert photograph.intensity.dtype == np.float32


def test_reduced_it_is_that_of_the_reduced_camera() -> None:
    camera = Camera(50, 37, 40.0, 40.0, 24.5, 18.0)
    u, v = np.meshgrid(np.arange(50), np.arange(37))
    photograph = Photograph(np.eye(4), (0.01 * u + 0.002 * v).astype(np.float32))
    for step in (1, 2, 4, 8):
        small = photograph.reduced(step)
        assert small.shape == camera.every_nth_pixel(step).shape
        inner = np.s_[2:-2, 2:-2] if step > 1 else np.s_[:, :]
        np.testing.assert_allclose(small[inner], photograph.intensity[::step, ::step][inner], atol=1e-5)


def test_how_far_the_ground_is() -> None:
    ground, camera = HeightMap(np.full((11, 11), 0.2), 0.1, (-0.5, -0.5)), Camera(64, 48, 60.0, 60.0, 31.5, 23.5)
    assert distance_to(ground, camera, at(0.0).T_world_camera) == pytest.approx(0.8)
    assert distance_to(ground, camera, at(9.0).T_world_camera) is None
