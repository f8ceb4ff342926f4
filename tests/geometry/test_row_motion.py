"""Where an image shows things whose rows were exposed one after the other, against a camera that moves on."""

import numpy as np

from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.geometry.row_motion import RowMotion

CAMERA = Camera(160, 120, 130.0, 128.0, 78.0, 63.0)
TWIST = np.array([0.012, -0.006, 0.004, 0.01, -0.012, 0.015])
PLANE = np.array([0.1, 0.6, 1.1])
GRID = np.meshgrid(np.arange(160.0), np.arange(120.0))


def test_pixels_are_those_of_the_camera_when_their_rows_are_exposed() -> None:
    columns, rows = RowMotion(TWIST, PLANE).pixels(CAMERA)
    assert np.abs(columns - GRID[0]).max() > 0.5
    assert np.abs(rows - GRID[1]).max() > 1
    rays = CAMERA.rays()
    for v, u in ((0, 0), (0, 159), (30, 90), (63, 78), (100, 20), (119, 159)):
        X = rays[v, u] / (rays[v, u] @ PLANE)
        T = se3.exp((rows[v, u] - CAMERA.cy) / CAMERA.height * TWIST)
        seen = CAMERA.project((T[:3, :3] @ X + T[:3, 3])[None])[0]
        np.testing.assert_allclose((columns[v, u], rows[v, u]), seen, atol=0.01)


def test_a_camera_that_stands_still_sees_everything_where_it_is() -> None:
    for each, pixels in zip(RowMotion(np.zeros(6), PLANE).pixels(CAMERA), GRID, strict=True):
        np.testing.assert_allclose(each, pixels, atol=1e-4)


def test_the_unit_of_length_does_not_matter() -> None:
    motion = RowMotion(TWIST, PLANE)
    for each, other in zip(motion.pixels(CAMERA), motion.scaled(3.0).pixels(CAMERA), strict=True):
        np.testing.assert_allclose(each, other, atol=1e-3)
