"""Frames as fusion wants them, made on the GPU: without edges and grazing views, widened by their own scatter."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from passes import derivative_renderer, need_compute
from random_scenes import SEEING_SCENES, UNSEEN_SCENES, Scene

from glrender.assembly.absolute import AbsoluteEquations
from glrender.assembly.gpu_measurements import GpuMeasurements
from glrender.assembly.on_gpu import GpuNormalEquations
from glrender.assembly.residuals import Measurements, Residuals, weigh
from glrender.assembly.statistics import FrameStatistics
from glrender.assembly.stencil import normal_equations
from glrender.assembly.usable import seen_from_above, usable_pixels
from glrender.gl.context import Context
from glrender.render.buffers import DerivativeBuffers
from glrender.solve.losses import Cauchy, Huber

MAX_SLOPE = 3.0
LOSS = Cauchy(3.5)

Screened = tuple[AbsoluteEquations, FrameStatistics, DerivativeBuffers]


@pytest.fixture
def screened(context: Context) -> Callable[..., Screened]:
    """The GPU's equations and statistics, and the buffers with edges of the same view."""
    need_compute(context)

    def make(scene: Scene, measurements: Measurements, slope: float = MAX_SLOPE) -> Screened:
        gpu = GpuNormalEquations(context, scene.camera)
        renderer = derivative_renderer(context, scene.camera, "compact")
        frame = GpuMeasurements(context, scene.camera, measurements)
        losses = {"depth_loss": LOSS, "color_loss": Huber()}
        view = scene.surface, scene.T_world_camera
        system, statistics = gpu.screened(renderer, *view, frame, max_depth_slope=slope, **losses)
        again, same = gpu.screened(renderer, *view, frame, max_depth_slope=slope, **losses)
        for one, other in zip(parts_of(again), parts_of(system), strict=True):
            np.testing.assert_array_equal(one, other)
        np.testing.assert_equal(same, statistics)
        buffers = renderer.render(*view, pose=False)
        for made in (gpu, frame, renderer):
            made.release()
        return system, statistics, buffers

    return make


def parts_of(equations: AbsoluteEquations) -> list[np.ndarray]:
    """Matrix and vector of the heights, and of the colours where there are any."""
    parts = [equations.heights.stencil.matrix, equations.heights.vector]
    if equations.colors is not None:
        parts += [equations.colors.information.matrix, equations.colors.vector]
    return parts


def on_host(buffers: DerivativeBuffers, measurements: Measurements, scale: float, slope: float) -> Residuals:
    usable = usable_pixels(buffers, slope)
    if measurements.mask is not None:
        usable &= measurements.mask
    loss = replace(LOSS, k=LOSS.k * scale)
    depth = np.where(seen_from_above(buffers), measurements.depth, np.float32(0))
    return weigh(buffers, replace(measurements, depth=depth, mask=usable), depth_loss=loss, color_loss=Huber())


def measured_residuals(buffers: DerivativeBuffers, measurements: Measurements) -> tuple[np.ndarray, np.ndarray]:
    """Residual and sigma of every depth that was measured where the map is seen from above."""
    depth = measurements.depth
    measured = depths_measured(buffers, measurements) & seen_from_above(buffers)
    sigma = np.broadcast_to(np.float32(measurements.depth_sigma), depth.shape)
    return (depth - buffers.depth)[measured], sigma[measured]


def depths_measured(buffers: DerivativeBuffers, measurements: Measurements) -> np.ndarray:
    depth = measurements.depth
    return buffers.visible & (depth > 0) & np.isfinite(depth)


