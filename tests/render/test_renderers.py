"""The life of a renderer: what it owns, what it may be asked for, and sizes at both ends."""

import dataclasses
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from passes import WAYS, derivative_renderer
from random_scenes import Scene, random_scene

from glrender.errors import GLError, InputError, LimitError, UsageError
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.io.color import linear_to_bytes
from glrender.render import reference
from glrender.render.buffers import DerivativeBuffers
from glrender.render.derivatives import DerivativeRenderer
from glrender.render.forward import ForwardRenderer
from glrender.render.renderer import EVALUATIONS
from glrender.render.surface import SurfaceStore, SurfaceTexture

CAMERA = Camera(40, 30, 40.0, 40.0, 19.5, 14.5)
SCENES = [random_scene(60 + k, channels=channels) for k, channels in enumerate((3, 1, 0, 3))]
FORWARD = {f"forward, {where}": partial(ForwardRenderer, evaluation=where) for where in EVALUATIONS}
MAKERS = FORWARD | {way: partial(derivative_renderer, way=way) for way in WAYS}
each_renderer = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
Make = Callable[[Context, Camera], ForwardRenderer | DerivativeRenderer]
LOOKING_DOWN = se3.look_at((0, 0, 2), (0, 0, 0))


def level(rows: int, cols: int, spacing: float = 1.0) -> HeightMap:
    """A level map around the origin."""
    return HeightMap(np.zeros((rows, cols)), spacing, (-spacing * (cols - 1) / 2, -spacing * (rows - 1) / 2))


@each_renderer
def test_nothing_is_left_after_release(context: Context, make: Make) -> None:
    before = context.live_objects
    renderer = make(context, CAMERA)
    for scene in SCENES:
        renderer.render(scene.surface, scene.T_world_camera)
    assert context.live_objects > before
    renderer.release()
    assert context.live_objects == before
    renderer.release()


@each_renderer
def test_a_renderer_does_not_grow(context: Context, make: Make) -> None:
    """Maps of other sizes, colours, holes and views come and go; what the first ones made is used again."""
    renderer = make(context, CAMERA)
    scenes = [*SCENES, random_scene(70, shape=(20, 9)), random_scene(71, holes=0.2), random_scene(72, view="away")]
    live = []
    for _ in range(3):
        for scene in scenes:
            renderer.render(scene.surface, scene.T_world_camera)
        live.append(context.live_objects)
    renderer.release()
    assert live[0] == live[1] == live[2]


@each_renderer
def test_closing_the_context_closes_everything(make: Make) -> None:
    with Context() as own:
        renderer = make(own, CAMERA)
        renderer.render(SCENES[0].surface, SCENES[0].T_world_camera)
        assert own.live_objects > 0
    assert own.live_objects == 0
    with pytest.raises(GLError, match="context is closed"):
        renderer.render(SCENES[0].surface, SCENES[0].T_world_camera)
    renderer.release()


@each_renderer
def test_a_released_renderer_says_so(context: Context, make: Make) -> None:
    renderer = make(context, CAMERA)
    renderer.render(SCENES[0].surface, SCENES[0].T_world_camera)
    renderer.release()
    live = context.live_objects
    for scene in SCENES[:2]:
        with pytest.raises(GLError, match="released; make a new one"):
            renderer.render(scene.surface, scene.T_world_camera)
    assert context.live_objects == live


def test_results_outlive_what_made_them() -> None:
    scene = SCENES[0]
    with Context() as own:
        buffers = DerivativeRenderer(own, CAMERA).render(scene.surface, scene.T_world_camera)
        kept = buffers.depth.copy()
        DerivativeRenderer(own, CAMERA).render(SCENES[3].surface, SCENES[3].T_world_camera)
    np.testing.assert_array_equal(buffers.depth, kept)
    assert buffers.jacobian("image", "height").nnz
    assert buffers.jacobian("depth", "pose").any()


