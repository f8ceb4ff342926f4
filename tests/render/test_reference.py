"""The float64 twin by itself: its derivatives against its own differences, its images against plain geometry."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from random_scenes import SEEING_SCENES, UNSEEN_SCENES, Scene

from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.render import reference
from glrender.render.reference import ReferenceBuffers

STEP = 1e-5
"""Of the spacing, or in radians: truncation and rounding both stay far below the tolerance."""
TOLERANCE = 1e-6
"""Of the largest derivative of a scene."""

Twin = Callable[[Scene], ReferenceBuffers]
each_scene = pytest.mark.parametrize("scene", SEEING_SCENES, ids=str)
each_coloured_scene = pytest.mark.parametrize(
    "scene", [scene for scene in SEEING_SCENES if scene.surface.colors is not None], ids=str
)


def differences(evaluate: Callable[[float], ReferenceBuffers], step: float) -> tuple[np.ndarray, np.ndarray]:
    """Depth (h, w) and image (h, w, C) by central differences of fourth order, visibility held."""
    by_depth, by_image = 0.0, 0.0
    for steps, weight in ((1, 2 / 3), (-1, -2 / 3), (2, -1 / 12), (-2, 1 / 12)):
        moved = evaluate(steps * step)
        by_depth = by_depth + weight / step * moved.depth
        by_image = by_image + weight / step * moved.image
    return np.asarray(by_depth), np.asarray(by_image)


def assert_close(derivative: np.ndarray, numeric: np.ndarray) -> None:
    np.testing.assert_allclose(derivative, numeric, rtol=0, atol=TOLERANCE * max(np.abs(derivative).max(), 1e-9))


def along(by_vertex: np.ndarray, vertex_ids: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Sum over the three vertices (last axis of `by_vertex`) of derivative times each vertex's direction."""
    values = direction.ravel()[vertex_ids] if by_vertex.ndim == 3 else direction.ravel()[vertex_ids][:, :, None]
    return (by_vertex * values).sum(axis=-1)


def near_origin(scene: Scene) -> Scene:
    """The scene without its far origin, at which float64 differences lose the digits that are compared."""
    surface = scene.surface
    if max(map(abs, surface.origin)) < 1e3:
        return scene
    shift = np.eye(4)
    shift[:2, 3] = np.negative(surface.origin)
    to_near = surface.pose @ shift @ np.linalg.inv(surface.pose)
    return replace(scene, surface=replace(surface, origin=(0.0, 0.0)), T_world_camera=to_near @ scene.T_world_camera)


@each_scene
def test_derivatives_by_height_are_differences(scene: Scene, twin: Twin) -> None:
    ids = twin(scene).triangle_ids
    scene = near_origin(scene)
    surface, camera, T = scene.surface, scene.camera, scene.T_world_camera
    buffers = reference.evaluate(surface, camera, T, ids)
    direction = np.random.default_rng(0).normal(size=surface.shape)

    def raised(step: float) -> ReferenceBuffers:
        higher = surface.with_values(surface.heights + step * direction, surface.colors)
        return reference.evaluate(higher, camera, T, ids)

    by_depth, by_image = differences(raised, STEP * surface.spacing)
    assert_close(along(buffers.depth_wrt_height, buffers.vertex_ids, direction), by_depth)
    if surface.colors is not None:
        assert_close(along(buffers.image_wrt_height, buffers.vertex_ids, direction), by_image)


@each_coloured_scene
def test_derivatives_by_colour_are_barycentrics(scene: Scene, twin: Twin) -> None:
    surface, camera, T = scene.surface, scene.camera, scene.T_world_camera
    assert surface.colors is not None
    buffers = twin(scene)
    direction = np.random.default_rng(0).normal(size=surface.colors.shape)

    def tinted(step: float) -> ReferenceBuffers:
        tint = surface.with_values(surface.heights, surface.colors + step * direction)
        return reference.evaluate(tint, camera, T, buffers.triangle_ids)

    by_depth, by_image = differences(tinted, 0.1)
    predicted = [
        along(buffers.barycentric, buffers.vertex_ids, direction[..., channel]) for channel in range(surface.channels)
    ]
    assert_close(np.stack(predicted, axis=-1), by_image)
    np.testing.assert_allclose(by_depth, 0, atol=1e-12 * buffers.depth.max())


