"""A focal length that is not the camera's shows in what is left of alignments."""

from dataclasses import replace

import numpy as np
import pytest
from moving_camera import CAMERA, Recorded, along, drive, record, refine_twice, textured_ground
from test_frontend_residuals import STEP, T_FRAME_REFERENCE, differences, plane_depth

from glrender.frontend.comparison import photometric
from glrender.frontend.focal import FocalError, by_focal_length
from glrender.frontend.point_matches import find_corners
from glrender.frontend.pyramid import Level
from glrender.frontend.reference import make_reference
from glrender.frontend.rendered_depth import RenderedDepth
from glrender.frontend.residuals import Exposure
from glrender.frontend.tracker import Tracker
from glrender.geometry.camera import Camera
from glrender.gl.context import Context

EXPOSURE = Exposure(1.2, -0.05)


def longer(camera: Camera, share: float) -> Camera:
    return replace(camera, fx=camera.fx * np.exp(share), fy=camera.fy * np.exp(share))


def test_intensities_by_the_focal_length() -> None:
    v, u = np.mgrid[: CAMERA.height, : CAMERA.width]
    image = (0.5 + 0.2 * np.sin(0.31 * u + 0.1 * v) + 0.2 * np.cos(0.27 * v - 0.05 * u)).astype(np.float32)
    texture = make_reference((Level(CAMERA, image),), np.ones(CAMERA.shape, np.float32), np.eye(4), most_points=300)
    pixels = np.rint(CAMERA.project(texture.levels[0].points)).astype(int)

    def at(step: float) -> tuple[np.ndarray, np.ndarray]:
        camera = longer(CAMERA, step)
        depth, slope = plane_depth(drive(0.0), camera=camera)
        u, v = pixels.T
        points = replace(texture.levels[0], points=depth[v, u, None] * camera.rays()[v, u], depth_slope=slope[v, u])
        level = Level(camera, image)
        residuals, sighting, _ = photometric(points, level, T_FRAME_REFERENCE, EXPOSURE)
        by = by_focal_length(points, sighting, EXPOSURE, T_FRAME_REFERENCE)
        return np.where(sighting.seen, residuals.value, np.nan), by

    value, derivative = at(0.0)
    assert differences(value, derivative, at(STEP)[0], at(-STEP)[0], STEP) < 1e-3


@pytest.fixture(scope="module")
def recorded(context: Context) -> Recorded:
    return record(context, textured_ground(0.06), along(drive, 9, 0.9))


@pytest.mark.parametrize("share", [0.0, 0.05, -0.05])
def test_a_wrong_focal_length_is_told(context: Context, recorded: Recorded, share: float) -> None:
    camera = longer(CAMERA, -share)
    tracker, depths = Tracker(camera), RenderedDepth(context, camera, recorded.truth)
    tracker.use_depths(depths)
    tracker.start(0.0, np.square(recorded.photographs[0])[..., None], recorded.poses[0])
    for k in range(1, 9):
        tracker.track(k / 10, np.square(recorded.photographs[k])[..., None])
    found = tracker.focal_error()
    depths.release()
    assert found.sigma < 0.01
    # One step towards it, from poses that have taken a part of it.
    assert 0.4 * abs(share) - 0.004 < np.copysign(found.share, found.share * share) < 1.2 * abs(share) + 0.004
    assert share == 0 or abs(found.share) > 3 * found.sigma


@pytest.mark.parametrize("share", [0.0, 0.05])
def test_given_poses_tell_too(recorded: Recorded, share: float) -> None:
    """Without a map: the rotations are known, and with the motion of the camera they fix it."""
    below = recorded.poses[:, 2, 3] - np.nanmean(recorded.truth.heights)
    planes = -recorded.poses[:, 2, :3] / below[:, None]
    camera = longer(CAMERA, -share)
    prepared = [find_corners(camera, each) for each in recorded.photographs]
    refined = refine_twice(camera, prepared, recorded.poses, planes, (0.002, 1e-5), mounted=False)
    found = refined.rounds[-1].focal_error
    assert found.sigma < 0.01
    assert found.share == pytest.approx(share, abs=0.01)
    assert found.is_wrong == (share != 0)


def test_what_is_hardly_told_is_not_told() -> None:
    """Over level ground, and with rough poses, a first step of a third comes with a sigma of a tenth."""
    assert FocalError(0.05, 0.01).is_wrong
    assert not FocalError(0.005, 0.001).is_wrong
    assert not FocalError(0.28, 0.07).is_wrong


def test_frames_that_disagree_are_less_sure() -> None:
    agreed = FocalError.combined([FocalError(0.05, 0.01)] * 4)
    assert agreed.share == pytest.approx(0.05)
    assert agreed.sigma == pytest.approx(0.005)
    assert FocalError.combined([FocalError(0.0, 0.01), FocalError(0.1, 0.01)]).sigma > 0.03
    assert FocalError.combined([FocalError(0.0, np.inf)]).sigma == np.inf
