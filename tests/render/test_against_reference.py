"""The passes on the GPU against their float64 twin, and against each other."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from passes import WAYS
from random_scenes import SEEING_SCENES, UNSEEN_SCENES, Scene

from glrender.geometry import se3
from glrender.gl.context import Context
from glrender.render.buffers import CompactBuffers, DerivativeBuffers, FullBuffers
from glrender.render.forward import Rendering
from glrender.render.reference import ReferenceBuffers

INTERIOR = 1e-3
"""Relative error of each pixel's values, as vectors over channels and vertices."""
DIFFERING = 1e-3
"""Share of pixels that may see another triangle: their ray passes an edge closer than float32 can tell."""
SNAPPING = 1 / 128
"""Pixels: twice the grid that rasterisers snap vertices to, as a rule; so they move one by a quarter of it at most."""
QUANTITIES = ("image", "depth", "normal", "barycentric", "depth_wrt_height", "image_wrt_height")
POSE_QUANTITIES = ("depth_wrt_pose", "image_wrt_pose")

Twin = Callable[[Scene], ReferenceBuffers]
Differentiate = Callable[..., DerivativeBuffers]
each_scene = pytest.mark.parametrize("scene", SEEING_SCENES, ids=str)
each_unseen_scene = pytest.mark.parametrize("scene", UNSEEN_SCENES, ids=str)
each_way = pytest.mark.parametrize("way", WAYS)


def values(buffers: DerivativeBuffers, name: str) -> np.ndarray:
    return getattr(buffers.pose if name in POSE_QUANTITIES else buffers, name)


def relative_errors(values: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(pixels,): the length of each pixel's error over the length of its true vector."""
    error = np.linalg.norm((values - truth).reshape(len(truth), -1), axis=1)
    return error / np.linalg.norm(truth.reshape(len(truth), -1), axis=1).clip(min=1e-12)


@each_scene
@each_way
def test_every_value_is_that_of_the_twin(scene: Scene, way: str, twin: Twin, differentiate: Differentiate) -> None:
    truth, buffers = twin(scene), differentiate(scene, way)
    differing = np.count_nonzero(buffers.triangle_ids != truth.triangle_ids)
    assert differing <= max(2, DIFFERING * truth.triangle_ids.size), f"{differing} pixels see another triangle"
    same = (buffers.triangle_ids == truth.triangle_ids) & buffers.visible
    assert same.any()
    np.testing.assert_array_equal(buffers.vertex_ids[same], truth.vertex_ids[same])
    for name in QUANTITIES + POSE_QUANTITIES:
        found, expected = values(buffers, name)[same], getattr(truth, name)[same]
        assert found.shape == expected.shape, name
        errors = relative_errors(found, expected)
        assert errors.max(initial=0) <= INTERIOR, f"{name}: relative error {errors.max():.1e}"


@each_scene
def test_a_pixel_sees_another_triangle_only_where_it_touches_an_edge(
    scene: Scene, twin: Twin, differentiate: Differentiate
) -> None:
    ours, truth = differentiate(scene).triangle_ids, twin(scene).triangle_ids
    T_camera_map = se3.inverse(scene.T_world_camera) @ scene.surface.pose
    vertices = scene.surface.vertices() @ T_camera_map[:3, :3].T + T_camera_map[:3, 3]
    for v, u in np.argwhere(ours != truth):
        margins = [
            pixels_to_an_edge(scene.camera.project(vertices[scene.surface.triangles[triangle]]), np.array([u, v]))
            for triangle in (ours[v, u], truth[v, u])
            if triangle >= 0
        ]
        assert min(margins) <= SNAPPING, f"pixel {u}, {v} sees {ours[v, u]} for {truth[v, u]}: {margins} to an edge"


def pixels_to_an_edge(corners: np.ndarray, pixel: np.ndarray) -> float:
    """How far a pixel is from the lines that bound a projected triangle (3, 2)."""
    along = np.roll(corners, -1, axis=0) - corners
    away = pixel - corners
    return np.min(np.abs(along[:, 0] * away[:, 1] - along[:, 1] * away[:, 0]) / np.linalg.norm(along, axis=1))


def test_hardly_any_pixel_sees_another_triangle(twin: Twin, differentiate: Differentiate) -> None:
    differing = sum((differentiate(scene).triangle_ids != twin(scene).triangle_ids).sum() for scene in SEEING_SCENES)
    pixels = sum(scene.camera.width * scene.camera.height for scene in SEEING_SCENES)
    assert differing <= 0.5 * DIFFERING * pixels, f"{differing} of {pixels} pixels see another triangle"


@each_unseen_scene
@each_way
def test_where_nothing_is_seen_everything_is_zero(scene: Scene, way: str, differentiate: Differentiate) -> None:
    buffers = differentiate(scene, way)
    assert (buffers.triangle_ids == -1).all()
    assert (buffers.vertex_ids == -1).all()
    assert not buffers.visible.any()
    assert not buffers.edges.any()
    for name in QUANTITIES + POSE_QUANTITIES:
        assert not values(buffers, name).any(), name


@each_scene
@each_way
def test_pixels_beside_the_map_are_zero(scene: Scene, way: str, differentiate: Differentiate) -> None:
    buffers = differentiate(scene, way)
    outside = buffers.triangle_ids == -1
    np.testing.assert_array_equal(outside, buffers.depth == 0)
    assert (buffers.vertex_ids[outside] == -1).all()
    assert not buffers.edges[outside].any()
    for name in QUANTITIES + POSE_QUANTITIES:
        assert not values(buffers, name)[outside].any(), name


@each_scene
@each_way
def test_no_block_of_derivatives_is_silently_zero(scene: Scene, way: str, differentiate: Differentiate) -> None:
    """Every vertex of the triangle, channel and axis of motion tells on almost every pixel that sees the map."""
    buffers = differentiate(scene, way)
    seen = buffers.visible
    blocks = {"depth by vertex": buffers.depth_wrt_height, "depth by pose": buffers.pose.depth_wrt_pose}
    blocks |= {"barycentric": buffers.barycentric, "normal": buffers.normal}
    for channel in range(buffers.channels):
        blocks[f"channel {channel} by vertex"] = buffers.image_wrt_height[:, :, channel]
        blocks[f"channel {channel} by pose"] = buffers.pose.image_wrt_pose[:, :, channel]
    for name, block in blocks.items():
        nonzero = (block[seen] != 0).mean(axis=0)
        assert (nonzero > 0.97).all(), f"{name}: non-zero in {nonzero} of the pixels"
    assert (buffers.depth_wrt_height[seen].sum(axis=-1) < 0).all()  # a higher map is nearer


@each_scene
def test_full_and_compact_layouts_agree(scene: Scene, differentiate: Differentiate) -> None:
    compact, full = differentiate(scene, "compact"), differentiate(scene, "full")
    assert isinstance(compact, CompactBuffers)
    assert isinstance(full, FullBuffers)
    np.testing.assert_array_equal(compact.triangle_ids, full.triangle_ids)
    np.testing.assert_array_equal(compact.vertex_ids, full.vertex_ids)
    np.testing.assert_array_equal(compact.edges, full.edges)
    for name in QUANTITIES + POSE_QUANTITIES:
        ours, theirs = values(compact, name), values(full, name)
        assert ours.dtype == theirs.dtype == np.float32
        assert ours.shape == theirs.shape, name
        # The same GLSL; b0 = 1 - b1 - b2 and the products b_k m_u are rounded on the host in one of them.
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6 * np.abs(theirs).max(initial=0), err_msg=name)


