"""A frame's equations in one sweep, against buffers that are rendered, screened, weighed and summed up one by one."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from passes import derivative_renderer
from random_scenes import SEEING_SCENES, UNSEEN_SCENES, Scene

from glrender.assembly import on_host
from glrender.assembly.absolute import AbsoluteEquations
from glrender.assembly.on_host import HostNormalEquations
from glrender.assembly.residuals import Measurements, weigh
from glrender.assembly.statistics import FrameStatistics
from glrender.assembly.stencil import normal_equations
from glrender.assembly.usable import seen_from_above, usable_pixels
from glrender.errors import InputError, UsageError
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.render.buffers import DerivativeBuffers
from glrender.solve.losses import Cauchy, Huber, Loss, Squared, Tukey
from glrender.solve.systems import NormalEquations

MAX_SLOPE = 3.0
SCENES = SEEING_SCENES[:19]
each_scene = pytest.mark.parametrize("scene", SCENES, ids=str)


@pytest.fixture
def rendered(context: Context) -> Callable[[Scene, str], DerivativeBuffers]:
    def render(scene: Scene, way: str) -> DerivativeBuffers:
        renderer = derivative_renderer(context, scene.camera, way)
        buffers = renderer.render(scene.surface, scene.T_world_camera, pose=False)
        renderer.release()
        return buffers

    return render


def swept(
    scene: Scene, measurements: Measurements, depth_loss: Loss | None = None, **options: Any
) -> tuple[AbsoluteEquations, FrameStatistics]:
    options = {"max_depth_slope": MAX_SLOPE, "depth_loss": depth_loss or Cauchy(3.5), "color_loss": Huber()} | options
    return HostNormalEquations(scene.camera).screened(scene.surface, scene.T_world_camera, measurements, **options)


def one_by_one(
    buffers: DerivativeBuffers, measurements: Measurements, depth_loss: Loss, scale: float
) -> NormalEquations:
    """The same by the parts that the GPU's passes are held to as well."""
    mask = usable_pixels(buffers, MAX_SLOPE)
    if measurements.mask is not None:
        mask &= measurements.mask
    if not isinstance(depth_loss, Squared):
        depth_loss = replace(depth_loss, k=depth_loss.k * scale)
    assert measurements.depth is not None
    depth = np.where(seen_from_above(buffers), measurements.depth, np.float32(0))
    residuals = weigh(buffers, replace(measurements, depth=depth, mask=mask), depth_loss=depth_loss, color_loss=Huber())
    return normal_equations(buffers, residuals, heights_from_color=False)


def assert_same(found: AbsoluteEquations, expected: NormalEquations, scene: Scene, tolerance: float) -> None:
    heights = expected.stencil.heights_only()
    pairs = [
        (found.heights.stencil.matrix, heights.matrix),
        (
            found.heights.vector,
            expected.vector[..., :1] + heights.matvec(np.nan_to_num(scene.surface.heights)[..., None]),
        ),
    ]
    if found.colors is not None:
        at_colors = expected.stencil.matrix.copy()
        at_colors[..., [0, *range(2, at_colors.shape[-1])]] = 0
        x = np.concatenate([np.zeros((*scene.surface.shape, 1)), np.nan_to_num(scene.surface.colors, nan=0.5)], axis=-1)
        absolute = expected.vector + type(expected.stencil)(at_colors).matvec(x)
        pairs += [
            (found.colors.information.matrix, expected.stencil.matrix[..., 1:2]),
            (found.colors.vector, absolute[..., 1:]),
        ]
    for ours, theirs in pairs:
        assert np.abs(theirs).max() > 0
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * np.abs(theirs).max())


@each_scene
def test_it_is_what_rendered_buffers_give(scene: Scene, frame: Callable, rendered: Callable) -> None:
    measurements, buffers = frame(scene).measurements, rendered(scene, "host")
    equations, statistics = swept(scene, measurements)
    expected = one_by_one(buffers, measurements, Cauchy(3.5), statistics.robust_scale)
    # Depths are rounded to float32 in one, their inverses in the other: a pixel may cross what makes an edge.
    assert abs(equations.heights.count - expected.count) <= 2
    if equations.heights.count == expected.count:
        assert equations.heights.cost == pytest.approx(expected.cost, rel=1e-5)
        assert_same(equations, expected, scene, 3e-6)


def test_the_frames_agree_to_the_last_pixel(frame: Callable, rendered: Callable) -> None:
    """What the test before lets pass is rare, and there is something to screen."""
    counts = []
    for scene in SCENES:
        measurements, buffers = frame(scene).measurements, rendered(scene, "host")
        equations, statistics = swept(scene, measurements)
        counts.append(
            (equations.heights.count, one_by_one(buffers, measurements, Cauchy(3.5), statistics.robust_scale).count)
        )
    ours, theirs = np.array(counts).T
    assert (ours == theirs).mean() > 0.9
    assert ours.sum() > 10_000


@each_scene
def test_it_is_what_the_gpus_buffers_give_but_for_a_few_pixels(
    scene: Scene, frame: Callable, rendered: Callable
) -> None:
    measurements, buffers = frame(scene).measurements, rendered(scene, "compact")
    equations, statistics = swept(scene, measurements)
    expected = one_by_one(buffers, measurements, Cauchy(3.5), statistics.robust_scale)
    assert abs(equations.heights.count - expected.count) <= max(2, 1e-3 * expected.count)
    ours, theirs = equations.heights.stencil.matrix[..., 0], expected.stencil.matrix[..., 0]
    differing = np.abs(ours - theirs) > 1e-4 * np.abs(theirs).max()
    assert np.count_nonzero(differing.any(axis=-1)) <= max(12, 2e-2 * theirs[..., 0].size)