@each_scene
def test_derivatives_by_pose_are_differences(scene: Scene, twin: Twin) -> None:
    ids = twin(scene).triangle_ids
    scene = near_origin(scene)
    surface, camera, T = scene.surface, scene.camera, scene.T_world_camera
    buffers = reference.evaluate(surface, camera, T, ids)

    def moved(axis: int, step: float) -> ReferenceBuffers:
        # T_camera_world <- exp(twist) T_camera_world
        return reference.evaluate(surface, camera, T @ se3.exp(-step * np.eye(6)[axis]), ids)

    for axis in range(6):
        by_depth, by_image = differences(partial(moved, axis), STEP * surface.spacing if axis < 3 else STEP)
        assert_close(buffers.depth_wrt_pose[..., axis], by_depth)
        if surface.colors is not None:
            assert_close(buffers.image_wrt_pose[..., axis], by_image)


@each_scene
def test_a_pixel_sees_what_its_ray_meets_first(scene: Scene, twin: Twin) -> None:
    """Against every triangle of the map, by the volumes of Moeller and Trumbore, at pixels drawn at random."""
    surface, camera = scene.surface, scene.camera
    ids = twin(scene).triangle_ids
    T_camera_map = np.linalg.inv(scene.T_world_camera) @ surface.pose
    p0, p1, p2 = np.moveaxis(
        (surface.vertices() @ T_camera_map[:3, :3].T + T_camera_map[:3, 3])[surface.triangles], 1, 0
    )
    rng = np.random.default_rng(0)
    for _ in range(60):
        v, u = rng.integers(camera.height), rng.integers(camera.width)
        ray = np.array([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, 1.0])
        side = np.cross(ray, p2 - p0)
        volume = (side * (p1 - p0)).sum(axis=1)
        across = np.cross(-p0, p1 - p0)
        with np.errstate(invalid="ignore", divide="ignore"):
            b1, b2 = (side * -p0).sum(axis=1) / volume, across @ ray / volume
            depth = (across * (p2 - p0)).sum(axis=1) / volume
            hits = (volume > 0) & (b1 >= 0) & (b2 >= 0) & (b1 + b2 <= 1) & (depth > 1e-3)
        nearest = np.argmin(np.where(hits, depth, np.inf)) if hits.any() else -1
        margin = np.min([b1[nearest], b2[nearest], 1 - b1[nearest] - b2[nearest]]) if hits.any() else 1.0
        if margin > 1e-9:
            assert ids[v, u] == nearest


@pytest.mark.parametrize("scene", UNSEEN_SCENES, ids=str)
def test_nothing_is_seen_from_below_or_looking_away(scene: Scene, twin: Twin) -> None:
    buffers = twin(scene)
    assert (buffers.triangle_ids == -1).all()
    assert not buffers.image.any()
    assert not buffers.depth_wrt_height.any()


def test_a_slope_has_the_depth_of_its_plane() -> None:
    surface = HeightMap(np.add.outer(0.2 * np.arange(5), 0.1 * np.arange(6)), 1.0)  # z = 0.1 x + 0.2 y
    camera = Camera(9, 7, 8.0, 8.0, 4.0, 3.0)
    T_world_camera = se3.look_at((2.4, 1.9, 3.0), (2.4, 1.9, 0.0))
    buffers = reference.render(surface, camera, T_world_camera)
    points = (buffers.depth[..., None] * camera.rays()) @ T_world_camera[:3, :3].T + T_world_camera[:3, 3]
    assert (buffers.depth > 0).all()
    np.testing.assert_allclose(points[..., 2], 0.1 * points[..., 0] + 0.2 * points[..., 1], atol=1e-12)
    upward = np.array([-0.1, -0.2, 1]) / np.sqrt(1.05)
    np.testing.assert_allclose(
        buffers.normal @ T_world_camera[:3, :3].T, np.broadcast_to(upward, (7, 9, 3)), atol=1e-12
    )
