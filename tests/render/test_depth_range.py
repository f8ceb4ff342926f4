"""The depth buffer's range: everything that is seen lies in it, and far things are told apart in it."""

import numpy as np
import pytest
from random_scenes import CHANNELS, VIEWS, random_scene

from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.render import reference
from glrender.render.derivatives import DerivativeRenderer
from glrender.render.view import DEPTH_RATIO, bounding_boxes, clearance, make_view

NEAR = 1e-3
CAMERA = Camera(96, 72, 80.0, 80.0, 47.5, 35.5)


def depth_range(surface: HeightMap, camera: Camera, T_world_camera: np.ndarray) -> tuple[float, float]:
    boxes = bounding_boxes(surface)
    return make_view(surface, camera, T_world_camera, height_origin=0.0, boxes=boxes, near=NEAR).depth_range


def rough_bowl(spacing: float, size: int) -> HeightMap:
    """Rough ground that rises away from its level middle, where a rover stands."""
    rng = np.random.default_rng(0)
    axis = (np.arange(size) - size // 2) * spacing
    x, y = np.meshgrid(axis, axis)
    heights = 0.5 * spacing * rng.normal(size=(size, size)) + np.hypot(x, y) ** 2 / 4000
    heights[np.hypot(x, y) < 3 * spacing] = 0
    return HeightMap(heights, spacing, (axis[0], axis[0]), rng.uniform(size=(size, size, 1)))


@pytest.mark.parametrize("pitch", [0.05, -0.1])
def test_far_hills_hide_each_other_from_a_rover(context: Context, pitch: float) -> None:
    surface = rough_bowl(spacing=5.0, size=201)
    eye = np.array([1.7, 1.1, 1.0])
    T_world_camera = se3.look_at(eye, eye + np.array([0.8, 0.6, pitch]))
    near, far = depth_range(surface, CAMERA, T_world_camera)
    renderer = DerivativeRenderer(context, CAMERA)
    buffers = renderer.render(surface, T_world_camera, pose=False, edges=False)
    renderer.release()
    truth = reference.visible_triangles(surface, CAMERA, T_world_camera)
    differing = np.mean(buffers.triangle_ids != truth)
    assert buffers.depth.max() > 400
    assert differing <= 1e-3, f"{differing:.2%} of the pixels see another triangle, depth range {near} to {far} m"


@pytest.mark.parametrize("seed", range(16))
def test_what_is_seen_lies_in_the_range(seed: int) -> None:
    # The eye stands on the map, high or hardly above it, in three scenes of four.
    scene = random_scene(
        seed,
        view=("inside", *VIEWS)[seed % 4],
        channels=CHANNELS[seed % 3],
        shape=(40, 50),
        roughness=(0.02, 0.3, 2.0)[seed % 3],
        smoothing=(0.0, 2.0)[seed // 2 % 2],
        holes=0.1 * (seed % 5 == 0),
        placed=seed % 2 == 1,
    )
    near, far = depth_range(scene.surface, scene.camera, scene.T_world_camera)
    depth = reference.render(scene.surface, scene.camera, scene.T_world_camera, NEAR).depth
    assert near <= depth[depth > 0].min()
    assert depth.max() <= far


def test_the_range_is_narrow_enough_for_24_bits() -> None:
    surface = rough_bowl(spacing=5.0, size=101)
    for height in (0.5, 1.0, 3.0):
        eye = np.array([1.7, 1.1, height])
        near, far = depth_range(surface, CAMERA, se3.look_at(eye, eye + np.array([0.8, 0.6, -0.1])))
        assert near / far >= 0.5 * DEPTH_RATIO


@pytest.mark.parametrize("seed", range(12))
def test_clearance_is_never_more_than_the_distance(seed: int) -> None:
    rng = np.random.default_rng(seed)
    surface = random_scene(seed, shape=(9, 11), roughness=(0.1, 1.0, 5.0)[seed % 3], holes=0.1 * (seed % 2)).surface
    corners = surface.vertices()[surface.triangles]
    weights = rng.dirichlet((0.5, 0.5, 0.5), 50)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    samples = np.einsum("sk,tkd->tsd", weights, corners)
    (x, y), spread = surface.axes(), np.nanstd(surface.heights)
    for _ in range(20):
        level = rng.normal(np.nanmean(surface.heights) + spread, spread)
        eye = np.array([rng.uniform(x[0], x[-1]), rng.uniform(y[0], y[-1]), level])
        above = np.einsum("td,td->t", normals, eye - corners[:, 0]) > 0
        distances = np.linalg.norm(samples[above] - eye, axis=-1)
        reach = rng.uniform(0.5, 5) * surface.spacing
        assert clearance(surface, eye, reach) <= distances.min(initial=reach)


def test_clearance_over_level_ground_is_the_height_above_it() -> None:
    surface = HeightMap(np.full((5, 6), 2.0), 1.0, (10.0, 20.0))
    assert clearance(surface, np.array([12.3, 21.8, 2.25]), 1.0) == pytest.approx(0.25)
    assert clearance(surface, np.array([12.3, 21.8, 9.0]), 1.0) == 1.0
    assert clearance(surface, np.array([12.3, 21.8, 1.9]), 1.0) == 1.0  # its lower side is not seen
    assert clearance(surface, np.array([9.6, 21.8, 2.1]), 1.0) == pytest.approx(0.4)
    assert clearance(surface, np.array([0.0, 21.8, 2.1]), 1.0) == 1.0
