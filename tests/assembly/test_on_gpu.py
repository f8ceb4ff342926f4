"""The normal equations made by compute shaders, against sparse products of the Jacobians and the host's loop."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from agreement import assert_agree
from passes import derivative_renderer, need_compute
from random_scenes import SEEING_SCENES, UNSEEN_SCENES, Scene, random_scene

from glrender.assembly import on_gpu
from glrender.assembly.csr import sparse_normal_equations
from glrender.assembly.gpu_measurements import GpuMeasurements
from glrender.assembly.on_gpu import GpuNormalEquations
from glrender.assembly.residuals import Measurements, weigh
from glrender.gl.context import Context
from glrender.solve.losses import Cauchy, Huber, Loss, Squared, Tukey
from glrender.solve.systems import NormalEquations

SCENES = [random_scene(300 + channels, channels=channels, holes=0.05) for channels in (3, 1, 0)]
VECTOR_TOLERANCE = 3e-6
"""Sums in float32."""
LOSSES = [Squared(), Huber(), Cauchy(), Tukey()]
USES = [
    (scene, use)
    for scene in SCENES
    for use in ("depth", "color", "both")
    if use != "color" or scene.surface.colors is not None
]
"""A map without colours has nothing to compare an image alone with."""
each_kind = pytest.mark.parametrize("scene", SCENES, ids=str)

Make = Callable[..., NormalEquations]


@pytest.fixture(autouse=True)
def _compute(context: Context) -> None:
    need_compute(context)


@pytest.fixture(scope="module")
def equations(context: Context) -> Iterator[Make]:
    """equations(scene, measurements, **options), by one `GpuNormalEquations` for each size of an image."""
    made: dict[tuple[int, int], GpuNormalEquations] = {}

    def make(scene: Scene, measurements: Measurements, **options: Any) -> NormalEquations:
        if scene.camera.shape not in made:
            made[scene.camera.shape] = GpuNormalEquations(context, scene.camera)
        renderer = derivative_renderer(context, scene.camera, "compact")
        frame = GpuMeasurements(context, scene.camera, measurements)
        found = made[scene.camera.shape].normal_equations(
            renderer, scene.surface, scene.T_world_camera, frame, **options
        )
        frame.release()
        renderer.release()
        return found

    yield make
    for each in made.values():
        each.release()


def assert_identical(one: NormalEquations, other: NormalEquations) -> None:
    np.testing.assert_array_equal(one.stencil.matrix, other.stencil.matrix)
    np.testing.assert_array_equal(one.vector, other.vector)
    assert (one.cost, one.count) == (other.cost, other.count)


def assert_empty(system: NormalEquations) -> None:
    assert not system.stencil.matrix.any()
    assert not system.vector.any()


@pytest.mark.parametrize("scene", SEEING_SCENES, ids=str)
def test_it_is_the_sparse_product(scene: Scene, frame: Callable, equations: Make) -> None:
    pair = frame(scene)
    residuals = weigh(pair.buffers, pair.measurements, depth_loss=Huber(), color_loss=Cauchy())
    system = equations(scene, pair.measurements, depth_loss=Huber(), color_loss=Cauchy())
    assert_agree(system, sparse_normal_equations(pair.buffers, residuals), VECTOR_TOLERANCE)
    assert system.count == residuals.count
    assert system.cost == pytest.approx(residuals.cost, rel=1e-5)


@pytest.mark.parametrize("loss", LOSSES, ids=str)
@pytest.mark.parametrize(("scene", "use"), USES, ids=str)
def test_every_loss_and_every_measurement(scene: Scene, loss: Loss, use: str, frame: Callable, equations: Make) -> None:
    pair = frame(scene)
    dropped = {"depth": {"image": None}, "color": {"depth": None}, "both": {}}[use]
    measurements = replace(pair.measurements, **dropped)
    residuals = weigh(pair.buffers, measurements, depth_loss=loss, color_loss=loss)
    system = equations(scene, measurements, depth_loss=loss, color_loss=loss)
    assert_agree(system, sparse_normal_equations(pair.buffers, residuals), VECTOR_TOLERANCE)
    assert system.count == residuals.count
    assert system.cost == pytest.approx(residuals.cost, rel=1e-5)


@each_kind
@pytest.mark.parametrize("lanes", [1, 2, 4, 8])
def test_any_number_of_threads_may_share_a_vertex_and_the_bits_stay(
    scene: Scene, lanes: int, frame: Callable, equations: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = frame(scene)
    monkeypatch.setattr(on_gpu, "_lanes", lambda _: lanes)
    system = equations(scene, pair.measurements, depth_loss=Cauchy())
    residuals = weigh(pair.buffers, pair.measurements, depth_loss=Cauchy())
    assert_agree(system, sparse_normal_equations(pair.buffers, residuals), VECTOR_TOLERANCE)
    equations(SCENES[0], frame(SCENES[0]).measurements, depth_loss=Tukey())  # something else in between
    assert_identical(equations(scene, pair.measurements, depth_loss=Cauchy()), system)


def test_a_vertex_of_many_pixels_gets_many_threads() -> None:
    assert [on_gpu._lanes(pixels) for pixels in (0.1, 16, 17, 64, 256, 257, 1e6)] == [1, 1, 2, 2, 4, 8, 8]


def test_maps_of_other_sizes_and_channels_may_come_in_turn(context: Context, frame: Callable, equations: Make) -> None:
    for scene in (SEEING_SCENES[0], SEEING_SCENES[22], SEEING_SCENES[1], SEEING_SCENES[24], SEEING_SCENES[0]):
        fresh = GpuNormalEquations(context, scene.camera)
        renderer = derivative_renderer(context, scene.camera, "compact")
        measured = GpuMeasurements(context, scene.camera, frame(scene).measurements)
        expected = fresh.normal_equations(renderer, scene.surface, scene.T_world_camera, measured)
        assert_identical(equations(scene, frame(scene).measurements), expected)
        for made in (fresh, renderer, measured):
            made.release()


def test_it_is_the_same_by_one_upload_or_many(context: Context, frame: Callable, equations: Make) -> None:
    """A frame stays on the GPU while the map moves under it."""
    scene = SCENES[0]
    measurements = frame(scene).measurements
    once = GpuMeasurements(context, scene.camera, measurements)
    gpu = GpuNormalEquations(context, scene.camera)
    renderer = derivative_renderer(context, scene.camera, "compact")
    for lift in (0.0, 0.01, 0.02):
        lifted = scene.surface.with_values(scene.surface.heights + lift, scene.surface.colors)
        found = gpu.normal_equations(renderer, lifted, scene.T_world_camera, once)
        assert_identical(found, equations(replace(scene, surface=lifted), measurements))
    for made in (once, gpu, renderer):
        made.release()


@pytest.mark.parametrize("scene", UNSEEN_SCENES[::3], ids=str)
def test_a_frame_without_overlap_adds_nothing(scene: Scene, frame: Callable, equations: Make) -> None:
    system = equations(scene, frame(scene).measurements)
    assert_empty(system)
    assert (system.cost, system.count) == (0, 0)


@each_kind
def test_a_frame_with_all_pixels_masked_out_adds_nothing(scene: Scene, frame: Callable, equations: Make) -> None:
    measurements = frame(scene).measurements
    system = equations(scene, replace(measurements, mask=np.zeros(scene.camera.shape, bool)))
    assert_empty(system)
    assert (system.cost, system.count) == (0, 0)


@each_kind
def test_a_frame_with_all_pixels_rejected_by_the_loss_only_costs(
    scene: Scene, frame: Callable, equations: Make
) -> None:
    pair = frame(scene)
    far = Measurements(depth=pair.buffers.depth + np.float32(9), depth_sigma=0.01)
    residuals = weigh(pair.buffers, far, depth_loss=Tukey())
    system = equations(scene, far, depth_loss=Tukey())
    assert_empty(system)
    assert system.count == residuals.count > 0
    assert system.cost == pytest.approx(residuals.cost, rel=1e-5)


@each_kind
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0.0, -1.0])
def test_what_is_no_measurement_adds_nothing(scene: Scene, value: float, equations: Make) -> None:
    nothing = Measurements(depth=np.full(scene.camera.shape, value, np.float32))
    if not np.isfinite(value):
        nothing = replace(nothing, image=np.full((*scene.camera.shape, scene.surface.channels), value, np.float32))
    system = equations(scene, nothing)
    assert_empty(system)
    assert (system.cost, system.count) == (0, 0)


def test_one_bad_channel_is_a_bad_colour(frame: Callable, equations: Make) -> None:
    scene = SCENES[0]
    image = frame(scene).buffers.image.copy()
    image[..., 1] = np.nan
    assert_empty(equations(scene, Measurements(image=image)))


def test_the_largest_float_is_an_outlier_like_any_other(frame: Callable, equations: Make) -> None:
    """Some sensors say "nothing" by the largest number there is."""
    scene = SCENES[2]
    depth = np.full(scene.camera.shape, np.finfo(np.float32).max, np.float32)
    system = equations(scene, Measurements(depth=depth, depth_sigma=0.01), depth_loss=Cauchy())
    assert_empty(system)
    assert np.isfinite(system.cost)
    assert system.count == np.count_nonzero(frame(scene).buffers.visible)


def test_sigma_is_a_number_or_an_array(frame: Callable, equations: Make) -> None:
    scene = SCENES[0]
    pair = frame(scene)
    for sigma in (0.02, pair.measurements.depth_sigma):
        measurements = replace(pair.measurements, depth_sigma=sigma)
        reference = sparse_normal_equations(pair.buffers, weigh(pair.buffers, measurements))
        assert_agree(equations(scene, measurements), reference, VECTOR_TOLERANCE)


def test_costs_of_small_residuals_keep_their_digits(frame: Callable, equations: Make) -> None:
    """log(1 + u) of a small u would not."""
    scene = SCENES[2]
    pair = frame(scene)
    for sigma in (1e-3, 0.03, 1.0, 30.0):
        measured = Measurements(depth=pair.buffers.depth + np.float32(0.01), depth_sigma=sigma)
        expected = weigh(pair.buffers, measured, depth_loss=Cauchy()).cost
        assert equations(scene, measured, depth_loss=Cauchy()).cost == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("scene", SEEING_SCENES[3:9], ids=str)
def test_grazing_views_count_unless_they_are_left_out(scene: Scene, frame: Callable, equations: Make) -> None:
    """Views across the map, from within it too; some of their pixels change by metres a metre of height."""
    pair = frame(scene)
    assert np.abs(pair.buffers.depth_factor).max() > 3
    system = equations(scene, Measurements(depth=pair.buffers.depth + np.float32(0.01), depth_sigma=0.01))
    assert np.isfinite(system.stencil.matrix).all()
    largest = np.square(pair.buffers.depth_factor / 0.01).max()
    assert system.stencil.matrix[..., 0].max() > 0.05 * largest
