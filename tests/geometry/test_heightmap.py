"""Where vertices and triangles of a height map are, and what a map refuses."""

import copy
import pickle
from collections.abc import Callable

import numpy as np
import pytest

from glrender.errors import InputError
from glrender.geometry.heightmap import HeightMap, triangle_vertices

HEIGHTS = np.arange(12.0).reshape(3, 4)


def test_a_vertex_lies_at_its_column_its_row_and_its_height() -> None:
    surface = HeightMap(HEIGHTS, spacing=0.5, origin=(10.0, 20.0))
    np.testing.assert_array_equal(surface.vertices().reshape(3, 4, 3)[2, 1], [10.5, 21.0, HEIGHTS[2, 1]])
    x, y = surface.axes()
    np.testing.assert_array_equal(x, [10, 10.5, 11, 11.5])
    np.testing.assert_array_equal(y, [20, 20.5, 21])
    assert surface.shape == (3, 4)


def test_every_quad_is_split_from_its_right_to_its_lower_vertex() -> None:
    triangles = HeightMap(HEIGHTS, 1.0).triangles
    assert triangles.shape == (2 * 2 * 3, 3)
    np.testing.assert_array_equal(triangles[:2], [[0, 1, 4], [1, 5, 4]])
    last = 2 * 3 - 1  # quad (1, 2), whose corners are 6, 7, 10, 11
    np.testing.assert_array_equal(triangles[2 * last :], [[6, 7, 10], [7, 11, 10]])


def test_triangles_cover_the_map_once_and_face_up() -> None:
    surface = HeightMap(HEIGHTS, spacing=0.5)
    a, b, c = np.moveaxis(surface.vertices()[surface.triangles], 1, 0)
    upward = np.cross(b - a, c - a)[:, 2]
    np.testing.assert_allclose(upward, 0.5**2)
    assert upward.sum() / 2 == pytest.approx(2 * 3 * 0.5**2)


def test_no_triangle_has_no_vertices() -> None:
    ids = np.array([[-1, 0], [3, -1]])
    np.testing.assert_array_equal(triangle_vertices(ids, cols=4), [[[-1] * 3, [0, 1, 4]], [[2, 6, 5], [-1] * 3]])


def test_a_map_without_colors_has_one_channel_and_none_of_its_own() -> None:
    bare = HeightMap(HEIGHTS, 1.0)
    grey, rgb = (HeightMap(HEIGHTS, 1.0, colors=np.zeros((3, 4, channels))) for channels in (1, 3))
    assert [surface.channels for surface in (bare, grey, rgb)] == [1, 1, 3]
    assert [surface.color_channels for surface in (bare, grey, rgb)] == [0, 1, 3]


def test_a_map_without_pose_is_at_the_origin_of_the_world() -> None:
    assert HeightMap(HEIGHTS, 1.0).T_world_map is None
    np.testing.assert_array_equal(HeightMap(HEIGHTS, 1.0).pose, np.eye(4))
    pose = np.eye(4)
    pose[:3, 3] = 5e5, 4e6, 100
    np.testing.assert_array_equal(HeightMap(HEIGHTS, 1.0, T_world_map=pose).pose, pose)


def test_other_values_keep_the_grid_and_drop_sigma() -> None:
    before = HeightMap(HEIGHTS, 0.1, (1.0, 2.0), np.ones((3, 4, 3)), np.eye(4), np.ones((3, 4)))
    after = before.with_values(HEIGHTS + 1, np.zeros((3, 4, 1)))
    np.testing.assert_array_equal(after.heights, HEIGHTS + 1)
    assert (after.spacing, after.origin, after.channels) == (0.1, (1.0, 2.0), 1)
    assert after.sigma is None
    np.testing.assert_array_equal(after.pose, before.pose)
    with pytest.raises(InputError, match=r"heights: received shape \(2, 4\), expected \(3, 4\)"):
        before.with_values(HEIGHTS[:2])


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda surface: pickle.loads(pickle.dumps(surface))])
def test_copies_are_the_same_and_cannot_be_written_to_either(copied: Callable[[HeightMap], HeightMap]) -> None:
    surface = HeightMap(HEIGHTS, 0.1, (1.0, 2.0), np.full((3, 4, 1), 0.5), np.eye(4), np.ones((3, 4)), np.ones((3, 4)))
    other = copied(surface)
    for name in ("heights", "colors", "T_world_map", "sigma", "local_sigma"):
        np.testing.assert_array_equal(getattr(other, name), getattr(surface, name))
        assert not getattr(other, name).flags.writeable
    assert (other.spacing, other.origin) == (0.1, (1.0, 2.0))


def test_integers_and_lists_become_float64() -> None:
    surface = HeightMap([[0, 1], [2, 3]], 1)
    assert surface.heights.dtype == np.float64
    assert surface.heights.flags.c_contiguous


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"heights": np.zeros((1, 5))}, r"heights: received shape \(1, 5\), expected at least 2 rows"),
        ({"heights": np.zeros(5)}, r"heights: received shape \(5,\)"),
        ({"heights": np.full((3, 4), np.inf)}, "use NaN for a cell that nobody has seen"),
        ({"heights": [["a", "b"], ["c", "d"]]}, "heights: cannot be read"),
        ({"heights": np.ma.masked_less(np.eye(3, 4), 1)}, "heights: received a masked array, expected a plain one"),
        ({"heights": np.zeros((3, 4), complex)}, "heights: received complex128, expected real numbers"),
        ({"spacing": 0.0}, "spacing"),
        ({"spacing": 10**400}, "spacing: received 1000"),
        ({"spacing": -0.1}, "spacing"),
        ({"origin": (0.0, np.nan)}, "origin"),
        ({"origin": (0.0, 0.0, 0.0)}, "origin: received shape"),
        ({"colors": np.zeros((3, 4))}, "colors: received shape"),
        ({"colors": np.zeros((4, 3, 3))}, r"colors: received shape \(4, 3, 3\), expected \(3, 4, any\)"),
        ({"colors": np.zeros((3, 4, 2))}, "colors: received 2 channels, expected 1"),
        ({"colors": np.full((3, 4, 3), np.inf)}, "colors: infinite"),
        ({"colors": np.zeros((3, 4, 3), np.uint8)}, r"colors: received uint8, expected linear colour in \[0, 1\]"),
        ({"T_world_map": 2 * np.eye(4)}, "T_world_map: expected a rigid"),
        ({"T_world_map": np.eye(3)}, "T_world_map: received shape"),
        ({"sigma": np.zeros((3, 3))}, "sigma: received shape"),
        ({"sigma": np.full((3, 4), -1.0)}, "sigma: 12 values are less than 0; use NaN where it is not known"),
        ({"local_sigma": np.zeros((2, 3))}, "local_sigma: received one without sigma"),
    ],
)
def test_wrong_maps_are_refused_by_name(wrong: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        HeightMap(**({"heights": HEIGHTS, "spacing": 1.0} | wrong))


def test_the_top_is_the_greatest_height_that_is_known():
    heights = np.array([[np.nan, -3.0], [-1.0, np.nan]])
    assert HeightMap(heights, 1.0).top == -1.0
    assert HeightMap(np.full((2, 2), np.nan), 1.0).top == -np.inf
