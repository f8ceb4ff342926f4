"""How frames scatter about a map's heights, and which cells are left out for it."""

import numpy as np
import pytest
from flights import Flight, fly
from numpy.typing import NDArray

from glrender.fusion.grid import Grid
from glrender.fusion.noise import DepthNoise
from glrender.fusion.scatter import DISPUTED, Scatter
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context

SPACING, FRAMES = 0.025, 8
SIGMA = 0.02
"""Of one frame's mean over a cell."""
GRID = Grid.covering((0.0, 1.0, 0.0, 0.8), SPACING, None)


def above(camera: Camera) -> NDArray[np.float64]:
    return np.stack([se3.look_at((0.5, 0.4, 1.2), (0.5, 0.4, 0.0), (0, 1, 0))] * FRAMES)


@pytest.fixture(scope="module")
def flight(context: Context) -> Flight:
    """Over level ground at 0.1 m, of which all frames see everything."""
    truth = HeightMap(np.full(GRID.shape, 0.1), SPACING, colors=np.full((*GRID.shape, 3), 0.5))
    return fly(context, truth, width=160, path=above, noise=DepthNoise(1e-9, 0.0))


def scattered(flight: Flight, lifted: NDArray[np.float64]) -> Scatter:
    """Frame k sees all of the ground higher by lifted[k] metres."""
    scatter = Scatter(flight.camera, GRID)
    for pose, depth, height in zip(flight.poses, flight.depths, lifted, strict=True):
        seen = np.where(depth > 0, depth - height, 0).astype(np.float32)
        scatter.add(pose, seen, np.full_like(seen, SIGMA))
    return scatter


def test_the_standard_error_is_that_of_a_mean_of_frames(flight: Flight) -> None:
    lifted = np.random.default_rng(0).normal(0, SIGMA, FRAMES)
    found = scattered(flight, lifted).standard_error(np.full(GRID.shape, 0.1))
    seen = found > 0
    assert seen[4:-4, 4:-4].all()
    np.testing.assert_allclose(found[4:-4, 4:-4], np.sqrt(np.sum(np.square(lifted))) / FRAMES, rtol=0.01)
    # And of a height that is off, it is more: all frames contradict it.
    off = scattered(flight, lifted).standard_error(np.full(GRID.shape, 0.2))
    np.testing.assert_allclose(off[4:-4, 4:-4], np.sqrt(np.sum(np.square(lifted - 0.1))) / FRAMES, rtol=0.01)


def test_what_nobody_saw_has_no_error(flight: Flight) -> None:
    scatter = Scatter(flight.camera, GRID)
    elsewhere = flight.poses[0].copy()
    elsewhere[0, 3] += 100
    scatter.add(elsewhere, flight.depths[0], np.full_like(flight.depths[0], SIGMA))
    assert not scatter.standard_error(np.zeros(GRID.shape)).any()


@pytest.mark.parametrize("colored", [False, True])
def test_cells_whose_sigma_is_refuted_are_left_out(flight: Flight, colored: bool) -> None:
    sigma = np.full(GRID.shape, SIGMA / np.sqrt(FRAMES))
    half = np.where(np.arange(FRAMES) % 2, 0.0, 2 * DISPUTED * SIGMA)  # of the frames, all that they see
    error = float(np.sqrt(np.sum(np.square(half)))) / FRAMES
    sigma[:, :20] = 1.01 * error / DISPUTED
    sigma[:, 20:] = 0.99 * error / DISPUTED
    colors = np.full((*GRID.shape, 3), 0.5) if colored else None
    # A displacement that all cells share is no excuse.
    estimate = HeightMap(np.full(GRID.shape, 0.1), SPACING, (0.0, 0.0), colors, None, sigma + 1.0, sigma)
    left = scattered(flight, half).undisputed(estimate)
    stays = np.isfinite(left.heights)
    assert stays[4:-4, :20].all()
    assert not stays[4:-4, 20:-4].any()
    np.testing.assert_array_equal(left.heights[stays], 0.1)
    for values in (left.sigma, left.local_sigma, left.colors):
        if values is not None:
            known = np.isfinite(values).all(axis=-1) if values.ndim == 3 else np.isfinite(values)
            np.testing.assert_array_equal(known, stays)
    assert (left.colors is not None) == colored


def test_what_is_closer_than_a_cell_is_wide_is_not_disputed_however_small_sigma_is(flight: Flight) -> None:
    estimate = HeightMap(np.full(GRID.shape, 0.1), SPACING, sigma=np.full(GRID.shape, 1e-6))
    every_other = np.arange(FRAMES) % 2 * np.sqrt(2 * FRAMES) * SPACING  # the standard error is the spacing, times:
    for part, kept in ((0.97, True), (1.03, False)):
        stays = np.isfinite(scattered(flight, part * every_other).undisputed(estimate).heights)[4:-4, 4:-4]
        assert stays.all() if kept else not stays.any()


@pytest.mark.parametrize("stray", [1, 2])
def test_one_frame_alone_disputes_nothing_that_the_others_agree_about(flight: Flight, stray: int) -> None:
    estimate = HeightMap(np.full(GRID.shape, 0.1), SPACING, sigma=np.full(GRID.shape, 1e-3))
    lifted = np.random.default_rng(2).normal(0, 0.1 * SPACING, FRAMES)
    lifted[:stray] = -FRAMES * SPACING  # below, so that it sees all of the ground
    scatter = scattered(flight, lifted)
    assert (scatter.standard_error(estimate.heights)[4:-4, 4:-4] > SPACING / 1.01).all()
    stays = np.isfinite(scatter.undisputed(estimate).heights)[4:-4, 4:-4]
    assert stays.all() if stray == 1 else not stays.any()


def test_what_errs_as_it_is_said_to_is_hardly_ever_disputed(flight: Flight) -> None:
    """Frames with errors of their own, as large as sigma says."""
    rng, sigma = np.random.default_rng(1), np.full(GRID.shape, SIGMA / np.sqrt(FRAMES))
    disputed = []
    for _ in range(4):
        lifted = rng.normal(0, SIGMA, FRAMES)
        estimate = HeightMap(np.full(GRID.shape, 0.1 + lifted.mean()), SPACING, sigma=sigma)
        disputed.append(np.isnan(scattered(flight, lifted).undisputed(estimate).heights).mean())
    assert max(disputed) < 0.01
