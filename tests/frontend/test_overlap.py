"""How much of what one photograph sees another one shows."""

import numpy as np
import pytest
from moving_camera import CAMERA

from glrender.frontend.overlap import share_in_view, size_in_view
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


@pytest.mark.parametrize(
    "motion",
    [(0.05, 0.02, -0.1, 0.02, 0.1, 0.3), (0, 0.3, 0.6, 0.2, 0, 0), (0, 0.85, 0, -0.9, 0, 0), (0, 0, -0.4, 0, 0, 0)],
)
def test_pieces_of_ground_are_as_large_as_they_are_seen(motion: tuple[float, ...]) -> None:
    """By the corners of a square of a thousandth of a pixel, carried over to the other camera on a plane."""
    normal = np.array([0.1, -0.8, -0.6]) / np.linalg.norm([0.1, -0.8, -0.6])
    T, side = se3.exp(motion), 1e-3
    rng = np.random.default_rng(1)
    pixels = rng.uniform((0, CAMERA.height / 2), (CAMERA.width - 1, CAMERA.height - 1), (60, 2))
    corners = pixels[:, None] + side * np.array([(0, 0), (1, 0), (0, 1)])
    rays = CAMERA.rays_through(corners)
    on_ground = rays * (-0.9 / (rays @ normal))[..., None]
    there = on_ground @ T[:3, :3].T + T[:3, 3]
    seen, before = CAMERA.project(there), there[:, 0, 2] > 0
    sizes = np.linalg.det(np.where(before[:, None, None], seen[:, 1:] - seen[:, :1], 0)) / side**2
    sizes = np.clip(sizes, 0, 1)
    slopes = normal / (rays[:, 0] @ normal)[:, None]
    assert size_in_view(T, on_ground[:, 0], slopes) == pytest.approx(sizes.mean(), abs=1e-4)
    facing = np.where(before, np.minimum((on_ground[:, 0, 2] / there[:, 0, 2]) ** 2, 1), 0)
    assert size_in_view(T, on_ground[:, 0], np.zeros((60, 3))) == pytest.approx(facing.mean())


def test_nothing_is_large_of_no_points() -> None:
    assert size_in_view(np.eye(4), np.zeros((0, 3)), np.zeros((0, 3))) == 0
