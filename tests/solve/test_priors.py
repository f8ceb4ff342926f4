"""Priors' equations against their costs."""

import numpy as np
import pytest
from grid_examples import grid_example

from glrender.errors import InputError
from glrender.solve.priors import GaussianPrior, Prior, SmoothnessPrior
from glrender.solve.systems import NormalEquations


def make_priors(channels: int) -> list[Prior]:
    rng = np.random.default_rng(3)
    sigma = rng.uniform(0.1, 2, (4, 5))
    sigma[1, 2] = np.inf
    mean = rng.normal(size=(4, 5, 1 + channels))
    return [GaussianPrior(mean, sigma, 0.5), GaussianPrior(mean, 0.3), SmoothnessPrior(0.2, 0.7), SmoothnessPrior(0.2)]


@pytest.mark.parametrize("channels", [0, 1, 3])
@pytest.mark.parametrize("which", range(4))
def test_equations_are_the_derivatives_of_the_cost(which: int, channels: int) -> None:
    prior = make_priors(channels)[which]
    rng = np.random.default_rng(which)
    x, direction = rng.normal(size=(2, 4, 5, 1 + channels))
    at_x = prior.add_to(NormalEquations.zeros(4, 5, channels), x)
    h = 1e-4
    slope = (prior.cost(x + h * direction) - prior.cost(x - h * direction)) / (2 * h)
    assert np.sum(at_x.vector * direction) == pytest.approx(-slope, rel=1e-7)
    ahead = prior.add_to(NormalEquations.zeros(4, 5, channels), x + direction)
    np.testing.assert_allclose(at_x.vector - ahead.vector, at_x.matvec(direction), atol=1e-10)
    assert at_x.cost == pytest.approx(prior.cost(x))
    assert at_x.count == 0


@pytest.mark.parametrize("channels", [0, 3])
def test_priors_add_to_what_is_there(channels: int) -> None:
    before = grid_example(4, 5, channels).equations
    untouched = before.stencil.matrix.copy()
    x = np.random.default_rng(0).normal(size=(4, 5, 1 + channels))
    for prior in make_priors(channels):
        alone = prior.add_to(NormalEquations.zeros(4, 5, channels), x)
        after = prior.add_to(before, x)
        np.testing.assert_allclose(after.stencil.matrix, (before + alone).stencil.matrix, atol=1e-12)
        np.testing.assert_allclose(after.vector, (before + alone).vector)
        assert after.count == before.count
    np.testing.assert_array_equal(before.stencil.matrix, untouched)


def test_a_flat_map_is_smooth_at_any_height_and_a_step_costs() -> None:
    prior = SmoothnessPrior(height_sigma=0.5)
    flat = np.full((4, 5, 1), 7.0)
    assert prior.cost(flat) == 0
    flat[:, 2:] += 1  # 4 pairs that differ by 2 sigma
    assert prior.cost(flat) == pytest.approx(4 * 2.0)
    matrix = prior.add_to(NormalEquations.zeros(4, 5, 0), flat).to_csr()
    np.testing.assert_allclose(matrix @ np.ones(20), 0, atol=1e-12)


def test_nothing_known_adds_nothing() -> None:
    prior = GaussianPrior(np.zeros((3, 3, 2)), np.inf)
    equations = prior.add_to(NormalEquations.zeros(3, 3, 1), np.ones((3, 3, 2)))
    assert not equations.stencil.matrix.any()
    assert not equations.vector.any()


def test_wrong_priors_are_refused() -> None:
    with pytest.raises(InputError, match="height_sigma"):
        GaussianPrior(np.zeros((3, 3, 1)), 0.0)
    with pytest.raises(InputError, match="color_sigma"):
        SmoothnessPrior(1.0, np.nan)
    with pytest.raises(InputError, match="mean"):
        GaussianPrior(np.full((3, 3, 1), np.nan), 1.0)
