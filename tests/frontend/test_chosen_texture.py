"""The steepest pixels of squares, against plain numpy."""

import numpy as np
import pytest
from moving_camera import CAMERA

from glrender.frontend.pyramid import Level
from glrender.frontend.texture import LEAST_POINTS, PLAIN, choose_texture


@pytest.fixture(scope="module")
def level() -> Level:
    """Noise of which a part is plain, a part so weak that it counts as plain, and a part not seen."""
    image = np.random.default_rng(0).uniform(0, 1, CAMERA.shape).astype(np.float32)
    image[:40, :60] = 0.5
    image[60:90, 100:140] = 0.5 + 0.1 * PLAIN * image[60:90, 100:140]
    image[90:, :33] = np.nan
    return Level(CAMERA, image)


def test_of_each_square_the_steepest_pixel_is_chosen(level: Level) -> None:
    (texture,) = choose_texture((level,), LEAST_POINTS)
    side = int(np.sqrt(CAMERA.width * CAMERA.height / LEAST_POINTS))
    dv, du = (0.5 * (np.roll(level.image, -1, axis) - np.roll(level.image, 1, axis)) for axis in range(2))
    steepness = np.nan_to_num(np.hypot(du, dv))
    steepness[[0, -1]], steepness[:, [0, -1]] = 0, 0
    expected = {}
    for i in range(CAMERA.height // side):
        for j in range(CAMERA.width // side):
            square = steepness[i * side : (i + 1) * side, j * side : (j + 1) * side]
            v, u = np.unravel_index(square.argmax(), square.shape)
            if square.max() > PLAIN:
                expected[i, j] = [j * side + u, i * side + v]
    assert (
        0.6 * len(steepness.ravel()) / side**2 < len(expected) < (CAMERA.height // side) * (CAMERA.width // side) - 30
    )
    found = {(int(v) // side, int(u) // side): [int(u), int(v)] for u, v in texture.pixels}
    assert found == expected
    u, v = texture.pixels.T
    np.testing.assert_array_equal(texture.slope, np.stack([du[v, u], dv[v, u]], axis=-1))
    np.testing.assert_array_equal(texture.intensity, level.image[v, u])
    assert (np.diff(texture.block) >= 0).all()
