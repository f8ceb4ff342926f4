"""Which cells count as observed where readings scatter by as much as a cell is large, or more."""

from dataclasses import replace

import numpy as np
import pytest
from flights import Flight, fly, fused, rough_ground

from glrender.fusion.certainty import certain_map
from glrender.fusion.grid import Grid
from glrender.fusion.joint import JointProblem
from glrender.fusion.noise import DepthNoise
from glrender.fusion.observation import Threshold
from glrender.fusion.posed_frame import PosedFrame
from glrender.fusion.weighting import Weighting
from glrender.gl.context import Context
from glrender.render.derivatives import DerivativeRenderer
from glrender.solve.patch import Patch
from glrender.solve.priors import SmoothnessPrior

STEREO = DepthNoise(0.03, 0.0)
"""Twice the side of a cell and more."""


@pytest.fixture(scope="module")
def flight(context: Context) -> Flight:
    return fly(context, rough_ground((0.8, 0.6), 0.05, 0.0125), width=160, frames=24, noise=STEREO)


def test_what_noisy_readings_see_is_observed_and_sigma_knows(context: Context, flight: Flight) -> None:
    fusion = flight.fusion(context)
    found = fused(fusion, flight)
    fusion.release()
    known = np.isfinite(found.heights)
    assert known.mean() > 0.9
    error = np.abs(found.heights - flight.truth.heights)[known] / found.sigma[known]
    assert np.mean(error < 1) == pytest.approx(0.68, abs=0.1)
    assert np.mean(error < 2) == pytest.approx(0.95, abs=0.04)


def test_so_it_is_where_all_frames_are_fitted_at_once(context: Context, flight: Flight) -> None:
    grid = Grid.covering(flight.bounds, flight.truth.spacing, None)
    frames = [PosedFrame(pose, depth) for pose, depth in zip(flight.poses, flight.depths, strict=True)]
    x, priors = flight.truth.heights[..., None].astype(np.float64), [SmoothnessPrior(grid.spacing)]
    renderer = DerivativeRenderer(context, flight.camera)
    problem = JointProblem(renderer, grid, frames, x, Weighting(STEREO))
    found, _ = certain_map(grid, x, problem.linearize(x), priors, problem.threshold)
    renderer.release()
    assert np.isfinite(found.heights).mean() > 0.9


def test_what_one_reading_alone_saw_is_not(context: Context, flight: Flight) -> None:
    depths = np.zeros_like(flight.depths)
    depths[0, 60, 80] = flight.depths[0, 60, 80]
    fusion = flight.fusion(context)
    assert np.isnan(fused(fusion, replace(flight, depths=depths)).heights).all()
    fusion.release()


def test_the_lesser_of_what_the_prior_and_two_usual_readings_say() -> None:
    threshold, patch = Threshold(np.full((3, 4), 100.0), 5.0), Patch(0, 2, 1, 4)
    np.testing.assert_array_equal(threshold.at(patch), np.full((2, 3), 500.0))
    threshold.add_readings(np.zeros((16, 16), np.float32), DepthNoise())
    assert threshold.at(patch).max() == 500, "nothing was read"
    threshold.add_readings(np.full((16, 16), 2, np.float32), DepthNoise(0.1, 0.0))
    np.testing.assert_allclose(threshold.at(patch), 200)
    threshold.add_readings(np.full((16, 16), 2, np.float32), DepthNoise(0.1, 0.025))
    np.testing.assert_allclose(threshold.at(patch), 2 / ((0.1**2 + 0.2**2) / 2), rtol=1e-6)
    precise = Threshold(np.full((3, 4), 100.0), 5.0)
    precise.add_readings(np.full((16, 16), 2, np.float32), DepthNoise(0.001, 0.0))
    assert precise.at(patch).max() == 500