@each_renderer
def test_rendering_again_gives_the_same_bits(context: Context, make: Make) -> None:
    """Whatever was rendered in between: nothing of an earlier map, view or mask stays behind."""

    def look(renderer: ForwardRenderer | DerivativeRenderer, scene: Scene) -> list[np.ndarray]:
        result = renderer.render(scene.surface, scene.T_world_camera)
        if not isinstance(result, DerivativeBuffers):
            return [result.image, result.depth]
        assert result.pose is not None
        assert result.edges is not None
        return [*result.attachments.values(), result.edges, result.pose.depth_wrt_pose, result.pose.image_wrt_pose]

    scenes = [*SCENES, random_scene(73, holes=0.3), random_scene(74, view="below")]
    fresh = []
    for scene in scenes:
        renderer = make(context, CAMERA)
        fresh.append(look(renderer, scene))
        renderer.release()
    renderer = make(context, CAMERA)
    for k in np.random.default_rng(0).integers(len(scenes), size=20):
        for again, expected in zip(look(renderer, scenes[k]), fresh[k], strict=True):
            np.testing.assert_array_equal(again, expected)
    renderer.release()


@pytest.mark.parametrize("evaluation", EVALUATIONS)
def test_bytes_are_those_of_the_pixels_also_after_other_views_and_maps(context: Context, evaluation: str) -> None:
    """What is worked out later is that of the camera and the map of its time, and has outlived their renderer."""
    renderer = ForwardRenderer(context, CAMERA, evaluation=evaluation)
    scenes = [*SCENES, random_scene(73, holes=0.3), random_scene(74, view="below")]
    looked = []
    for k, scene in enumerate(scenes):
        renderer.camera = dataclasses.replace(CAMERA, fx=CAMERA.fx + k)
        looked.append(renderer.look(scene.surface, scene.T_world_camera))
    renderer.release()
    for k, (scene, later) in enumerate(zip(scenes, looked, strict=True)):
        other = ForwardRenderer(context, dataclasses.replace(CAMERA, fx=CAMERA.fx + k), evaluation=evaluation)
        now = other.render(scene.surface, scene.T_world_camera)
        other.release()
        bytes_before = later.srgb
        np.testing.assert_array_equal(bytes_before, linear_to_bytes(now.image))
        np.testing.assert_array_equal(later.pixels, now.pixels)
        np.testing.assert_array_equal(later.srgb, bytes_before)
        assert later.srgb.shape == (*CAMERA.shape, scene.surface.channels)


def test_two_contexts_do_not_disturb_each_other(context: Context) -> None:
    scene = SCENES[0]
    one = DerivativeRenderer(context, CAMERA)
    expected = one.render(scene.surface, scene.T_world_camera).depth
    with Context() as own:
        other = DerivativeRenderer(own, CAMERA)
        for _ in range(2):
            for renderer in (one, other):
                again = renderer.render(scene.surface, scene.T_world_camera)
                np.testing.assert_array_equal(again.depth, expected)
    np.testing.assert_array_equal(one.render(scene.surface, scene.T_world_camera).depth, expected)
    one.release()


