"""References that are kept: rendered anew only where they must be."""

import numpy as np
import pytest
from moving_camera import CAMERA, drive, record, textured_ground

from glrender.frontend.pyramid import build_pyramid
from glrender.frontend.rendered_depth import STALE, DepthRenderer, ReferenceStore
from glrender.geometry import se3
from glrender.gl.context import Context


def test_references_are_rendered_where_the_map_or_the_pose_is_another(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    pose = drive(0.3)
    recorded = record(context, textured_ground(0.0), np.stack([pose]))
    pyramid = build_pyramid(CAMERA, recorded.photographs[0])
    renderer = DepthRenderer(context, CAMERA)
    store = ReferenceStore(renderer, 500)
    rendered = []
    render = renderer.reference

    def counted(*arguments: object) -> object:
        rendered.append(1)
        return render(*arguments)

    monkeypatch.setattr(renderer, "reference", counted)
    assert store.latest(pyramid) is None
    first = store.reference(pyramid, recorded.truth, pose)
    assert store.reference(pyramid, recorded.truth, pose) is first is store.latest(pyramid)
    near = pose @ se3.exp((0, 0, 0, 0, 0.5 * STALE / CAMERA.fx, 0))
    moved = store.reference(pyramid, recorded.truth, near)
    assert len(rendered) == 1
    np.testing.assert_array_equal(moved.T_world_camera, near)
    in_world = moved.levels[0].points @ near[:3, :3].T + near[:3, 3]
    np.testing.assert_allclose(in_world[:, 2], 0, atol=1e-5)  # the ground is level
    assert np.abs(moved.levels[0].points - first.levels[0].points).max() > 1e-3
    store.reference(pyramid, recorded.truth, pose @ se3.exp((0, 0, 0, 0, 1.5 * STALE / CAMERA.fx, 0)))
    assert len(rendered) == 2
    store.reference(pyramid, recorded.truth.with_values(recorded.truth.heights + 0.1), pose)
    assert len(rendered) == 3
    store.forget(pyramid)
    assert store.latest(pyramid) is None
    renderer.release()
