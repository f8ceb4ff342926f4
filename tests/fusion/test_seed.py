"""First heights and colours, from depth and images that are computed by hand."""

import numpy as np
from numpy.typing import NDArray

from glrender.fusion.colors import MEAN
from glrender.fusion.grid import Grid
from glrender.fusion.posed_frame import PosedFrame
from glrender.fusion.seed import seed_colors, seed_heights
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.gl.context import Context
from glrender.render.forward import ForwardRenderer

CAMERA = Camera(60, 60, 100.0, 100.0, 29.5, 29.5)
GRID = Grid.covering((-0.2, 0.4, -0.2, 0.2), 0.05, None)
DOWN = se3.look_at((0.0, 0.0, 1.0), (0.0, 0.0, 0.0))
"""One metre above the origin: a level ground of height h has depth 1 - h and spans 0.6 (1 - h) metres."""


def level(height: float, image: NDArray[np.float32] | None = None) -> PosedFrame:
    return PosedFrame(DOWN, np.full(CAMERA.shape, 1 - height, np.float32), image)


def test_heights_are_the_median_over_frames() -> None:
    heights = seed_heights(GRID, CAMERA, [level(h) for h in (0.01, 0.02, 0.5, 0.03, 0.02)])
    assert heights is not None
    np.testing.assert_allclose(heights[2:-2, 2:7], 0.02, atol=1e-6)


def test_unseen_vertices_get_the_nearest_height() -> None:
    heights = seed_heights(GRID, CAMERA, [level(0.1)])
    assert heights is not None
    assert np.isfinite(heights).all()
    np.testing.assert_allclose(heights[:, -2:], 0.1, atol=1e-6)  # beyond the image, which ends at x = 0.27


def test_more_frames_than_are_kept() -> None:
    heights = seed_heights(GRID, CAMERA, [level(0.02)] * 9 + [level(0.3)] * 30)
    assert heights is not None
    np.testing.assert_allclose(heights[4, 4], 0.02, atol=1e-6)


def test_no_depth_gives_no_heights() -> None:
    assert seed_heights(GRID, CAMERA, [PosedFrame(DOWN)]) is None
    assert seed_heights(GRID, CAMERA, [PosedFrame(DOWN, np.zeros(CAMERA.shape, np.float32))]) is None


def test_colors_are_those_of_the_pixels_that_see_the_vertex(context: Context) -> None:
    left_red = np.zeros((*CAMERA.shape, 3), np.float32)
    left_red[:, :30, 0] = 0.8
    left_red[:, 30:, 2] = 0.4
    renderer = ForwardRenderer(context, CAMERA)
    heights = np.zeros(GRID.shape)
    frame = PosedFrame(DOWN, None, left_red)
    colors = seed_colors(GRID, renderer, [frame], heights, 3)
    x = GRID.surface(heights).axes()[0]
    # The camera looks down with the world's y up in its image, so x is to the right.
    np.testing.assert_allclose(colors[4, x < -0.03], [[0.8, 0, 0]] * np.count_nonzero(x < -0.03), atol=1e-6)
    np.testing.assert_allclose(colors[4, x > 0.03], [[0, 0, 0.4]] * np.count_nonzero(x > 0.03), atol=1e-6)
    np.testing.assert_array_equal(seed_colors(GRID, renderer, [level(0.0)], heights, 3), MEAN)
    renderer.release()