@pytest.mark.parametrize("loss", [Squared(), Huber(1.5), Tukey(5.0)], ids=str)
def test_each_loss(loss: Loss, frame: Callable, rendered: Callable) -> None:
    scene = SCENES[0]
    measurements, buffers = frame(scene).measurements, rendered(scene, "host")
    equations, statistics = swept(scene, measurements, loss)
    expected = one_by_one(buffers, measurements, loss, statistics.robust_scale)
    assert equations.heights.count == expected.count
    assert equations.heights.cost == pytest.approx(expected.cost, rel=1e-5)
    assert_same(equations, expected, scene, 3e-6)


def test_a_long_run_of_outliers_has_a_finite_cost() -> None:
    """All pixels of a row see one triangle, and the product of their weights is far below what a float can be."""
    camera = Camera(300, 12, 200.0, 200.0, 149.5, 5.5)
    scene = Scene(
        "a plane", HeightMap(np.zeros((2, 2)), 20.0, (-5.0, -5.0)), camera, se3.look_at((0, 0, 2.0), (0, 0, 0))
    )
    depth = np.full(camera.shape, 2.0, np.float32)
    depth[:4] = 3.0
    equations, statistics = swept(scene, Measurements(depth, np.full(camera.shape, 1e-3, np.float32)))
    assert statistics.robust_scale == 1
    assert equations.heights.count == depth.size
    rho = 3.5**2 / 2 * np.log1p((1.0 / 1e-3 / 3.5) ** 2)
    assert equations.heights.cost == pytest.approx(4 * 300 * rho, rel=1e-3)


def test_it_makes_no_difference_how_many_cores_there_are(frame: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = next(scene for scene in SCENES if scene.surface.colors is not None)
    measurements = frame(scene).measurements
    expected, same = swept(scene, measurements)
    rows = scene.surface.shape[0]
    for cuts in ([0, rows], [0, 1, 2, rows // 2, rows // 2, rows]):
        parts = list(pairwise(cuts))
        monkeypatch.setattr(on_host, "shares", lambda *_, parts=parts: parts)
        equations, statistics = swept(scene, measurements)
        assert statistics == same
        assert equations.heights.count == expected.heights.count
        assert equations.heights.cost == pytest.approx(expected.heights.cost, rel=1e-12)
        np.testing.assert_array_equal(equations.heights.stencil.matrix, expected.heights.stencil.matrix)
        np.testing.assert_array_equal(equations.heights.vector, expected.heights.vector)
        np.testing.assert_array_equal(equations.colors.information.matrix, expected.colors.information.matrix)
        np.testing.assert_array_equal(equations.colors.vector, expected.colors.vector)


def test_statistics_are_those_of_the_measured_depths(frame: Callable, rendered: Callable) -> None:
    scene = SCENES[0]
    measurements, buffers = replace(frame(scene).measurements, mask=None), rendered(scene, "host")
    depth, sigma = measurements.depth + np.float32(0.02), measurements.depth_sigma
    _, statistics = swept(scene, replace(measurements, depth=depth))
    there = buffers.visible & (depth > 0) & np.isfinite(depth)
    assert statistics.measured == np.count_nonzero(there)
    looked_at = np.zeros_like(there)
    looked_at[::4, ::4] = there[::4, ::4]
    residual = (depth - buffers.depth)[looked_at]
    assert statistics.median_residual == pytest.approx(np.median(residual), rel=1e-4)
    assert statistics.median_abs_residual == pytest.approx(np.median(np.abs(residual)), rel=1e-4)
    scale = 1.4826 * np.median(np.abs(residual) / sigma[looked_at])
    assert scale > 1
    assert statistics.robust_scale == pytest.approx(scale, rel=1e-4)
    expected = one_by_one(buffers, Measurements(depth, sigma), Cauchy(3.5), statistics.robust_scale)
    assert 0 < statistics.trusted <= expected.count


def test_where_nothing_is_seen_there_is_nothing() -> None:
    scene = UNSEEN_SCENES[0]
    depth = np.ones(scene.camera.shape, np.float32)
    equations, statistics = swept(scene, Measurements(depth, 0.01))
    assert not equations.heights.stencil.matrix.any()
    assert equations.heights.count == 0
    np.testing.assert_equal(statistics, FrameStatistics(0, 0, np.nan, np.nan, 1.0))


@pytest.mark.parametrize("sigma", [0.0, -1.0, np.nan])
def test_a_sigma_that_is_none_is_refused(sigma: float, frame: Callable) -> None:
    scene, measurements = SCENES[0], frame(SCENES[0]).measurements
    sigmas = measurements.depth_sigma.copy()
    sigmas[::7, ::5] = sigma
    with pytest.raises(InputError, match="depth_sigma: .* not greater than 0"):
        swept(scene, replace(measurements, depth_sigma=sigmas))


def test_what_does_not_fit_is_refused(frame: Callable) -> None:
    scene, measurements = SCENES[0], frame(SCENES[0]).measurements
    with pytest.raises(UsageError, match="neither depth nor an image"):
        swept(scene, Measurements())
    with pytest.raises(InputError, match="depth: received shape"):
        swept(scene, replace(measurements, depth=measurements.depth[1:]))
    with pytest.raises(InputError, match="depth_sigma: received shape"):
        swept(scene, replace(measurements, depth_sigma=measurements.depth_sigma[1:]))
