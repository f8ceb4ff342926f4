"""The free camera moves as a hand expects it to."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glrender.geometry import se3
from glrender.geometry.heightmap import HeightMap
from glrender.viewer.rig import Rig

RIG = Rig((1.0, -2.0, 0.5), 3.0, azimuth=30.0, elevation=35.0)


def seen_at(rig: Rig, point, size=(300, 200)):
    """(u, v) of a world point."""
    T = se3.inverse(rig.T_world_camera)
    return rig.camera(*size).project(T[:3, :3] @ point + T[:3, 3])


@given(st.floats(-180, 180), st.floats(-89, 89), st.floats(0.1, 100))
def test_it_looks_at_its_target_with_z_up(azimuth: float, elevation: float, distance: float) -> None:
    rig = Rig((1.0, -2.0, 0.5), distance, azimuth, elevation)
    T = rig.T_world_camera
    np.testing.assert_allclose(T, se3.look_at(T[:3, 3], rig.target), atol=1e-9)
    assert np.linalg.norm(T[:3, 3] - rig.target) == pytest.approx(distance)


def test_azimuth_is_a_compass_direction_and_elevation_looks_down() -> None:
    assert Rig((0, 0, 0), 1, azimuth=0, elevation=0).T_world_camera[:3, 2] == pytest.approx([0, 1, 0])
    assert Rig((0, 0, 0), 1, azimuth=90, elevation=0).T_world_camera[:3, 2] == pytest.approx([1, 0, 0])
    assert Rig((0, 0, 0), 1, azimuth=0, elevation=90).T_world_camera[:3, 2] == pytest.approx([0, 0, -1])


def test_orbiting_keeps_target_and_distance_and_the_ground_follows_the_mouse() -> None:
    moved = RIG.orbit(20, 0)
    assert (moved.target, moved.distance) == (RIG.target, RIG.distance)
    nearer = np.array(RIG.target) - 0.5 * RIG.T_world_camera[:3, 2] * [1, 1, 0]
    assert seen_at(moved, nearer)[0] > seen_at(RIG, nearer)[0]
    assert RIG.orbit(0, 20).elevation > RIG.elevation
    assert RIG.orbit(0, 1e6).elevation == 90


def test_panning_takes_the_target_along_with_the_mouse() -> None:
    moved = RIG.pan(40, -25, image_height=200)
    shift = seen_at(moved, np.array(RIG.target)) - seen_at(RIG, np.array(RIG.target))
    np.testing.assert_allclose(shift, [40, -25], atol=1e-6)


def test_looking_around_keeps_the_place() -> None:
    moved = RIG.look(35, -10)
    np.testing.assert_allclose(moved.T_world_camera[:3, 3], RIG.T_world_camera[:3, 3], atol=1e-12)
    assert moved.azimuth > RIG.azimuth
    assert moved.elevation < RIG.elevation


def test_zooming_nears_the_target_and_never_passes_it() -> None:
    assert RIG.zoom(1).distance < RIG.distance < RIG.zoom(-1).distance
    assert RIG.zoom(1).zoom(-1).distance == pytest.approx(RIG.distance)
    assert RIG.zoom(1e6).distance > 0


@pytest.mark.parametrize(("way", "axis", "sign"), [((1, 0, 0), 0, 1), ((0, 1, 0), 1, -1), ((0, 0, 1), 2, 1)])
def test_flying_goes_along_the_cameras_axes(way, axis: int, sign: int) -> None:
    moved = RIG.fly(*way).T_world_camera[:3, 3] - RIG.T_world_camera[:3, 3]
    np.testing.assert_allclose(moved, sign * RIG.distance * RIG.T_world_camera[:3, axis], atol=1e-12)


def test_another_field_of_view_leaves_the_target_as_large() -> None:
    sideways = np.array(RIG.target) + 0.1 * RIG.T_world_camera[:3, 0]
    wider = RIG.with_fov(70)
    assert wider.fov == 70
    np.testing.assert_allclose(seen_at(wider, sideways), seen_at(RIG, sideways), atol=1e-9)
    assert RIG.with_fov(1e6).fov == 120


def test_the_first_view_shows_all_that_was_seen() -> None:
    heights = np.full((40, 30), np.nan)
    heights[5:30, 8:25] = np.random.default_rng(0).normal(size=(25, 17))
    T_world_map = se3.exp([400.0, -300.0, 20.0, 0, 0, 0.4])
    surface = HeightMap(heights, 0.5, (3.0, 4.0), T_world_map=T_world_map)
    rig = Rig.looking_at(surface)
    points = surface.vertices()[np.isfinite(heights).ravel()] @ T_world_map[:3, :3].T + T_world_map[:3, 3]
    for azimuth in (rig.azimuth, 110.0, -130.0):
        uv = np.array([seen_at(replace(rig, azimuth=azimuth), point) for point in points])
        assert (uv > [0, 12]).all(), "and neither title nor status are in front of it"
        assert (uv < [300, 188]).all()
        assert np.ptp(uv[:, 1]) > 90, "and not as a speck"


@pytest.mark.parametrize("aspect", [0.4, 1.0, 1.5, 4.0])
def test_the_first_view_fills_windows_of_any_shape(aspect: float) -> None:
    surface = HeightMap(np.zeros((21, 21)), 0.1, (-1.0, -1.0))
    size = round(200 * aspect), 200
    rig = Rig.looking_at(surface, aspect=size[0] / size[1])
    uv = np.array([seen_at(rig, point, size) for point in surface.vertices()])
    assert (uv > [0, 12]).all()
    assert (uv < [size[0], 188]).all()
    assert np.ptp(uv[:, 0]) > 0.75 * size[0] or np.ptp(uv[:, 1]) > 0.65 * size[1]


def test_what_covers_an_edge_covers_no_map() -> None:
    surface = HeightMap(np.zeros((21, 21)), 0.1, (-1.0, -1.0))
    for aspect in (1.0, 3.0):
        size = round(200 * aspect), 200
        for above in (0.0, 0.2):
            rig = Rig.looking_at(surface, aspect=aspect, covered=(above, 0.3))
            uv = np.array([seen_at(rig, point, size) for point in surface.vertices()])
            assert (uv > [0, max(12, 200 * above)]).all()
            assert (uv < [size[0], 140]).all()
            assert np.ptp(uv[:, 1]) > 60


@pytest.mark.parametrize("turn", [(0, 0, 0), (1.4, 0, 0)])
def test_what_lies_beside_a_map_is_in_the_first_view_with_it(turn: tuple[float, float, float]) -> None:
    T_world_map = se3.exp([40.0, -30.0, 20.0, *turn])
    surface = HeightMap(np.zeros((21, 31)), 0.1, (3.0, 4.0), T_world_map=T_world_map)
    above = np.array([[4.0, 2.0, 1.5], [3.5, 3.0, 1.4], [7.0, 5.0, 0.2]])
    beside = above @ T_world_map[:3, :3].T + T_world_map[:3, 3]
    alone, rig = Rig.looking_at(surface), Rig.looking_at(surface, beside=beside)
    points = surface.vertices() @ T_world_map[:3, :3].T + T_world_map[:3, 3]
    for azimuth in (rig.azimuth, 110.0, -130.0):
        uv = np.array([seen_at(replace(rig, azimuth=azimuth), point) for point in (*points, *beside)])
        assert (uv > [0, 12]).all()
        assert (uv < [300, 188]).all()
    assert alone.distance < rig.distance < 2.5 * alone.distance
    outside = np.array([seen_at(alone, point) for point in beside])
    assert not ((outside > 0) & (outside < [300, 200])).all(), "for it would not be, by itself"
    below = Rig.looking_at(surface, beside=points[[0, -1]])
    np.testing.assert_allclose(below.T_world_camera, alone.T_world_camera, atol=1e-9)


def test_what_lies_far_from_a_map_does_not_make_it_a_speck() -> None:
    surface = HeightMap(np.zeros((21, 21)), 0.1, (-1.0, -1.0))
    for beside in ([[0.0, 0.0, 1e4]], [[1e5, -1e5, 30.0], [0.1, 0.0, 1.0]]):
        rig = Rig.looking_at(surface, beside=np.array(beside))
        uv = np.array([seen_at(rig, point) for point in surface.vertices()])
        assert (uv > [0, 12]).all()
        assert (uv < [300, 188]).all()
        assert np.ptp(uv[:, 0]) > 30


def test_what_lies_far_from_a_map_counts_by_its_direction() -> None:
    surface = HeightMap(np.zeros((21, 21)), 0.1, (-1.0, -1.0))
    far, farther, elsewhere = (
        Rig.looking_at(surface, beside=np.array([place]))
        for place in ([1e3, 1e2, 0.0], [1e6, 1e5, 0.0], [1e6, 1e6, 0.0])
    )
    np.testing.assert_allclose(far.target, farther.target, rtol=1e-9)
    assert far.target[1] < 0.3 * elsewhere.target[1]


def test_the_target_is_in_the_middle_of_what_panels_leave() -> None:
    camera = RIG.camera(300, 200, 100)
    T = se3.inverse(RIG.T_world_camera)
    target = camera.project(T[:3, :3] @ np.array(RIG.target) + T[:3, 3])
    assert target == pytest.approx((99.5, 99.5))
    assert (camera.fx, camera.fy) == (RIG.camera(300, 200).fx, RIG.camera(300, 200).fy)


@pytest.mark.parametrize("turn", [(np.pi, 0, 0), (1.4, 0, 0), (0, -2.5, 0)])
def test_where_the_world_lies_anyhow_the_maps_own_z_is_up(turn: tuple[float, float, float]) -> None:
    heights = np.random.default_rng(0).normal(size=(21, 31))
    level = HeightMap(heights, 0.5, (3.0, 4.0))
    T_world_map = se3.exp([40.0, -30.0, 20.0, *turn])
    leaning = replace(level, T_world_map=T_world_map)
    expected, rig = Rig.looking_at(level), Rig.looking_at(leaning)
    np.testing.assert_allclose(leaning.T_map_world @ rig.T_world_camera, expected.T_world_camera, atol=1e-9)
    moved, as_moved = (each.orbit(70, 20).pan(8, 9, 200).fly(0.1, 0.2, 0.3) for each in (rig, expected))
    np.testing.assert_allclose(leaning.T_map_world @ moved.T_world_camera, as_moved.T_world_camera, atol=1e-9)


def test_the_worlds_z_is_up_where_a_map_is_only_tilted_or_lies_beside_one_that_is_not() -> None:
    level = HeightMap(np.zeros((5, 5)), 0.5)
    tilted, wall = (replace(level, T_world_map=se3.exp([0, 0, 0, 0, angle, 0])) for angle in (0.9, np.pi / 2))
    for surfaces in ((tilted,), (wall, level), (level, wall)):
        assert Rig.looking_at(*surfaces).up == (0, 0, 1)
    assert Rig.looking_at(wall).up == pytest.approx((1, 0, 0))


def test_a_map_of_which_one_vertex_was_seen_has_a_first_view() -> None:
    heights = np.full((3, 3), np.nan)
    heights[1, 1] = 2.0
    rig = Rig.looking_at(HeightMap(heights, 0.5))
    assert 0.5 < rig.distance < 5
    assert rig.target[2] == pytest.approx(2.0, abs=0.5)