@each_scene
def test_the_forward_pass_draws_the_image_of_the_derivative_pass(
    scene: Scene, context: Context, twin: Twin, differentiate: Differentiate, draw: Callable[..., Rendering]
) -> None:
    buffers, rendering = differentiate(scene), draw(scene, "gpu")
    assert rendering.image.shape == buffers.image.shape
    assert rendering.image.flags.c_contiguous
    assert rendering.depth.flags.c_contiguous
    # A GPU interpolates between vertices that it has snapped, llvmpipe between those that were given; at silhouettes
    # pixels may go either way.
    moved = np.zeros_like(buffers.image) if context.is_software else change_per_pixel(scene, twin) * SNAPPING / 4
    difference = np.abs(rendering.image - buffers.image)
    close = np.isclose(rendering.depth, buffers.depth, rtol=1e-3) & (difference <= 3e-3 + moved).all(axis=-1)
    assert np.count_nonzero(~close) <= max(1, 2e-3 * close.size)
    typical, expected = difference[close].mean(), moved[close].mean() / 2
    assert typical <= 3e-5 + expected, f"colours differ by {typical} on average"


def change_per_pixel(scene: Scene, twin: Twin) -> np.ndarray:
    """(height, width, C): how much the image changes where the picture is moved by a pixel, along rows and columns."""
    image, camera, step = twin(scene).image, scene.camera, 1 / 256
    beside, below = replace(camera, cx=camera.cx + step), replace(camera, cy=camera.cy + step)
    return sum(np.abs(twin(replace(scene, camera=each)).image - image) / step for each in (beside, below))


@pytest.mark.parametrize("scene", [*SEEING_SCENES, *UNSEEN_SCENES], ids=str)
def test_on_the_host_the_forward_pass_has_the_pixels_of_the_derivative_pass(
    scene: Scene, differentiate: Differentiate, draw: Callable[..., Rendering]
) -> None:
    buffers, rendering = differentiate(scene, "host"), draw(scene, "host")
    assert rendering.image.shape == buffers.image.shape
    # Two ways to write the same in float64, before it is rounded to float32.
    np.testing.assert_allclose(rendering.depth, buffers.depth, rtol=2e-7)
    np.testing.assert_allclose(rendering.image, buffers.image, rtol=2e-6, atol=2e-6)
    if scene.surface.channels == 1:
        np.testing.assert_array_equal(rendering.pixels[..., :3], rendering.pixels[..., :1].repeat(3, axis=-1))
