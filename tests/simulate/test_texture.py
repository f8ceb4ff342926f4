"""The ground's texture follows the terrain, has detail everywhere and is the same for the same seed."""

import os
import signal
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from scipy.spatial import cKDTree

from glrender.errors import InputError
from glrender.geometry.heightmap import HeightMap
from glrender.io.color import linear_to_srgb, srgb_to_linear
from glrender.simulate import texture
from glrender.simulate.texture import ground_texture, image_texture


@pytest.fixture(scope="module")
def half_slope() -> HeightMap:
    """Level in the west, steep in the east."""
    x = np.linspace(-1, 1, 200)
    return HeightMap(np.tile(1.5 * np.maximum(x, 0) ** 2, (160, 1)), 0.01)


@pytest.fixture(scope="module")
def colors(half_slope: HeightMap) -> np.ndarray:
    return ground_texture(half_slope, np.random.default_rng(5))


def test_colours_are_linear_and_reproducible(half_slope: HeightMap, colors: np.ndarray) -> None:
    assert colors.shape == (160, 200, 3)
    assert colors.min() >= 0
    assert colors.max() <= 1
    np.testing.assert_array_equal(colors, ground_texture(half_slope, np.random.default_rng(5)))
    assert not np.allclose(colors, ground_texture(half_slope, np.random.default_rng(6)))


def test_ctrl_c_waits_for_the_threads_of_a_tree(half_slope: HeightMap, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which would go on writing into what it frees: the process crashed."""
    ended: list[bool] = []

    class Interrupted(cKDTree):
        def query(self, *arguments: Any, **options: Any) -> Any:
            os.kill(os.getpid(), signal.SIGINT)
            found = super().query(*arguments, **options)
            ended.append(True)
            return found

    monkeypatch.setattr(texture, "cKDTree", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        ground_texture(half_slope, np.random.default_rng(5))
    assert ended


def test_level_ground_is_greener_than_steep_ground(colors: np.ndarray) -> None:
    green = colors[..., 1] - (colors[..., 0] + colors[..., 2]) / 2
    assert green[:, :80].mean() > green[:, -40:].mean() + 0.02


def test_every_patch_can_be_told_from_its_neighbours(colors: np.ndarray) -> None:
    """In windows of 8 x 8 vertices the grey levels vary by more than a camera's noise of 2."""
    grey = 255 * linear_to_srgb(colors).mean(axis=-1)
    windows = grey.reshape(20, 8, 25, 8).transpose(0, 2, 1, 3).reshape(500, 64)
    assert windows.std(axis=1).min() > 3


def test_unknown_heights_do_not_spoil_colours(half_slope: HeightMap) -> None:
    heights = half_slope.heights.copy()
    heights[40:60, 50:90] = np.nan
    assert np.isfinite(ground_texture(HeightMap(heights, 0.01), np.random.default_rng(5))).all()


def test_flat_ground_has_texture() -> None:
    assert ground_texture(HeightMap(np.zeros((30, 40)), 0.05), np.random.default_rng(0)).std() > 0.02


def test_an_image_lies_with_its_top_in_the_north(tmp_path: Path) -> None:
    image = np.full((20, 30, 3), 128, np.uint8)
    image[:10, :15] = (0, 0, 255)  # the north-west is red (OpenCV has blue first)
    cv2.imwrite(str(tmp_path / "a.png"), image)
    colors = image_texture(tmp_path / "a.png", (40, 60))
    np.testing.assert_allclose(colors[-1, 0], (1, 0, 0), atol=1e-6)
    np.testing.assert_allclose(colors[0, 0], srgb_to_linear(128 / 255), atol=1e-6)
    assert image_texture(tmp_path / "a.png", (4, 6)).shape == (4, 6, 3)


def test_a_grey_image_of_16_bits(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((5, 5), 32768, np.uint16))
    colors = image_texture(tmp_path / "a.png", (3, 3))
    np.testing.assert_allclose(colors, srgb_to_linear(32768 / 65535), atol=1e-9)


def test_images_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.jpg: no such file"):
        image_texture(tmp_path / "a.jpg", (4, 4))
    for content in (b"", b"no image"):
        (tmp_path / "a.jpg").write_bytes(content)
        with pytest.raises(InputError, match=r"a\.jpg: not a readable image"):
            image_texture(tmp_path / "a.jpg", (4, 4))
