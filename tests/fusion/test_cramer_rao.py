"""How good a fused map of rough ground is, and whether its sigma says so."""

import numpy as np
import pytest
from flights import Flight, fly, fused, rough_ground
from least_squares import depth_equations, smoothness

from glrender.assembly.residuals import Measurements, weigh
from glrender.assembly.stencil import normal_equations
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.render.derivatives import DerivativeRenderer
from glrender.solve.losses import Squared
from glrender.solve.marginals import marginal_variances
from glrender.solve.priors import GaussianPrior
from glrender.solve.systems import NormalEquations


@pytest.fixture(scope="module")
def flight(context: Context) -> Flight:
    return fly(context, rough_ground((1.0, 1.0), 0.1, 0.0125), width=200, frames=24)


@pytest.fixture(scope="module")
def found(context: Context, flight: Flight) -> HeightMap:
    fusion = flight.fusion(context)
    result = fused(fusion, flight)
    fusion.release()
    return result


def cramer_rao(context: Context, flight: Flight) -> np.ndarray:
    """(rows, cols) metres: what no unbiased estimate can beat, from J at the truth, the noise, and every pixel.

    Pixels at occlusion edges and of grazing views count too, and nothing is assumed of the ground; that its heights
    are within 10 m of 0 only keeps the matrix regular where a vertex is hardly seen.
    """
    truth = flight.truth
    bare = HeightMap(truth.heights, truth.spacing, truth.origin)
    total = NormalEquations.zeros(*truth.shape, 0)
    renderer = DerivativeRenderer(context, flight.camera)
    for pose in flight.poses:
        buffers = renderer.render(bare, pose, pose=False, edges=False)
        measurements = Measurements(buffers.depth, flight.noise.sigma(buffers.depth))
        total = total + normal_equations(buffers, weigh(buffers, measurements))
    renderer.release()
    zero = np.zeros((*truth.shape, 1))
    return np.sqrt(marginal_variances(GaussianPrior(zero, 10.0).add_to(total, zero).stencil))


def test_the_error_is_hardly_above_the_bound(context: Context, flight: Flight, found: HeightMap) -> None:
    bound = cramer_rao(context, flight)
    observed = np.isfinite(found.heights)
    assert observed.mean() > 0.995
    # A vertex that next to no pixel sees can be anywhere; its bound is many times the size of a cell.
    judged = observed & (bound < flight.truth.spacing)
    assert np.count_nonzero(judged) > 0.999 * np.count_nonzero(observed)
    error = (found.heights - flight.truth.heights)[judged]
    assert np.sqrt(np.mean(error**2) / np.mean(bound[judged] ** 2)) < 1.1
    assert np.sqrt(np.mean(np.square(error / bound[judged]))) < 1.1
    assert abs(np.mean(error / bound[judged])) < 0.1, "no bias"


def test_sigma_is_calibrated_in_every_quartile(flight: Flight, found: HeightMap) -> None:
    assert found.sigma is not None
    known = np.isfinite(found.sigma)
    sigma, error = found.sigma[known], np.abs(found.heights - flight.truth.heights)[known]
    quartile = np.searchsorted(np.quantile(sigma, [0.25, 0.5, 0.75]), sigma)
    for k in range(4):
        ratio = error[quartile == k] / sigma[quartile == k]
        assert 0.63 <= np.mean(ratio < 1) <= 0.73
        assert 0.92 <= np.mean(ratio < 2) <= 0.98


def test_sigma_is_that_of_the_dense_inverse(context: Context) -> None:
    small = fly(context, rough_ground((0.6, 0.5), 0.06, 0.04), width=72, frames=6)
    fusion = small.fusion(context, depth_loss=Squared())
    found = fused(fusion, small)
    fusion.release()
    information, _ = depth_equations(context, small, fusion.surface)
    total = information + smoothness(found.shape, found.spacing)
    dense = np.sqrt(np.diag(np.linalg.inv(total.toarray()))).reshape(found.shape)
    assert found.sigma is not None
    known = np.isfinite(found.sigma)
    assert known.mean() > 0.95
    np.testing.assert_allclose(found.sigma[known], dense[known], rtol=0.02)
    independent = np.sqrt(1 / total.diagonal()).reshape(found.shape)
    assert np.median((dense / independent)[known]) > 1.05, "marginal is not the same as with all other heights known"