def lower_median(values: np.ndarray) -> float:
    return float(np.sort(values)[(len(values) - 1) // 2])


@pytest.mark.parametrize("scene", SEEING_SCENES[:19], ids=str)
def test_it_is_what_the_host_makes_of_the_usable_pixels(
    scene: Scene, frame: Callable, screened: Callable[..., Screened]
) -> None:
    measurements = frame(scene).measurements
    system, statistics, buffers = screened(scene, measurements)
    residuals = on_host(buffers, measurements, statistics.robust_scale, MAX_SLOPE)
    assert system.heights.count == residuals.count
    assert system.heights.cost == pytest.approx(residuals.cost, rel=1e-5)
    expected = normal_equations(buffers, residuals, heights_from_color=False)
    surface = scene.surface
    values = [surface.heights, *(np.moveaxis(surface.colors, -1, 0) if surface.colors is not None else ())]
    vectors = [system.heights.vector[..., 0]]
    matrices = [system.heights.stencil]
    if surface.colors is not None:
        assert system.colors is not None
        matrices.append(system.colors.information)
        vectors += list(np.moveaxis(system.colors.vector, -1, 0))
    for entry, stencil in enumerate(matrices):
        truth = expected.stencil.matrix[..., entry]
        np.testing.assert_allclose(stencil.matrix[..., 0], truth, rtol=0, atol=3e-6 * np.abs(truth).max())
    for entry, (vector, value) in enumerate(zip(vectors, values, strict=True)):
        at_value = matrices[entry > 0].matvec(np.nan_to_num(value, nan=0.5)[..., None])[..., 0]
        truth = expected.vector[..., entry] + at_value
        np.testing.assert_allclose(vector, truth, rtol=0, atol=3e-6 * np.abs(truth).max())


def test_edges_and_grazing_views_are_there_to_be_left_out(screened: Callable[..., Screened], frame: Callable) -> None:
    """What the test before stands on: each reason leaves out pixels, and the map's outline is an exception."""
    buffers = [screened(scene, frame(scene).measurements)[2] for scene in SEEING_SCENES[3:9]]
    assert sum(np.count_nonzero(each.edges) for each in buffers) > 100
    assert sum(np.count_nonzero(each.edges & usable_pixels(each, MAX_SLOPE)) for each in buffers) > 20
    assert sum(np.count_nonzero(np.abs(each.depth_factor) > MAX_SLOPE) for each in buffers) > 100
    assert sum(np.count_nonzero(each.visible & ~seen_from_above(each)) for each in buffers) > 50


@pytest.mark.parametrize("scene", SEEING_SCENES[:9], ids=str)
@pytest.mark.parametrize("offset", [0.0, 0.03, -0.2])
def test_medians_are_those_of_all_depths_measured_from_above(
    scene: Scene, offset: float, frame: Callable, screened: Callable[..., Screened]
) -> None:
    measurements = replace(frame(scene).measurements, depth=frame(scene).measurements.depth + np.float32(offset))
    _, statistics, buffers = screened(scene, measurements)
    residual, sigma = measured_residuals(buffers, measurements)
    assert statistics.measured == np.count_nonzero(depths_measured(buffers, measurements))
    assert statistics.median_residual == lower_median(residual)
    assert statistics.median_abs_residual == lower_median(np.abs(residual))
    scale = max(1.0, 1.4826 * lower_median(np.abs(residual) / sigma))
    assert statistics.robust_scale == pytest.approx(scale, rel=1e-6)
    assert (statistics.robust_scale > 1) == (scale > 1)
    weight = on_host(buffers, measurements, scale, MAX_SLOPE).depth_weight * np.square(measurements.depth_sigma)
    assert abs(statistics.trusted - np.count_nonzero(weight >= 0.5)) <= 1


def test_a_perfect_frame_has_medians_of_zero(frame: Callable, screened: Callable[..., Screened]) -> None:
    scene = SEEING_SCENES[0]
    depth = frame(scene, "compact").buffers.depth
    _, statistics, buffers = screened(scene, Measurements(depth, 0.01))
    seen = np.count_nonzero(buffers.visible)
    used = np.count_nonzero(usable_pixels(buffers, MAX_SLOPE))
    assert statistics == FrameStatistics(seen, used, 0.0, 0.0, 1.0)


@pytest.mark.parametrize("scene", [UNSEEN_SCENES[0], SEEING_SCENES[0]], ids=str)
def test_without_any_measured_depth_there_is_no_median(
    scene: Scene, frame: Callable, screened: Callable[..., Screened]
) -> None:
    depth = np.full(scene.camera.shape, np.nan, np.float32)
    for measurements in (Measurements(depth), Measurements(image=frame(scene).measurements.image)):
        system, statistics, _ = screened(scene, measurements)
        np.testing.assert_equal(statistics, FrameStatistics(0, 0, np.nan, np.nan, 1.0))
        seen = measurements.image is not None and scene in SEEING_SCENES
        assert [part.any() for part in parts_of(system)] == [False, False, seen, seen]


def test_one_measured_depth_is_its_own_median(frame: Callable, screened: Callable[..., Screened]) -> None:
    scene = SEEING_SCENES[0]
    predicted = frame(scene, "compact").buffers.depth
    v, u = np.argwhere(predicted > 0)[200]
    depth = np.zeros_like(predicted)
    depth[v, u] = predicted[v, u] - np.float32(0.125)
    statistics = screened(scene, Measurements(depth, 0.01))[1]
    residual = float(depth[v, u] - predicted[v, u])
    assert (statistics.measured, statistics.median_residual, statistics.median_abs_residual) == (1, residual, -residual)
    assert statistics.robust_scale == pytest.approx(1.4826 * -residual / 0.01, rel=1e-6)
