"""Sigma of maps by readings whose neighbours err together, as windows of a stereo camera make them."""

from dataclasses import replace

import numpy as np
import pytest
from flights import Flight, fly, fused, rough_ground
from photographed import photograph, textured_ground
from scipy.ndimage import uniform_filter

from glrender.fusion.noise import DepthNoise
from glrender.gl.context import Context

NOISE = DepthNoise(0.006, 0.0)


def flown(context: Context, window: int) -> Flight:
    flight = fly(context, rough_ground((1.0, 0.8), 0.05, 0.025), width=160, frames=40, noise=DepthNoise(1e-9, 0.0))
    return erring_together(flight, window)


def erring_together(flight: Flight, window: int) -> Flight:
    """With errors that windows of so many pixels a side have in common."""
    errors = np.random.default_rng(3).normal(size=flight.depths.shape)
    errors = np.stack([uniform_filter(each, window, mode="wrap") for each in errors])
    noisy = flight.depths + (NOISE.base * errors / errors.std()).astype(np.float32)
    return replace(flight, noise=NOISE, depths=np.where(flight.depths > 0, noisy, 0).astype(np.float32))


@pytest.mark.parametrize(("window", "excess"), [(1, 1.0), (5, 14.4)])
def test_sigma_knows(context: Context, window: int, excess: float) -> None:
    flight = flown(context, window)
    fusion = flight.fusion(context)
    found = fused(fusion, flight)
    fusion.release()
    assert fusion.noise_excess == pytest.approx(excess, rel=0.15)
    known = np.isfinite(found.heights)
    assert known.mean() > 0.9
    error, sigma = np.abs(found.heights - flight.truth.heights)[known], found.sigma[known]
    assert np.mean(error < sigma) == pytest.approx(0.68, abs=0.08)
    assert np.mean(error < 2 * sigma) == pytest.approx(0.95, abs=0.04)


def test_photographs_do_not_err_with_their_neighbours(context: Context) -> None:
    """What they brought, two thirds here, is as certain as it was."""
    exact = photograph(context, *textured_ground(), path="orbit", frames=12, depth_sigma=1e-9, known=1.0)
    flight = erring_together(exact, 5)
    fusion = flight.fusion(context, heights_from="both")
    found = fused(fusion, flight, color=True)
    fusion.release()
    assert fusion.noise_excess > 8
    assert fusion.color_share == pytest.approx(0.66, abs=0.1)
    known = np.isfinite(found.heights)
    error, sigma = np.abs(found.heights - flight.truth.heights)[known], found.sigma[known]
    assert np.mean(error < sigma) == pytest.approx(0.68, abs=0.1)
    assert np.mean(error < 2 * sigma) == pytest.approx(0.95, abs=0.03)
