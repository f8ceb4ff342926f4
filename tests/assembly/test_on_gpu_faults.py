"""What the GPU's normal equations refuse, and what they leave behind."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from passes import derivative_renderer, need_compute
from random_scenes import random_scene

from glrender.assembly.gpu_measurements import GpuMeasurements
from glrender.assembly.on_gpu import GpuNormalEquations, largest_buffer
from glrender.assembly.residuals import Measurements, weigh
from glrender.errors import GLError, InputError, LimitError, UsageError
from glrender.geometry.camera import Camera
from glrender.gl.context import Context
from glrender.render.derivatives import DerivativeRenderer
from glrender.solve.systems import NormalEquations

SCENE = random_scene(340)
GREY = random_scene(341, channels=1)
COLORLESS = random_scene(342, channels=0)
SMALL = random_scene(343, image=(20, 15))


@dataclass(frozen=True, eq=False)
class Parts:
    """What a frame's equations are made by."""

    gpu: GpuNormalEquations
    renderer: DerivativeRenderer
    context: Context

    def equations(self, measurements: Measurements, scene=SCENE) -> NormalEquations:
        frame = GpuMeasurements(self.context, scene.camera, measurements)
        try:
            return self.gpu.normal_equations(self.renderer, scene.surface, scene.T_world_camera, frame)
        finally:
            frame.release()


@pytest.fixture
def parts(context: Context):
    need_compute(context)
    made = Parts(
        GpuNormalEquations(context, SCENE.camera), derivative_renderer(context, SCENE.camera, "compact"), context
    )
    yield made
    made.gpu.release()
    made.renderer.release()


@pytest.fixture
def depth(frame: Callable) -> np.ndarray:
    """(height, width) what is seen, 1 m where nothing is."""
    predicted = frame(SCENE).buffers.depth
    return np.where(predicted > 0, predicted + np.float32(0.01), np.float32(1))


@pytest.mark.parametrize("sigma", [0.0, -1.0, np.nan])
def test_a_sigma_that_is_not_positive_is_refused_as_on_the_host(
    parts: Parts, depth: np.ndarray, sigma: float, frame: Callable
) -> None:
    sigmas = np.full(depth.shape, 0.01, np.float32)
    sigmas[10:20, 12:30] = sigma
    with pytest.raises(InputError) as on_host:
        weigh(frame(SCENE).buffers, Measurements(depth, sigmas))
    with pytest.raises(InputError) as on_gpu:
        parts.equations(Measurements(depth, sigmas))
    assert str(on_gpu.value) == str(on_host.value)


def test_an_infinite_sigma_weighs_nothing(parts: Parts, depth: np.ndarray) -> None:
    system = parts.equations(Measurements(depth, np.full(depth.shape, np.inf, np.float32)))
    assert not system.stencil.matrix.any()
    assert (system.cost, system.count > 0) == (0, True)


@pytest.mark.parametrize(
    "excessive",
    [
        {"depth_sigma": 1e-16},
        {"depth_sigma": 1e-30},
        {"image": np.full((30, 40, 3), 1e9), "color_sigma": 1e-12},
    ],
)
def test_sums_that_could_overflow_are_flagged(
    parts: Parts, depth: np.ndarray, excessive: dict[str, Any], frame: Callable
) -> None:
    image = frame(SCENE).buffers.image + np.float32(0.1)
    measurements = Measurements(depth, 0.01, image, 0.05)
    with pytest.raises(LimitError, match=r"normal equations: \d+ pixels would add more than 1e30, .* float32"):
        parts.equations(replace(measurements, **excessive))
    assert parts.equations(measurements).count > 0  # and nothing of it is left


def test_weights_close_to_the_limit_are_summed(parts: Parts, depth: np.ndarray) -> None:
    matrix = parts.equations(Measurements(depth, 1e-13)).stencil.matrix
    expected = parts.equations(Measurements(depth, 1.0)).stencil.matrix
    np.testing.assert_allclose(matrix, 1e26 * expected, rtol=1e-5, atol=1e-7 * matrix.max())


@pytest.mark.parametrize(
    ("measurements", "error", "message"),
    [
        ({}, UsageError, "measurements: received neither depth nor an image; give at least one"),
        ({"depth": np.ones((3, 4))}, InputError, r"depth: received shape \(3, 4\), expected \(30, 40\)"),
        ({"depth": np.ones((30, 40)), "depth_sigma": np.ones((2, 2))}, InputError, r"depth_sigma: received shape"),
        ({"depth": np.ones((30, 40)), "mask": np.ones((2, 2), bool)}, InputError, r"mask: received shape"),
        ({"image": np.ones((30, 40, 2))}, InputError, r"image: received 2 channels, expected 1 \(grey\) or 3"),
        ({"image": np.ones((30, 40, 1))}, InputError, "image: received 1 channels, expected 3 as the map has"),
        ({"image": np.ones((30, 40, 3)), "color_sigma": 0.0}, InputError, "color_sigma: received 0.0"),
        ({"image": np.ones((30, 40, 3)), "color_sigma": 1e-16}, InputError, "color_sigma: received 1e-16"),
    ],
)
def test_measurements_that_are_wrong(parts: Parts, measurements: dict, error: type[Exception], message: str) -> None:
    live = parts.context.live_objects
    with pytest.raises(error, match=message):
        parts.equations(Measurements(**measurements))
    assert parts.context.live_objects == live


