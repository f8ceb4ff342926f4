"""Every convention of the project, one test each, on scenes so small that the numbers can be worked out by hand."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from passes import WAYS, derivative_renderer
from random_scenes import UTM, random_scene

from glrender import Camera, DerivativeBuffers, DerivativeRenderer, ForwardRenderer, HeightMap
from glrender.geometry import se3
from glrender.gl.context import Context

Render = Callable[..., DerivativeBuffers]

NORTH_UP = np.diag([1.0, -1.0, -1.0, 1.0])
"""Rotation of a camera that looks straight down with the image's right along x and its top along +y."""


@pytest.fixture
def render(context: Context) -> Iterator[Render]:
    """Renders a map with derivatives; the passes are released after the test."""
    made: list[DerivativeRenderer] = []

    def render(
        surface: HeightMap, camera: Camera, T_world_camera: np.ndarray, way: str = "host", near: float = 1e-3
    ) -> DerivativeBuffers:
        made.append(derivative_renderer(context, camera, way, near=near))
        return made[-1].render(surface, T_world_camera)

    yield render
    for renderer in made:
        renderer.release()


def above(x: float, y: float, z: float) -> np.ndarray:
    """T_world_camera of a camera at (x, y, z) that looks straight down, north up."""
    T = NORTH_UP.copy()
    T[:3, 3] = x, y, z
    return T


def plain(height: float = 0.0, cells: int = 8, spacing: float = 1.0, **options: object) -> HeightMap:
    """A level map of cells x cells quads around the origin."""
    corner = -cells * spacing / 2
    return HeightMap(np.full((cells + 1, cells + 1), height), spacing, (corner, corner), **options)


def test_the_centre_of_a_pixel_has_its_whole_number(render: Render) -> None:
    """A map that ends at pixel coordinate u, exactly: pixels up to u - 0.5 are whole, so centres <= u see it."""
    camera = Camera(11, 9, 10.0, 10.0, 5.0, 4.0)
    for edge, last_seen in ((2.01, 7), (1.99, 6)):  # the map's edge lies at u = 5 + 10 * 0.1 * edge
        surface = HeightMap(np.zeros((2, 2)), 40.0, (edge - 40.0, -20.0))
        seen = render(surface, camera, above(0, 0, 10)).visible
        assert seen.all(axis=0).tolist() == [u <= last_seen for u in range(11)]
    for edge, first_seen in ((1.01, 3), (0.99, 4)):  # … and at v = 4 - 10 * 0.1 * edge
        surface = HeightMap(np.zeros((2, 2)), 40.0, (-20.0, edge - 40.0))
        seen = render(surface, camera, above(0, 0, 10)).visible
        assert seen.all(axis=1).tolist() == [v >= first_seen for v in range(9)]


def test_an_image_spans_half_a_pixel_beyond_its_first_and_last_centres(render: Render) -> None:
    camera = Camera(4, 3, 100.0, 100.0, 1.5, 1.0)
    ramp = np.arange(9.0)[None, :, None] * np.ones((9, 1, 1))
    surface = plain(colors=ramp, spacing=0.5)  # the colour is 4 + 2 x
    image = render(surface, camera, above(0, 0, 50)).image[1, :, 0]
    np.testing.assert_allclose(image, 4 + 2 * (np.arange(4) - 1.5) * 50 / 100, rtol=1e-6)


def test_row_0_is_the_top_row_and_column_0_the_left_one(render: Render) -> None:
    """Seen from above with north up, y grows towards row 0 and x towards the last column."""
    camera = Camera(8, 6, 10.0, 10.0, 3.5, 2.5)
    y, x = np.mgrid[:9, :9] / 8
    surface = plain(colors=np.stack([x, y, 0 * x], axis=-1))
    for way in WAYS:
        image = render(surface, camera, above(0, 0, 5), way).image
        assert (np.diff(image[..., 0], axis=1) > 0).all()
        assert (np.diff(image[..., 1], axis=0) < 0).all()


def test_the_camera_has_x_right_y_down_z_forward(render: Render) -> None:
    """One raised vertex at camera coordinates (+1, +2, 10) shows right of and below the principal point."""
    heights = np.zeros((9, 9))
    surface = HeightMap(heights, 1.0, (-4, -4))
    camera = Camera(61, 61, 100.0, 100.0, 30.0, 30.0)
    depth = {}
    heights[2, 5] = 0.01  # x = 1, y = -2: north is up, so this is below
    for raised in (False, True):
        surface = HeightMap(heights if raised else np.zeros((9, 9)), 1.0, (-4, -4))
        depth[raised] = render(surface, camera, above(0, 0, 10)).depth
    v, u = np.unravel_index(np.argmax(depth[False] - depth[True]), camera.shape)
    assert (u, v) == (30 + 100 * 1 / 10, 30 + 100 * 2 / 10)


