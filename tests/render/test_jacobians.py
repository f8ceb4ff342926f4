"""`buffers.jacobian(of, wrt)`: shapes, the order of rows and columns, what is empty and what is refused."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from passes import WAYS
from random_scenes import SEEING_SCENES, UNSEEN_SCENES, Scene, random_scene
from scipy.sparse import csr_array

from glrender.errors import UsageError
from glrender.render.buffers import DerivativeBuffers
from glrender.render.derivatives import DerivativeRenderer
from glrender.render.reference import ReferenceBuffers

Differentiate = Callable[..., DerivativeBuffers]
each_scene = pytest.mark.parametrize("scene", SEEING_SCENES + UNSEEN_SCENES, ids=str)
RGB, GREY, BARE = (random_scene(40 + channels, channels=channels, holes=0.05) for channels in (3, 1, 0))


def names(channels: int) -> list[tuple[str, str]]:
    """Every Jacobian of a map with so many colour channels."""
    of_depth = [("depth", "height"), ("depth", "pose")]
    return of_depth + [("image", wrt) for wrt in ("height", "color", "pose") if channels]


@each_scene
def test_shapes_and_types(scene: Scene, differentiate: Differentiate) -> None:
    buffers, surface, camera = differentiate(scene), scene.surface, scene.camera
    pixels, vertices = camera.width * camera.height, surface.heights.size
    channels = surface.color_channels
    columns = {"height": vertices, "color": vertices * channels, "pose": 6}
    for of, wrt in names(channels):
        J = buffers.jacobian(of, wrt)
        assert J.shape == (pixels * (channels if of == "image" else 1), columns[wrt])
        assert J.dtype == np.float64
        assert isinstance(J, np.ndarray if wrt == "pose" else csr_array)


@each_scene
def test_three_entries_in_rows_that_see_and_none_in_others(scene: Scene, differentiate: Differentiate) -> None:
    buffers = differentiate(scene)
    for of, wrt in names(buffers.channels):
        J = buffers.jacobian(of, wrt)
        seen = np.repeat(buffers.visible.ravel(), buffers.channels if of == "image" else 1)
        if wrt == "pose":
            assert not J[~seen].any()
        else:
            np.testing.assert_array_equal(np.diff(J.indptr), 3 * seen)
            assert np.isfinite(J.data).all()


@pytest.mark.parametrize("scene", [RGB, GREY], ids=str)
@pytest.mark.parametrize("way", WAYS)
def test_rows_and_columns_are_in_the_order_of_ravel(
    scene: Scene, way: str, differentiate: Differentiate, twin: Callable[[Scene], ReferenceBuffers]
) -> None:
    """Entry by entry, against dense arrays that are indexed by pixel, channel and vertex."""
    buffers, truth = differentiate(scene, way), twin(scene)
    (height, width), (rows, cols), C = scene.camera.shape, scene.surface.shape, buffers.channels
    depth_height = np.zeros((height, width, rows, cols))
    image_height = np.zeros((height, width, C, rows, cols))
    image_color = np.zeros((height, width, C, rows, cols, C))
    same = truth.triangle_ids == buffers.triangle_ids
    for v, u in np.argwhere(same & buffers.visible):
        for k, vertex in enumerate(truth.vertex_ids[v, u]):
            i, j = divmod(vertex, cols)
            depth_height[v, u, i, j] = truth.depth_wrt_height[v, u, k]
            for c in range(C):
                image_height[v, u, c, i, j] = truth.image_wrt_height[v, u, c, k]
                image_color[v, u, c, i, j, c] = truth.barycentric[v, u, k]
    for of, wrt, expected in (
        ("depth", "height", depth_height),
        ("image", "height", image_height),
        ("image", "color", image_color),
    ):
        J = buffers.jacobian(of, wrt)
        keep = np.repeat(same.ravel(), C if of == "image" else 1)
        scale = np.abs(expected).max()
        np.testing.assert_allclose(J.toarray()[keep], expected.reshape(J.shape)[keep], atol=1e-4 * scale)
    np.testing.assert_allclose(
        buffers.jacobian("image", "pose").reshape(height, width, C, 6)[same],
        truth.image_wrt_pose[same],
        rtol=1e-3,
        atol=1e-3,
    )
    np.testing.assert_allclose(
        buffers.jacobian("depth", "pose").reshape(height, width, 6)[same],
        truth.depth_wrt_pose[same],
        rtol=1e-3,
        atol=1e-3,
    )


@pytest.mark.parametrize("scene", [RGB, GREY], ids=str)
def test_layouts_give_the_same_jacobians(scene: Scene, differentiate: Differentiate) -> None:
    compact, full = differentiate(scene, "compact"), differentiate(scene, "full")
    for of, wrt in names(compact.channels):
        ours, theirs = compact.jacobian(of, wrt), full.jacobian(of, wrt)
        if wrt != "pose":
            np.testing.assert_array_equal(ours.indices, theirs.indices)
            np.testing.assert_array_equal(ours.indptr, theirs.indptr)
            ours, theirs = ours.data, theirs.data
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6 * np.abs(theirs).max())


def test_the_image_is_its_jacobian_by_colour_times_the_colours(differentiate: Differentiate) -> None:
    for scene in SEEING_SCENES:
        if scene.surface.colors is not None:
            buffers = differentiate(scene)
            predicted = buffers.jacobian("image", "color") @ scene.surface.colors.ravel()
            np.testing.assert_allclose(predicted.reshape(buffers.image.shape), buffers.image, atol=2e-5)


def test_a_higher_map_is_nearer_by_as_much_as_a_camera_moved_down(differentiate: Differentiate) -> None:
    """All heights together are a translation along the map's z: two blocks that are made apart."""
    for scene in SEEING_SCENES:
        buffers = differentiate(scene)
        up = scene.T_world_camera[:3, :3].T @ scene.surface.pose[:3, 2]
        ones = np.ones(scene.surface.heights.size)
        of_names = ("depth", "image") if buffers.channels else ("depth",)
        for of in of_names:
            by_height = buffers.jacobian(of, "height") @ ones
            by_pose = buffers.jacobian(of, "pose")[:, :3] @ up
            np.testing.assert_allclose(by_height, by_pose, rtol=1e-4, atol=1e-4 * np.abs(by_pose).max())


