"""Depths from motion fused into a map: how far it is from the ground, and whether its sigma says so."""

from collections.abc import Sequence

import numpy as np
import pytest
from motion_scene import Views, aerial_views, rover_views
from numpy.typing import NDArray

from glrender.frontend.cross_check import cross_checked
from glrender.frontend.depth_from_motion import DepthFromMotion
from glrender.frontend.photograph import Photograph
from glrender.frontend.search import Search
from glrender.frontend.sources import choose_sources
from glrender.fusion.heightmap import HeightMapFusion
from glrender.fusion.options import FusionOptions
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.simulate.noise import NoiseModel, NoiseSource


def fused(
    context: Context, views: Views, poses: Sequence[NDArray[np.float64]], search: Search, depth: float
) -> HeightMap:
    """Every photograph's depths from up to five others, checked against the neighbours', on the truth's grid."""
    camera, truth = views.camera, views.truth
    photographs = [
        Photograph(photograph.image, pose) for photograph, pose in zip(views.photographs, poses, strict=True)
    ]
    sweep = DepthFromMotion(context, camera)
    found = []
    for k, reference in enumerate(photographs):
        rest = photographs[:k] + photographs[k + 1 :]
        chosen = choose_sources(reference.T_world_camera, [other.T_world_camera for other in rest], camera, depth, 5)
        found.append(sweep.estimate(reference, [rest[index] for index in chosen], search))
    sweep.release()
    x, y = truth.axes()
    # A pixel's depth is less sure than a cell is wide, so what counts as observed must ask for less.
    options = FusionOptions(observed_ratio=0.2)
    fusion = HeightMapFusion(context, camera, truth.spacing, (x[0], x[-1], y[0], y[-1]), None, options)
    for k, single in enumerate(found):
        checked = cross_checked(camera, single, found[:k] + found[k + 1 :])
        sigma = checked.fusion_sigma(camera, truth.spacing)
        fusion.integrate(checked.T_world_camera, depth=checked.depth, depth_sigma=sigma)
    estimate = fusion.map()
    fusion.release()
    return estimate


def test_a_flight_maps_the_ground_to_a_pixel_and_a_half(context: Context) -> None:
    views = aerial_views(context)
    # Two centimetres and 0.02 degrees where a pixel sees 7 cm of ground are as much of these pixels of 27 cm.
    noise = NoiseSource(NoiseModel(pose_translation=0.08, pose_rotation=0.08), np.random.SeedSequence(0))
    poses = [noise.pose(photograph.T_world_camera) for photograph in views.photographs]
    estimate = fused(context, views, poses, Search.heights(None, -20.0, 40.0), 38.0)
    error = estimate.heights - views.truth.heights
    known = np.isfinite(error)
    pixel = 40 / views.camera.fx
    assert known[20:-40, 20:-20].mean() > 0.85
    assert np.sqrt(np.mean(np.square(error[known]))) < 1.5 * pixel
    assert abs(np.median(error[known])) < 0.25 * pixel


def test_sigma_covers_what_exact_poses_leave(context: Context) -> None:
    views = rover_views(context, frames=9)
    poses = [photograph.T_world_camera for photograph in views.photographs]
    estimate = fused(context, views, poses, Search.heights(None, -0.2, 0.6), 1.2)
    pulls = np.abs(estimate.heights - views.truth.heights) / estimate.sigma
    known = np.isfinite(pulls)
    assert known.mean() > 0.3
    assert np.mean(pulls[known] < 1) == pytest.approx(0.68, abs=0.06)
    assert np.mean(pulls[known] < 2) == pytest.approx(0.95, abs=0.06)
    assert np.nanmedian(np.abs(estimate.heights - views.truth.heights)) < 0.003
