"""Turned maps on the world's axes: the same ground, where the world has it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glrender.errors import InputError
from glrender.geometry import se3
from glrender.geometry.heightmap import HeightMap
from glrender.geometry.level_map import level_map

Y, X = np.mgrid[0:30, 0:40] * 0.05
HILLS = 0.1 * np.sin(2 * X) * np.cos(3 * Y)


def test_a_map_that_is_only_shifted_keeps_its_grid() -> None:
    T = np.eye(4)
    T[:3, 3] = 500_000.25, 4_100_000.5, 100
    sigma, colors = np.full(X.shape, 0.01), np.full((*X.shape, 3), 0.5)
    level = level_map(HeightMap(HILLS, 0.05, (1.0, 2.0), colors, T, sigma))
    assert level.origin == (500_001.25, 4_100_002.5)
    np.testing.assert_allclose(level.heights, HILLS + 100, atol=1e-12)
    np.testing.assert_array_equal(level.sigma, sigma)
    np.testing.assert_array_equal(level.pose, np.eye(4))
    np.testing.assert_array_equal(level.colors, colors)


@given(yaw=st.floats(-3.1, 3.1), roll=st.floats(-0.6, 0.6), pitch=st.floats(-0.6, 0.6), far=st.booleans())
def test_a_turned_plane_is_the_same_plane_in_the_world(yaw: float, roll: float, pitch: float, far: bool) -> None:
    heights = 0.2 * X - 0.1 * Y
    T = se3.exp([0, 0, 0, 0, 0, yaw]) @ se3.exp([0, 0, 0, roll, pitch, 0])
    T[:3, 3] = (500_000.0, 4_100_000.0, 2_000.0) if far else (1.0, 2.0, 3.0)
    sigma = np.full(X.shape, 0.02)
    level = level_map(HeightMap(heights, 0.05, (0.3, -0.4), T_world_map=T, sigma=sigma))
    # The plane's normal and a point of it, in the world.
    normal = T[:3, :3] @ [-0.2, 0.1, 1]
    point = T[:3, :3] @ [0.3, -0.4, 0] + T[:3, 3]
    x, y = level.axes()
    known = np.isfinite(level.heights)
    expected = point[2] - (normal[0] * (x - point[0]) + normal[1] * (y - point[1])[:, None]) / normal[2]
    np.testing.assert_allclose(level.heights[known], expected[known], atol=1e-6)
    # Its area in the world's plan, from the map's: cosine of the tilt against that of its own slope.
    area = X.max() * Y.max() * normal[2]
    assert known.sum() * 0.05**2 == pytest.approx(area, rel=0.08)
    np.testing.assert_allclose(level.sigma[known], 0.02 / normal[2], rtol=1e-6)


def test_a_turn_by_a_right_angle_moves_each_cell_to_its_place() -> None:
    T = np.eye(4)
    T[:2, :2] = [[0, -1], [1, 0]]
    colors = np.stack([X, Y, 0 * X], axis=-1) / 2
    level = level_map(HeightMap(HILLS, 0.05, colors=colors, T_world_map=T, sigma=0.01 + X, local_sigma=0.01 + Y))
    assert level.shape == (40, 30)
    assert level.origin == pytest.approx((-Y.max(), 0))
    np.testing.assert_allclose(level.heights, HILLS.T[:, ::-1], atol=1e-9)
    np.testing.assert_allclose(level.sigma, 0.01 + X.T[:, ::-1], atol=1e-9)
    np.testing.assert_allclose(level.local_sigma, 0.01 + Y.T[:, ::-1], atol=1e-9)
    np.testing.assert_allclose(level.colors, np.swapaxes(colors, 0, 1)[:, ::-1], atol=1e-9)


def test_holes_stay_holes() -> None:
    heights = HILLS.copy()
    heights[10:15, 10:20] = np.nan
    level = level_map(HeightMap(heights, 0.05, T_world_map=se3.exp([0, 0, 0, 0, 0, 0.5])))
    hole = se3.exp([0, 0, 0, 0, 0, 0.5])[:2, :2] @ [14.5 * 0.05, 12 * 0.05]
    j, i = np.rint((hole - level.origin) / 0.05).astype(int)
    assert np.isnan(level.heights[i - 1 : i + 2, j - 1 : j + 2]).all()
    assert level.colors is None
    assert level.sigma is None


def test_a_spike_that_a_tilt_throws_far_away_is_no_reason_to_fill_the_memory() -> None:
    heights = HILLS.copy()
    heights[3, 4] = 1e30
    with pytest.raises(
        InputError, match=r"once turned, a map of 30 x 40 cells would have .* see whether a height is far off"
    ):
        level_map(HeightMap(heights, 0.05, T_world_map=se3.exp([0, 0, 0, 0.1, 0, 0])))


def test_of_what_lies_above_each_other_the_highest_is_seen() -> None:
    """A wall that leans over once the map is tilted hides the ground below it."""
    heights = np.where(X > 1, 0.5, 0.0)
    T = se3.exp([0, 0, 0, 0, -0.6, 0])
    level = level_map(HeightMap(heights, 0.05, T_world_map=T))
    top = T[:3, :3] @ [1.05, 0.5, 0.5]
    below = T[:3, :3] @ [1.0, 0.5, 0.0]
    assert top[0] < below[0]
    j, i = np.floor((below[:2] - level.origin) / 0.05).astype(int)
    assert level.heights[i, j] > top[2] - 0.05