def test_depth_is_camera_z_in_metres(render: Render) -> None:
    """Level ground seen from straight above is equally deep everywhere, however long the rays are."""
    buffers = render(plain(0.5, cells=80), Camera(40, 30, 20.0, 20.0, 19.5, 14.5), above(0, 0, 3))
    np.testing.assert_allclose(buffers.depth, 2.5, rtol=1e-6)


def test_depth_of_a_slanted_view_is_not_the_length_of_the_ray(render: Render) -> None:
    camera = Camera(9, 9, 10.0, 10.0, 4.0, 4.0)
    T_world_camera = se3.look_at((0, -5, 5), (0, 0, 0))
    buffers = render(plain(cells=40), camera, T_world_camera)
    assert buffers.depth[4, 4] == pytest.approx(np.sqrt(50), rel=1e-6)
    points = (buffers.depth[..., None] * camera.rays()) @ T_world_camera[:3, :3].T + T_world_camera[:3, 3]
    np.testing.assert_allclose(points[..., 2], 0, atol=1e-5)


def test_where_nothing_is_seen_all_is_zero_and_the_triangle_minus_one(render: Render) -> None:
    surface = plain(cells=2, colors=np.ones((3, 3, 3)))
    camera = Camera(21, 21, 10.0, 10.0, 10.0, 10.0)
    for way in WAYS:
        buffers = render(surface, camera, above(0, 0, 3), way)
        corner = 0, 0
        assert buffers.visible[10, 10]
        assert not buffers.visible[corner]
        assert buffers.triangle_ids[corner] == -1
        assert buffers.vertex_ids[corner].tolist() == [-1, -1, -1]
        everything = (buffers.image, buffers.depth, buffers.normal, buffers.barycentric, buffers.depth_wrt_height)
        assert buffers.pose is not None
        derivatives = (buffers.image_wrt_height, buffers.pose.depth_wrt_pose, buffers.pose.image_wrt_pose)
        for values in everything + derivatives:
            assert not np.any(values[corner])
            assert not np.signbit(values[corner]).any()


def test_arrays_have_their_documented_layout(render: Render, context: Context) -> None:
    camera = Camera(7, 5, 10.0, 10.0, 3.0, 2.0)
    for channels in (3, 1):
        surface = HeightMap(np.zeros((4, 6)), 1.0, (-3, -2), np.full((4, 6, channels), 0.5))
        for way in WAYS:
            buffers = render(surface, camera, above(0, 0, 5), way)
            assert buffers.image.shape == (5, 7, channels)
            assert buffers.depth.shape == (5, 7)
            assert buffers.normal.shape == buffers.barycentric.shape == buffers.depth_wrt_height.shape == (5, 7, 3)
            assert buffers.image_wrt_height.shape == (5, 7, channels, 3)
            assert buffers.pose.depth_wrt_pose.shape == (5, 7, 6)
            assert buffers.pose.image_wrt_pose.shape == (5, 7, channels, 6)
            assert buffers.edges.shape == (5, 7)
            assert buffers.edges.dtype == bool
            assert {buffers.triangle_ids.dtype, buffers.vertex_ids.dtype} == {np.dtype(np.int32)}
            for name in ("image", "depth", "normal", "barycentric", "depth_wrt_height", "image_wrt_height"):
                assert getattr(buffers, name).dtype == np.float32, name
        renderer = ForwardRenderer(context, camera)
        rendering = renderer.render(surface, above(0, 0, 5))
        renderer.release()
        assert rendering.image.shape == (5, 7, channels)
        assert rendering.image.dtype == rendering.depth.dtype == np.float32


def test_arrays_are_c_contiguous(render: Render) -> None:
    names = ("image", "depth", "triangle_ids", "vertex_ids", "barycentric", "normal", "edges", "visible")
    for channels in (3, 1, 0):
        scene = random_scene(0, channels=channels)
        for way in WAYS:
            buffers = render(scene.surface, scene.camera, scene.T_world_camera, way)
            arrays = {name: getattr(buffers, name) for name in (*names, "depth_wrt_height", "image_wrt_height")}
            assert buffers.pose is not None
            arrays |= {name: getattr(buffers.pose, name) for name in ("depth_wrt_pose", "image_wrt_pose")}
            assert {name for name, array in arrays.items() if not array.flags.c_contiguous} == set(), way


