"""What neighbouring photographs' depths confirm, or say nothing of, stays; what they see through goes."""

from dataclasses import replace

import numpy as np
from motion_scene import Views

from glrender.frontend.cross_check import cross_checked
from glrender.frontend.depth_from_motion import DepthFromMotion
from glrender.frontend.motion_depth import MotionDepth, Verdict
from glrender.frontend.photograph import Photograph
from glrender.frontend.search import Search


def estimates(sweep: DepthFromMotion, photographs: list[Photograph]) -> list[MotionDepth]:
    search = Search.heights(None, -0.2, 0.6)
    return [
        sweep.estimate(photograph, photographs[:k] + photographs[k + 1 :], search)
        for k, photograph in enumerate(photographs)
    ]


def test_a_still_scene_is_confirmed(views: Views, sweep: DepthFromMotion) -> None:
    found = estimates(sweep, views.photographs)
    checked = cross_checked(views.camera, found[2], [*found[:2], *found[3:]])
    assert checked.shares["confident"] > 0.95 * found[2].shares["confident"]
    assert np.abs(views.errors(checked, 2)).max() <= np.abs(views.errors(found[2], 2)).max()
    kept = checked.depth > 0
    np.testing.assert_array_equal(checked.depth[kept], found[2].depth[kept])
    assert not checked.sigma[~kept].any()
    np.testing.assert_array_equal(kept, checked.verdict == Verdict.CONFIDENT)


def test_depths_that_others_see_through_go(views: Views, sweep: DepthFromMotion) -> None:
    found = estimates(sweep, views.photographs)
    raised = found[2].depth.copy()
    raised[40:60, 60:90] *= 0.9
    wrong = replace(found[2], depth=raised)
    checked = cross_checked(views.camera, wrong, [*found[:2], *found[3:]])
    assert not checked.depth[40:60, 60:90].any()
    assert (checked.depth[70:, 60:90] > 0).mean() > 0.8


def test_what_nobody_denies_may_stay(views: Views, sweep: DepthFromMotion) -> None:
    found = estimates(sweep, views.photographs[:3])
    raised = found[1].depth.copy()
    raised[40:60, 60:90] *= 0.9
    wrong = replace(found[1], depth=raised)
    blind = replace(found[2], depth=np.where(np.arange(found[2].depth.shape[1]) < 80, found[2].depth, np.float32(0)))
    checked = cross_checked(views.camera, wrong, [blind])
    np.testing.assert_array_equal(checked.depth[:, 120:], wrong.depth[:, 120:])
    assert not checked.depth[45:55, 62:70].any()


def test_a_moving_object_is_left_out(views: Views, sweep: DepthFromMotion) -> None:
    rng = np.random.default_rng(0)
    patch = rng.uniform(0.2, 0.9, (24, 24)).astype(np.float32)
    photographs, places = [], []
    for k, photograph in enumerate(views.photographs):
        image = photograph.image.copy()
        top, left = 40 + 9 * (-1) ** k, 40 + 13 * k
        image[top : top + 24, left : left + 24] = patch
        photographs.append(Photograph(image, photograph.T_world_camera))
        places.append((slice(top, top + 24), slice(left, left + 24)))
    found = estimates(sweep, photographs)
    checked = cross_checked(views.camera, found[2], [*found[:2], *found[3:]])
    assert (checked.depth[places[2]] > 0).mean() < 0.05
    elsewhere = np.ones(views.camera.shape, bool)
    elsewhere[20:90, 40:120] = False
    assert (checked.depth[elsewhere] > 0).mean() > 0.8
    assert np.mean(np.abs(views.errors(checked, 2)) > 0.05) < 0.01