def test_a_map_larger_than_a_texture_is_refused(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    renderers = [make(context, CAMERA) for make in MAKERS.values()]
    monkeypatch.setattr(context, "limits", dataclasses.replace(context.limits, max_texture_size=16))
    for renderer in renderers:
        renderer.render(level(16, 16), LOOKING_DOWN)
        for rows, cols in ((17, 3), (3, 17)):
            with pytest.raises(LimitError, match=f"height map: received {cols} x {rows}, but textures of .* end at 16"):
                renderer.render(level(rows, cols), LOOKING_DOWN)
        # … and the renderer goes on.
        renderer.render(level(4, 4), LOOKING_DOWN)
        renderer.release()


def test_this_machines_own_limit_on_maps_holds(context: Context, renderer: Callable[..., DerivativeRenderer]) -> None:
    largest = context.limits.max_texture_size
    passes = renderer(CAMERA)
    buffers = passes.render(level(2, largest, 1e-3), se3.look_at((0, 0, 2e-3), (0, 0, 0)))
    assert buffers.visible.any()
    np.testing.assert_allclose(buffers.depth[buffers.visible], 2e-3, rtol=1e-4)
    with pytest.raises(LimitError, match=f"received {largest + 1} x 2"):
        passes.render(level(2, largest + 1), LOOKING_DOWN)


def test_a_map_larger_than_the_gpus_memory_is_refused(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    live = context.live_objects
    renderer = ForwardRenderer(context, CAMERA, evaluation="gpu")
    expected = renderer.render(level(4, 4), LOOKING_DOWN).depth

    def fail(doing: str) -> None:
        raise GLError(f"{doing}: GL_OUT_OF_MEMORY")

    with monkeypatch.context() as patched:
        patched.setattr(context, "check", fail)
        with pytest.raises(LimitError, match="received 6 x 5 vertices.*GL_OUT_OF_MEMORY.*a coarser spacing"):
            renderer.render(level(5, 6), LOOKING_DOWN)
    np.testing.assert_array_equal(renderer.render(level(4, 4), LOOKING_DOWN).depth, expected)
    renderer.release()
    assert context.live_objects == live


def test_an_image_larger_than_a_framebuffer_is_refused(context: Context) -> None:
    live = context.live_objects
    width, height = context.limits.max_framebuffer_size
    for size in ((width + 1, 4), (4, height + 1)):
        camera = Camera(*size, 100.0, 100.0, 0.0, 0.0)
        plain = ForwardRenderer(context, camera, evaluation="gpu")
        for renderer in (plain, *(derivative_renderer(context, camera, way) for way in ("compact", "full"))):
            with pytest.raises(LimitError, match="can render into at most"):
                renderer.render(level(3, 3), LOOKING_DOWN)
            renderer.release()
    assert context.live_objects == live


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (2, 3)])
@pytest.mark.parametrize("shape", [(2, 2), (2, 300), (300, 2)])
def test_tiny_images_and_thin_maps(
    renderer: Callable[..., DerivativeRenderer], size: tuple[int, int], shape: tuple[int, int]
) -> None:
    surface = level(*shape, spacing=0.1)
    camera = Camera(*size, 10.0, 10.0, (size[0] - 1) / 2 + 0.01, (size[1] - 1) / 2 + 0.02)
    T_world_camera = se3.look_at((0.003, 0.002, 0.1), (0, 0, 0))
    truth = reference.render(surface, camera, T_world_camera)
    for way in WAYS:
        buffers = renderer(camera, way).render(surface, T_world_camera)
        np.testing.assert_array_equal(buffers.triangle_ids, truth.triangle_ids)
        np.testing.assert_allclose(buffers.depth, truth.depth, rtol=1e-5)
        assert buffers.jacobian("depth", "height").shape == (size[0] * size[1], surface.heights.size)
        assert buffers.visible.any()


def test_a_wide_map(renderer: Callable[..., DerivativeRenderer]) -> None:
    """2 x 5000 vertices, looked along: ids and derivatives at its far end as near the camera."""
    rng = np.random.default_rng(0)
    surface = HeightMap(0.02 * rng.normal(size=(2, 5000)), 0.1, (-3.0, -0.05), rng.uniform(size=(2, 5000, 3)))
    camera = Camera(64, 16, 300.0, 300.0, 31.5, 7.5)
    for eye in ((0.0, 0.0, 0.5), (400.0, 0.01, 1.0)):
        T_world_camera = se3.look_at(eye, (eye[0] + 6, 0, 0))
        truth = reference.render(surface, camera, T_world_camera)
        buffers = renderer(camera).render(surface, T_world_camera)
        differing = np.count_nonzero(buffers.triangle_ids != truth.triangle_ids)
        same = (buffers.triangle_ids == truth.triangle_ids) & buffers.visible
        assert same.sum() > 50
        assert differing <= 4
        np.testing.assert_allclose(buffers.depth[same], truth.depth[same], rtol=1e-5)
        scale = np.abs(truth.depth_wrt_height).max()
        np.testing.assert_allclose(buffers.depth_wrt_height[same], truth.depth_wrt_height[same], atol=1e-3 * scale)