def test_colours_are_linear_and_not_clipped(render: Render) -> None:
    for colour in (0.0, 0.2, 0.5, 1.0, 1.7, -0.25):
        surface = plain(colors=np.full((9, 9, 3), colour))
        image = render(surface, Camera(3, 3, 10.0, 10.0, 1.0, 1.0), above(0, 0, 5)).image
        np.testing.assert_allclose(image, colour, rtol=1e-6)


def test_a_vertex_lies_at_its_column_and_row_and_quads_are_split_from_right_to_upper(render: Render) -> None:
    """Camera above the middle of quad (1, 2): north up, its lower-left half is triangle 2q, (a, b, c)."""
    rows, cols, spacing, origin = 4, 5, 0.5, (10.0, 20.0)
    surface = HeightMap(np.zeros((rows, cols)), spacing, origin)
    middle = origin[0] + 2.5 * spacing, origin[1] + 1.5 * spacing
    buffers = render(surface, Camera(2, 2, 10.0, 10.0, 0.5, 0.5), above(*middle, 2.0))
    q = 1 * (cols - 1) + 2
    a, b, c, d = 1 * cols + 2, 1 * cols + 3, 2 * cols + 2, 2 * cols + 3
    assert buffers.triangle_ids[1, 0] == 2 * q  # below and left: the half with vertex (i, j)
    assert buffers.triangle_ids[0, 1] == 2 * q + 1
    assert buffers.vertex_ids[1, 0].tolist() == [a, b, c]
    assert buffers.vertex_ids[0, 1].tolist() == [b, d, c]


def test_a_height_that_nobody_has_seen_takes_its_triangles_away(render: Render) -> None:
    camera = Camera(41, 41, 40.0, 40.0, 20.0, 20.0)
    heights = np.zeros((5, 5))
    heights[2, 2] = np.nan
    surface = HeightMap(heights, 1.0, (-2, -2), np.ones((5, 5, 3)))
    buffers = render(surface, camera, above(0, 0, 4.1))
    touching = np.flatnonzero((surface.triangles == 12).any(axis=1))
    assert len(touching) == 6
    assert not np.isin(buffers.triangle_ids, touching).any()
    seen = set(np.unique(buffers.triangle_ids)) - {-1}
    assert seen == set(range(32)) - set(touching)


def test_twists_are_translation_first_in_the_camera_frame(render: Render) -> None:
    """Points move by v + omega x X: against depth and colour worked out by hand on level ground."""
    camera = Camera(9, 7, 10.0, 10.0, 4.0, 3.0)
    colors = np.arange(41.0)[None, :, None] * np.ones((41, 1, 1))
    surface = plain(cells=40, colors=colors)  # the colour is 20 + x
    buffers = render(surface, camera, above(0, 0, 5))
    D, r = 5.0, camera.rays()
    zero, one, x, y = np.zeros(camera.shape), np.ones(camera.shape), r[..., 0], r[..., 1]
    # The plane z = 5 moves with v_z; turning by omega_x, omega_y tilts it; the colour slides along x.
    depth = np.stack([zero, zero, one, D * y, -D * x, zero], axis=-1)
    colour = np.stack([-one, zero, x, D * x * y, -D * (1 + x * x), D * y], axis=-1)
    np.testing.assert_allclose(buffers.pose.depth_wrt_pose, depth, atol=1e-5)
    np.testing.assert_allclose(buffers.pose.image_wrt_pose[:, :, 0], colour, atol=1e-4)


def test_a_twist_moves_the_camera_the_other_way(render: Render) -> None:
    """T_world_camera <- T_world_camera exp(-twist): the world moves by the twist, seen from the camera."""
    scene = random_scene(5, roughness=0.2)
    buffers = render(scene.surface, scene.camera, scene.T_world_camera)
    twist = 1e-3 * scene.surface.spacing * np.array([1, -2, 3, 0.5, -0.4, 0.3])
    there = render(scene.surface, scene.camera, scene.T_world_camera @ se3.exp(-twist))
    same = (there.triangle_ids == buffers.triangle_ids) & buffers.visible
    predicted = (buffers.jacobian("depth", "pose") @ twist).reshape(buffers.depth.shape)
    moved = (there.depth - buffers.depth)[same]
    assert np.linalg.norm(moved - predicted[same]) < 0.02 * np.linalg.norm(moved)


