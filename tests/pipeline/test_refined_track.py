"""How high a camera is above rough ground, over many grounds."""

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.pipeline.refined_track import above_ground

CAMERA = Camera(160, 120, 138.6, 138.6, 79.5, 59.5)
HEIGHT = 0.8
RELIEF = 0.03
"""Metres, standard deviation."""
LOOKING = se3.look_at((0.0, 0.0, HEIGHT), (0.0, 0.7, 0.0))


def ground(rng: np.random.Generator) -> np.ndarray:
    """(K, 3): every tenth of a metre, on hills half a metre wide; its mean is 0 where the carrier of the camera is."""
    relief = gaussian_filter(rng.normal(size=(60, 60)), 2.5, mode="wrap")
    relief *= RELIEF / relief.std()
    x, y = (each.ravel() for each in np.meshgrid(np.linspace(-2, 2, 41), np.linspace(-1, 3, 41)))
    z = map_coordinates(relief, [10 * y + 15, 10 * x + 25], order=1)
    return np.column_stack([x, y, z - gaussian_filter(relief, 2.0, mode="wrap")[15, 25]])


def test_sigma_is_that_of_many_grounds() -> None:
    rng = np.random.default_rng(4)
    found = [above_ground(CAMERA, LOOKING, ground(rng)) for _ in range(300)]
    wrong, sigma = np.array([each for each in found if each is not None]).T
    assert len(wrong) == 300
    wrong = wrong - HEIGHT
    assert np.sqrt(np.mean(np.square(wrong))) > 0.5 * RELIEF
    assert 0.7 < np.mean(np.square(wrong)) / np.mean(np.square(sigma)) < 1.5


def test_level_ground_leaves_nothing_open() -> None:
    x, y = (each.ravel() for each in np.meshgrid(np.linspace(-2, 2, 41), np.linspace(-1, 3, 41)))
    found = above_ground(CAMERA, LOOKING, np.column_stack([x, y, 0 * x]))
    assert found is not None
    np.testing.assert_allclose(found, (HEIGHT, 0), atol=1e-12)


def test_what_lies_on_the_ground_does_not_count() -> None:
    rng = np.random.default_rng(0)
    x, y = (each.ravel() for each in np.meshgrid(np.linspace(-2, 2, 41), np.linspace(-1, 3, 41)))
    z = rng.normal(scale=1e-3, size=len(x)) + np.where(rng.uniform(size=len(x)) < 0.2, 0.2, 0.0)
    found = above_ground(CAMERA, LOOKING, np.column_stack([x, y, z]))
    assert found is not None
    assert abs(found[0] - HEIGHT) < 2e-3
    assert found[1] < 2e-3


def test_what_the_image_does_not_show_does_not_count() -> None:
    behind = np.column_stack([np.linspace(-1, 1, 30), np.full(30, -3.0), np.zeros(30)])
    assert above_ground(CAMERA, LOOKING, behind) is None