@each_renderer
def test_a_map_that_nobody_has_seen_is_drawn_as_nothing(context: Context, make: Make) -> None:
    renderer = make(context, CAMERA)
    unseen = HeightMap(np.full((5, 6), np.nan), 1.0, (-2.5, -2.0), np.full((5, 6, 3), np.nan))
    for surface, anything in ((level(5, 6), True), (unseen, False), (level(5, 6), True)):
        result = renderer.render(surface, LOOKING_DOWN)
        assert bool(result.depth.any()) == anything
        assert np.isfinite(result.image).all()
    renderer.release()


@pytest.mark.parametrize("holes", [0.0, 0.3])
def test_the_camera_may_stand_exactly_on_a_vertex(renderer: Callable[..., DerivativeRenderer], holes: float) -> None:
    """In the plane of some triangles, at the corner of others: nothing is infinite or NaN."""
    for seed in range(8):
        scene = random_scene(80 + seed, roughness=(0.0, 0.5, 2.0)[seed % 3] or 1e-300, holes=holes)
        surface = dataclasses.replace(scene.surface, origin=(0.0, 0.0), heights=scene.surface.heights.round(1))
        passes = renderer(scene.camera)
        eye = surface.vertices()[np.isfinite(surface.heights.ravel())][seed * 7]
        for gaze in ((1, 0, 0), (0, -1, 0), (0, 0, -1), (1, 1, -1), (0.3, -0.2, -0.1)):
            buffers = passes.render(surface, se3.look_at(eye, eye + np.array(gaze, float)))
            for values in (buffers.depth, buffers.image, buffers.barycentric, buffers.image_wrt_height):
                assert np.isfinite(values).all()
            assert buffers.pose is not None
            assert np.isfinite(buffers.pose.image_wrt_pose).all()


@each_renderer
def test_wrong_poses_are_refused(context: Context, make: Make) -> None:
    renderer = make(context, CAMERA)
    for wrong in (np.eye(3), 2 * np.eye(4), np.full((4, 4), np.nan), np.diag([1.0, 1, -1, 1])):
        with pytest.raises(InputError, match="T_world_camera"):
            renderer.render(level(3, 3), wrong)
    renderer.release()


@each_renderer
def test_heights_alone_are_no_surface(context: Context, make: Make) -> None:
    renderer = make(context, CAMERA)
    with pytest.raises(InputError, match="surface: received ndarray, expected HeightMap"):
        renderer.render(np.zeros((3, 3)), np.eye(4))  # type: ignore[arg-type]
    renderer.release()


@each_renderer
def test_another_camera_of_the_same_size_may_take_the_place_of_one(context: Context, make: Make) -> None:
    surface, wide = level(5, 5), dataclasses.replace(CAMERA, fx=CAMERA.fx / 2, fy=CAMERA.fy / 2)
    with make(context, CAMERA) as renderer, make(context, wide) as expected:
        renderer.render(surface, LOOKING_DOWN)
        renderer.camera = wide
        np.testing.assert_array_equal(
            renderer.render(surface, LOOKING_DOWN).depth, expected.render(surface, LOOKING_DOWN).depth
        )
        with pytest.raises(InputError, match="camera: received one of 3 x 2 pixels, expected .* as before"):
            renderer.camera = Camera(3, 2, 1.0, 1.0, 1.0, 0.5)
        assert renderer.camera == wide


@each_renderer
def test_the_end_of_a_with_releases(context: Context, make: Make) -> None:
    live = context.live_objects
    with make(context, CAMERA) as renderer:
        renderer.render(level(3, 3), LOOKING_DOWN)
    assert context.live_objects == live


def test_what_a_renderer_is_not_made_of_is_said(context: Context) -> None:
    for kind in (DerivativeRenderer, ForwardRenderer):
        with pytest.raises(InputError, match="context: received Camera, expected Context"):
            kind(CAMERA, context)  # type: ignore[arg-type]
        with pytest.raises(InputError, match="camera: received dict, expected Camera"):
            kind(context, {"width": 3})  # type: ignore[arg-type]
        with Context() as other, pytest.raises(UsageError, match="surfaces: received those of another context"):
            kind(context, CAMERA, surfaces=SurfaceStore(other))


