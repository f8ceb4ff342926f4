"""Every derivative against central differences of the rendered buffers themselves.

Pixels whose triangle changes between the renderings are left out: there the image is not continuous. How many
that may be is bounded, and every message says how many they were.
"""

from collections.abc import Callable

import numpy as np
import pytest
from random_scenes import SEEING_SCENES, Scene

from glrender.geometry import se3
from glrender.geometry.heightmap import HeightMap
from glrender.render.buffers import DerivativeBuffers
from glrender.render.derivatives import DerivativeRenderer

STEP = 0.004
"""Of the spacing, or of the spacing over the depth in radians: float32 leaves enough digits of the difference."""
STENCIL = ((1, 2 / 3), (-1, -2 / 3), (2, -1 / 12), (-2, 1 / 12))
"""Steps and weights of a difference of fourth order; a plain one would need a step at which float32 has no digits."""
EXCLUDED = 0.12
"""Share of the seeing pixels that may be left out; the steps move edges by up to 2 % of a triangle's width."""
TOLERANCE = 5e-3
"""Length of the error over the length of the derivative, over all pixels, mostly float32 in the images; five times
that for any one pixel."""

MakeRenderer = Callable[..., DerivativeRenderer]
each_scene = pytest.mark.parametrize("scene", SEEING_SCENES, ids=str)
each_coloured_scene = pytest.mark.parametrize(
    "scene", [scene for scene in SEEING_SCENES if scene.surface.colors is not None], ids=str
)


class Differences:
    """Central differences of depth and image along one path of maps or poses, beside what is to be compared."""

    def __init__(self, here: DerivativeBuffers, render: Callable[[float], DerivativeBuffers], step: float) -> None:
        self.depth, self.image = np.zeros(here.depth.shape), np.zeros(here.image.shape)
        self.steady = here.visible.copy()
        for steps, weight in STENCIL:
            there = render(steps * step)
            self.steady &= there.triangle_ids == here.triangle_ids
            self.depth += weight / step * there.depth
            self.image += weight / step * there.image
        self.excluded = 1 - self.steady.sum() / here.visible.sum()

    def assert_are(self, what: str, derivative: np.ndarray, numeric: np.ndarray, tolerance: float = TOLERANCE) -> None:
        derivative, numeric = derivative.reshape(numeric.shape)[self.steady], numeric[self.steady]
        error = np.linalg.norm(derivative - numeric) / np.linalg.norm(numeric)
        largest = np.abs(derivative - numeric).max() / np.abs(numeric).max()
        found = f"{what}: relative error {error:.1e}, largest {largest:.1e}, {self.excluded:.1%} of the pixels excluded"
        assert self.excluded <= EXCLUDED, found
        assert error <= tolerance, found
        assert largest <= 5 * tolerance, found


def typical_depth(buffers: DerivativeBuffers) -> float:
    return float(np.median(buffers.depth[buffers.visible]))


@each_scene
def test_by_height(scene: Scene, differentiate: Callable[[Scene], DerivativeBuffers], renderer: MakeRenderer) -> None:
    surface, here, passes = scene.surface, differentiate(scene), renderer(scene.camera)
    rng = np.random.default_rng(0)
    # All vertices at once, up or down by chance: a wrong or missing column shows in the sum.
    for direction in rng.choice([-1.0, 1.0], (2, *surface.shape)):

        def raised(step: float, direction: np.ndarray = direction) -> DerivativeBuffers:
            higher = surface.with_values(surface.heights + step * direction, surface.colors)
            return passes.render(higher, scene.T_world_camera, pose=False, edges=False)

        differences = Differences(here, raised, STEP * surface.spacing)
        differences.assert_are("depth", here.jacobian("depth", "height") @ direction.ravel(), differences.depth)
        if here.channels:
            predicted = here.jacobian("image", "height") @ direction.ravel()
            differences.assert_are("image", predicted, differences.image)


@each_coloured_scene
def test_by_colour(scene: Scene, differentiate: Callable[[Scene], DerivativeBuffers], renderer: MakeRenderer) -> None:
    surface, here, passes = scene.surface, differentiate(scene), renderer(scene.camera)
    assert surface.colors is not None
    direction = np.random.default_rng(0).normal(size=surface.colors.shape)

    def tinted(step: float) -> DerivativeBuffers:
        tint = surface.with_values(surface.heights, surface.colors + step * direction)
        return passes.render(tint, scene.T_world_camera, pose=False, edges=False)

    differences = Differences(here, tinted, 0.25)
    assert differences.excluded == 0
    assert not np.any(differences.depth > 1e-5)
    # The image is linear in its colours, so the steps can be long and nothing but rounding remains.
    predicted = here.jacobian("image", "color") @ direction.ravel()
    differences.assert_are("image", predicted, differences.image, tolerance=1e-5)


@each_scene
def test_by_pose(scene: Scene, differentiate: Callable[[Scene], DerivativeBuffers], renderer: MakeRenderer) -> None:
    here, passes = differentiate(scene), renderer(scene.camera)
    for axis, name in enumerate(("vx", "vy", "vz", "wx", "wy", "wz")):

        def moved(step: float, axis: int = axis) -> DerivativeBuffers:
            # T_camera_world <- exp(twist) T_camera_world
            there = scene.T_world_camera @ se3.exp(-step * np.eye(6)[axis])
            return passes.render(scene.surface, there, pose=False, edges=False)

        step = STEP * scene.surface.spacing / (1 if axis < 3 else typical_depth(here))
        differences = Differences(here, moved, step)
        differences.assert_are(f"depth by {name}", here.jacobian("depth", "pose")[:, axis], differences.depth)
        if here.channels:
            differences.assert_are(f"image by {name}", here.jacobian("image", "pose")[:, axis], differences.image)


def test_one_vertex_is_one_column(renderer: MakeRenderer) -> None:
    """Each unknown by itself, on a map small enough for that."""
    scene = SEEING_SCENES[0]
    colors = np.random.default_rng(3).uniform(size=(4, 5, 3))
    heights = 0.02 * np.random.default_rng(4).normal(size=(4, 5)) + np.nanmean(scene.surface.heights)
    surface = HeightMap(heights, 4 * scene.surface.spacing, scene.surface.origin, colors)
    passes = renderer(scene.camera)
    here = passes.render(surface, scene.T_world_camera)
    by_height = {of: here.jacobian(of, "height").toarray() for of in ("depth", "image")}
    by_color = here.jacobian("image", "color").toarray()

    def changed(block: int, unknown: int, step: float) -> DerivativeBuffers:
        values = [heights.copy(), colors.copy()]
        values[block].ravel()[unknown] += step
        return passes.render(surface.with_values(*values), scene.T_world_camera, pose=False, edges=False)

    for vertex in range(heights.size):
        differences = Differences(here, lambda step, vertex=vertex: changed(0, vertex, step), STEP * surface.spacing)
        if by_height["depth"][:, vertex].any():
            # A vertex at the rim tells on a few pixels alone, whose rounding nothing averages out.
            differences.assert_are(f"vertex {vertex}", by_height["depth"][:, vertex], differences.depth, 2e-2)
            differences.assert_are(f"vertex {vertex}", by_height["image"][:, vertex], differences.image, 2e-2)
        else:
            np.testing.assert_allclose(differences.depth[differences.steady], 0, atol=1e-3)
    for unknown in range(colors.size):
        differences = Differences(here, lambda step, unknown=unknown: changed(1, unknown, step), 0.25)
        np.testing.assert_allclose(by_color[:, unknown], differences.image.ravel(), atol=1e-5)
    assert by_color.any(axis=0).mean() > 0.5