def test_an_image_alone_says_nothing_of_a_map_without_colours(parts: Parts) -> None:
    with pytest.raises(UsageError, match="neither depth nor an image of a coloured map"):
        parts.equations(Measurements(image=np.ones((*SCENE.camera.shape, 3))), COLORLESS)


def test_parts_that_do_not_belong_together(parts: Parts, depth: np.ndarray, context: Context) -> None:
    view = SCENE.surface, SCENE.T_world_camera
    full = derivative_renderer(context, SCENE.camera, "full")
    frame = GpuMeasurements(context, SCENE.camera, Measurements(depth))
    with pytest.raises(UsageError, match="received a renderer of the full layout; make one with layout='compact'"):
        parts.gpu.normal_equations(full, *view, frame)
    small = GpuMeasurements(context, SMALL.camera, Measurements(depth[:15, :20]))
    with pytest.raises(
        UsageError, match=r"renderer of \(30, 40\) and a frame of \(15, 20\) pixels, expected \(30, 40\)"
    ):
        parts.gpu.normal_equations(parts.renderer, *view, small)
    with pytest.raises(InputError, match="T_world_camera: expected a rigid"):
        parts.gpu.normal_equations(parts.renderer, SCENE.surface, np.zeros((4, 4)), frame)
    with pytest.raises(InputError, match="max_depth_slope: received 0"):
        parts.gpu.screened(parts.renderer, *view, frame, max_depth_slope=0)
    for made in (full, frame, small):
        made.release()


def test_what_was_released_is_not_used(parts: Parts, depth: np.ndarray, context: Context) -> None:
    frame = GpuMeasurements(context, SCENE.camera, Measurements(depth))
    frame.release()
    frame.release()
    view = SCENE.surface, SCENE.T_world_camera
    with pytest.raises(GLError, match="these measurements were released; upload them again"):
        parts.gpu.normal_equations(parts.renderer, *view, frame)
    parts.gpu.release()
    with pytest.raises(GLError, match="these normal equations were released; make new ones"):
        parts.gpu.normal_equations(parts.renderer, *view, frame)


def test_nothing_stays_alive(context: Context, depth: np.ndarray, frame: Callable) -> None:
    need_compute(context)
    live = context.live_objects
    renderer = derivative_renderer(context, SCENE.camera, "compact")
    gpu = GpuNormalEquations(context, SCENE.camera)
    for scene in (SCENE, GREY, COLORLESS):
        measured = GpuMeasurements(context, SCENE.camera, Measurements(depth))
        gpu.normal_equations(renderer, scene.surface, scene.T_world_camera, measured)
        gpu.screened(renderer, scene.surface, scene.T_world_camera, measured, max_depth_slope=20)
        measured.release()
    assert context.live_objects > live
    gpu.release()
    gpu.release()
    renderer.release()
    assert context.live_objects == live


def test_opengl_before_4_3_has_none(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "version_code", 420)
    with pytest.raises(LimitError, match=r"normal equations on the GPU: compute shaders need OpenGL 4\.3"):
        GpuNormalEquations(context, SCENE.camera)


def test_a_map_beyond_the_largest_buffer_is_refused(
    parts: Parts, depth: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = largest_buffer(SCENE.camera, SCENE.surface.shape, 3)
    limits = parts.context.limits
    monkeypatch.setattr(parts.context, "limits", replace(limits, max_storage_block_bytes=needed))
    parts.equations(Measurements(depth))
    parts.gpu.release()
    fresh = GpuNormalEquations(parts.context, SCENE.camera)
    monkeypatch.setattr(parts.context, "limits", replace(limits, max_storage_block_bytes=needed - 1))
    with pytest.raises(LimitError, match=rf"normal equations .*: needs a buffer of {needed} bytes, but those of"):
        Parts(fresh, parts.renderer, parts.context).equations(Measurements(depth))
    fresh.release()


def test_the_largest_buffer_is_the_stencil_of_a_large_map_and_grows_with_it() -> None:
    camera = Camera(640, 480, 500, 500, 319.5, 239.5)
    assert largest_buffer(camera, (1025, 1025), 3) == 1025 * 1025 * 4 * 5 * 4
    assert largest_buffer(camera, (1025, 1025), 3, separate=True) == 1025 * 1025 * 4 * 2 * 4
    assert largest_buffer(camera, (1025, 1025), 0) == 1025 * 1025 * 4 * 4
    assert largest_buffer(camera, (3, 3), 0) == 640 * 480 * 16


def test_a_frame_beyond_the_gpus_memory_is_refused_and_leaves_nothing(
    context: Context, depth: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = context.live_objects

    def full(_: Context, doing: str) -> None:
        raise GLError(f"{doing}: GL_OUT_OF_MEMORY")

    with (
        monkeypatch.context() as patch,
        pytest.raises(LimitError, match="40 x 30 pixels do not fit .*GL_OUT_OF_MEMORY"),
    ):
        patch.setattr(Context, "check", full)
        GpuMeasurements(context, SCENE.camera, Measurements(depth))
    assert context.live_objects == live


def test_an_error_of_opengl_while_reading_back_is_raised(
    parts: Parts, depth: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lost context shows itself here."""
    check = Context.check

    def lost(context: Context, doing: str) -> None:
        if doing.startswith("reading"):
            raise GLError(f"{doing}: GL_CONTEXT_LOST")
        check(context, doing)

    with monkeypatch.context() as patch, pytest.raises(GLError, match="reading a buffer: GL_CONTEXT_LOST"):
        patch.setattr(Context, "check", lost)
        parts.equations(Measurements(depth))
    assert parts.equations(Measurements(depth)).count > 0