def test_a_map_without_colours_renders_grey_and_has_no_image_derivatives(differentiate: Differentiate) -> None:
    for way in WAYS:
        buffers = differentiate(BARE, way)
        assert buffers.image.shape == (*BARE.camera.shape, 1)
        np.testing.assert_allclose(buffers.image[..., 0], np.where(buffers.visible, 0.5, 0), atol=1e-6)
        assert buffers.channels == 0
        assert buffers.image_wrt_height.shape == (*BARE.camera.shape, 0, 3)
        assert buffers.pose.image_wrt_pose.shape == (*BARE.camera.shape, 0, 6)
        for wrt in ("height", "color", "pose"):
            with pytest.raises(UsageError, match="a map without colours has no image derivatives; give it colors"):
                buffers.jacobian("image", wrt)
        assert buffers.jacobian("depth", "height").nnz


def test_unknown_names_are_refused_with_the_valid_ones(differentiate: Differentiate) -> None:
    buffers = differentiate(RGB)
    with pytest.raises(UsageError, match="'normals', expected one of 'depth', 'image'"):
        buffers.jacobian("normals", "height")
    with pytest.raises(UsageError, match="'colour', expected one of 'height', 'color', 'pose'"):
        buffers.jacobian("image", "colour")
    with pytest.raises(UsageError, match="'depth' .*'color', expected one of 'height', 'pose'"):
        buffers.jacobian("depth", "color")


def test_pose_and_edges_are_made_only_if_asked_for(renderer: Callable[..., DerivativeRenderer]) -> None:
    for way in WAYS:
        buffers = renderer(RGB.camera, way).render(RGB.surface, RGB.T_world_camera, pose=False, edges=False)
        assert buffers.pose is None
        assert buffers.edges is None
        for of in ("depth", "image"):
            with pytest.raises(UsageError, match="left out of this pass; render with pose=True"):
                buffers.jacobian(of, "pose")
        assert buffers.jacobian("image", "height").nnz


def test_unknown_colours_render_grey_but_have_derivatives(
    differentiate: Differentiate, twin: Callable[[Scene], ReferenceBuffers]
) -> None:
    colors = RGB.surface.colors.copy()
    colors[4:8, 5:9] = np.nan
    scene = replace(RGB, surface=replace(RGB.surface, colors=colors))
    buffers = differentiate(scene)
    assert np.isfinite(buffers.image).all()
    np.testing.assert_allclose(buffers.image, twin(scene).image, atol=1e-5)
    inside = np.isin(buffers.vertex_ids, np.arange(13 * 17).reshape(13, 17)[4:8, 5:9]).all(axis=-1)
    assert inside.any()
    np.testing.assert_allclose(buffers.image[inside], 0.5, atol=1e-6)
    np.testing.assert_allclose(buffers.image_wrt_height[inside], 0, atol=1e-5)
    assert buffers.barycentric[inside].any()
