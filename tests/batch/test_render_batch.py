"""`gr.render_batch`: views of a scene as they come, from Python."""

from itertools import count, islice

import numpy as np
import pytest

import glrender as gr
from glrender.errors import InputError, UsageError
from glrender.geometry import se3

CAMERA = gr.Camera(48, 36, 50.0, 50.0, 23.5, 17.5)


def around(k: int) -> np.ndarray:
    return se3.look_at((1.6 * np.cos(k), 1.6 * np.sin(k), 1.5), (0.0, 0.0, 0.1))


def test_views_come_one_by_one_and_the_context_goes_with_them(ground: gr.HeightMap) -> None:
    asked = []

    def cameras():
        for k in count():
            asked.append(k)
            yield CAMERA, around(k)

    views = gr.render_batch(ground, cameras(), ("image", "depth", "depth_wrt_height"))
    first = next(views)
    assert asked == [0], "no camera is asked for before its turn"
    second = next(views)
    views.close()
    assert (first.index, second.index) == (0, 1)
    np.testing.assert_array_equal(second.T_world_camera, around(1))
    assert first["image"].shape == (36, 48, 3)
    assert first.jacobian("depth", "height").shape == (36 * 48, ground.heights.size)
    assert not np.array_equal(first["depth"], second["depth"])


def test_results_stay_what_they_were(context: gr.Context, ground: gr.HeightMap) -> None:
    """Memory is used again for later views, but not while somebody holds an earlier one."""
    with gr.SceneRenderer(context) as renderer:
        for outputs in (("image", "depth"), ("normal", "depth_wrt_pose")):
            cameras = [(CAMERA, around(k)) for k in range(8)]
            together = list(gr.render_batch(ground, cameras, outputs, renderer=renderer))
            for k, view in enumerate(together):
                (alone,) = gr.render_batch(ground, [cameras[k]], outputs, renderer=renderer)
                for name in outputs:
                    np.testing.assert_array_equal(view[name], alone[name])


def test_a_renderer_serves_many_scenes(context: gr.Context, ground: gr.HeightMap) -> None:
    other = gr.HeightMap(np.full((3, 3), 0.3), 0.1, (-0.1, -0.1))
    with gr.SceneRenderer(context) as renderer:
        seen = [
            next(gr.render_batch(scene, [(CAMERA, around(0))], renderer=renderer))["object_ids"].max()
            for scene in (ground, other, [ground, other])
        ]
    assert seen == [0, 0, 1]


def test_what_is_wrong_is_said(context: gr.Context, ground: gr.HeightMap) -> None:
    with gr.SceneRenderer(context) as renderer:
        with pytest.raises(UsageError, match="buffers: received 'dept', expected one of 'image', 'depth'"):
            next(gr.render_batch(ground, [(CAMERA, around(0))], ("dept",), renderer=renderer))
        with pytest.raises(InputError, match="below the surface of 'map 0'"):
            next(gr.render_batch(ground, [(CAMERA, se3.look_at((0, 0, 0), (1, 0, 0)))], renderer=renderer))
        with pytest.raises(InputError, match="expected at least one height map"):
            next(gr.render_batch([], [], renderer=renderer))
        with pytest.raises(InputError, match="scene: received ndarray, expected HeightMap"):
            next(gr.render_batch([ground.heights], [], renderer=renderer))
        with pytest.raises(
            UsageError, match=r"outputs: received 'image', expected a list of names, such as \['image'\]"
        ):
            next(gr.render_batch(ground, [(CAMERA, around(0))], "image", renderer=renderer))
        for cameras in ([around(0)], (CAMERA, around(0)), [(around(0), CAMERA)]):
            with pytest.raises(UsageError, match="as number 0, expected pairs"):
                next(gr.render_batch(ground, cameras, renderer=renderer))
        plain = gr.ForwardRenderer(context, CAMERA)
        with plain, pytest.raises(InputError, match="renderer: received ForwardRenderer, expected SceneRenderer"):
            next(gr.render_batch(ground, [(CAMERA, around(0))], renderer=plain))
        assert list(gr.render_batch(ground, [], renderer=renderer)) == []


def test_one_array_may_hold_the_pose_of_each_view_in_turn(ground: gr.HeightMap) -> None:
    def cameras():
        pose = np.empty((4, 4))
        for k in range(3):
            pose[:] = around(k)
            yield CAMERA, pose

    outputs = ("normal", "depth")
    for k, view in enumerate(list(gr.render_batch(ground, cameras(), outputs))):
        (alone,) = gr.render_batch(ground, [(CAMERA, around(k))], outputs)
        np.testing.assert_array_equal(view.T_world_camera, around(k))
        np.testing.assert_array_equal(view["normal"], alone["normal"])


def test_memory_and_objects_stay_the_same_over_many_views(context: gr.Context, ground: gr.HeightMap) -> None:
    small = gr.Camera(16, 12, 16.0, 16.0, 7.5, 5.5)
    with gr.SceneRenderer(context) as renderer:
        views = gr.render_batch(ground, ((small, around(k)) for k in count()), ("image", "normal"), renderer=renderer)
        next(views)
        objects = context.live_objects
        for view in islice(views, 300):
            assert view["image"].shape == (12, 16, 3)
        assert context.live_objects == objects