def test_wrong_options_are_refused_by_name(context: Context) -> None:
    live = context.live_objects
    with pytest.raises(UsageError, match="layout: received 'tiny', expected one of 'compact', 'full'"):
        DerivativeRenderer(context, CAMERA, "tiny")
    for kind in (DerivativeRenderer, ForwardRenderer):
        with pytest.raises(UsageError, match="evaluation: received 'cpu', expected one of 'gpu', 'host'"):
            kind(context, CAMERA, evaluation="cpu")
    with pytest.raises(UsageError, match="received 'host' with the full layout, which is evaluated while it is drawn"):
        DerivativeRenderer(context, CAMERA, "full", evaluation="host")
    for near in (0.0, -1.0, np.nan):
        with pytest.raises(InputError, match="near: received"):
            DerivativeRenderer(context, CAMERA, near=near)
        with pytest.raises(InputError, match="near: received"):
            ForwardRenderer(context, CAMERA, near=near)
    assert context.live_objects == live


def test_one_wild_height_does_not_spoil_the_others(renderer: Callable[..., DerivativeRenderer]) -> None:
    """float32 is kept for what the map's heights differ by: a spike in a corner must not take its digits."""
    scene = random_scene(90, shape=(60, 60))
    spike = scene.surface.heights.copy()
    spike[0, 0] = 1e4
    passes = renderer(scene.camera)
    here = passes.render(scene.surface, scene.T_world_camera)
    there = passes.render(scene.surface.with_values(spike, scene.surface.colors), scene.T_world_camera)
    same = here.triangle_ids == there.triangle_ids
    assert same.mean() > 0.99
    np.testing.assert_allclose(there.depth[same], here.depth[same], rtol=1e-6)
    scale = np.abs(here.depth_wrt_height).max()
    np.testing.assert_allclose(there.depth_wrt_height[same], here.depth_wrt_height[same], atol=1e-4 * scale)


def test_memory_of_a_map_serves_smaller_ones_but_not_far_smaller_ones(context: Context) -> None:
    rng = np.random.default_rng(3)

    def square(side: int) -> HeightMap:
        return HeightMap(rng.normal(size=(side, side)), 1.0)

    texture = SurfaceTexture(context)
    texture.upload(square(200))
    first, triangles = texture.texture, texture.indices
    texture.upload(square(100))
    assert (texture.texture, texture.indices) == (first, triangles)
    texture.upload(square(20))
    assert texture.texture is not first
    assert texture.indices is not triangles
    assert texture.texture.size == (20, 20)
    texture.upload(square(100))
    assert texture.texture.size == (100, 100)
    texture.release()


def test_only_the_blocks_in_view_are_drawn(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    surface = HeightMap(0.3 * rng.normal(size=(150, 140)), 1.0, (-70.0, -75.0), rng.uniform(size=(150, 140, 3)))
    T_world_camera = se3.look_at((-40.0, -50.0, 12.0), (-42.0, -44.0, 0.0))
    drawn = []
    runs = SurfaceTexture.runs
    monkeypatch.setattr(
        SurfaceTexture,
        "runs",
        lambda self, in_view: (drawn.append((in_view, runs(self, in_view))), drawn[-1][1])[1],
    )
    renderer = derivative_renderer(context, CAMERA, "compact")
    seen = renderer.render(surface, T_world_camera)
    (in_view, parts), triangles = drawn[-1], 2 * 149 * 139
    assert len(in_view) == 25
    assert 0 < sum(count for _, count in parts) < 3 * triangles / 4
    monkeypatch.setattr(SurfaceTexture, "runs", lambda self, in_view: runs(self, np.ones_like(in_view)))
    whole = renderer.render(surface, T_world_camera)
    np.testing.assert_array_equal(seen.triangle_ids, whole.triangle_ids)
    assert seen.visible.mean() > 0.9
    assert runs(renderer._surface, np.zeros(25, bool)) == []
    assert runs(renderer._surface, np.ones(25, bool)) == [(0, 3 * triangles)]
    renderer.release()