def test_from_below_nothing_is_seen(render: Render) -> None:
    surface = plain(colors=np.ones((9, 9, 3)))
    camera = Camera(8, 8, 10.0, 10.0, 3.5, 3.5)
    for way in WAYS:
        assert render(surface, camera, above(0, 0, 4), way).visible.all()
        assert not render(surface, camera, se3.look_at((0, 0, -4), (0, 0, 0)), way).visible.any()
        turned = plain(colors=np.ones((9, 9, 3)), T_world_map=np.diag([1.0, -1.0, -1.0, 1.0]))
        assert not render(turned, camera, above(0, 0, 4), way).visible.any()
        assert render(turned, camera, se3.look_at((0, 0, -4), (0, 0, 0)), way).visible.all()


def test_normals_point_at_the_camera_in_its_own_axes(render: Render) -> None:
    slope = HeightMap(0.5 * np.arange(9.0)[None, :] * np.ones((9, 1)), 1.0, (-4, -4))  # z = 0.5 x + 2
    buffers = render(slope, Camera(3, 3, 10.0, 10.0, 1.0, 1.0), above(0, 0, 8))
    expected = np.array([-0.5, 0.0, -1.0]) / np.sqrt(1.25)  # up is -z for a camera that looks down
    np.testing.assert_allclose(buffers.normal, np.broadcast_to(expected, (3, 3, 3)), atol=1e-6)


def test_near_is_a_depth_of_a_millimetre_unless_said(render: Render) -> None:
    surface = plain(cells=4)
    camera = Camera(5, 5, 10.0, 10.0, 2.0, 2.0)
    assert render(surface, camera, above(0, 0, 1.01e-3)).visible.all()
    assert not render(surface, camera, above(0, 0, 0.99e-3)).visible.any()
    assert render(surface, camera, above(0, 0, 0.51), near=0.5).visible.all()
    assert not render(surface, camera, above(0, 0, 0.49), near=0.5).visible.any()


@pytest.mark.parametrize("far", [(UTM[0], UTM[1], 812.5), (-3e6, 6.3e6, 4000.25)])
def test_far_from_the_origin_nothing_changes(render: Render, far: tuple[float, float, float]) -> None:
    """The origin of the map, or of the map's frame, moves by a whole number of floats: every bit must stay."""
    near = random_scene(7, origin=(0.5, -0.25), placed=False)
    surface, T = near.surface, near.T_world_camera
    # What 0.5 m is rounded to at 6 000 km: the same places as float64 has them there.
    moved_T = T.copy()
    moved_T[:3, 3] = (T[:3, 3] + far) - far
    here = render(surface, near.camera, moved_T)
    moved_T[:3, 3] += far
    origin = surface.origin[0] + far[0], surface.origin[1] + far[1]
    by_origin = HeightMap(surface.heights + far[2], surface.spacing, origin, surface.colors)
    frame = np.eye(4)
    frame[:3, 3] = far
    by_frame = HeightMap(surface.heights, surface.spacing, surface.origin, surface.colors, frame)
    for surface_there in (by_origin, by_frame):
        there = render(surface_there, near.camera, moved_T)
        np.testing.assert_array_equal(there.triangle_ids, here.triangle_ids)
        for name in ("image", "depth", "depth_wrt_height", "image_wrt_height"):
            mine, theirs = getattr(here, name), getattr(there, name)
            np.testing.assert_allclose(theirs, mine, rtol=0, atol=3e-6 * np.abs(mine).max(), err_msg=name)


def test_a_map_is_placed_by_T_world_map(render: Render) -> None:
    """Map and camera moved together look the same."""
    here = random_scene(8)
    T = se3.exp([3.0, -2.0, 1.0, 0.4, 1.1, -0.7])
    surface = here.surface
    placed = HeightMap(surface.heights, surface.spacing, surface.origin, surface.colors, T)
    one = render(surface, here.camera, here.T_world_camera)
    other = render(placed, here.camera, T @ here.T_world_camera)
    np.testing.assert_array_equal(other.triangle_ids, one.triangle_ids)
    np.testing.assert_allclose(other.image, one.image, atol=1e-5)
    np.testing.assert_allclose(other.depth, one.depth, rtol=1e-6)
    np.testing.assert_allclose(other.pose.depth_wrt_pose, one.pose.depth_wrt_pose, atol=1e-5)


def test_distortion_belongs_to_files_and_rendering_is_pinhole(render: Render) -> None:
    scene = random_scene(9)
    camera = scene.camera
    lens = Camera(camera.width, camera.height, camera.fx, camera.fy, camera.cx, camera.cy, (0.3, -0.2, 0.01, 0.02, 0.1))
    with_lens = render(scene.surface, lens, scene.T_world_camera)
    without = render(scene.surface, camera, scene.T_world_camera)
    np.testing.assert_array_equal(with_lens.image, without.image)
    np.testing.assert_array_equal(with_lens.depth, without.depth)
