"""Priors' equations against their costs, and what steps make of a wall."""

import numpy as np
import pytest
from grid_examples import grid_example

from glrender.errors import InputError
from glrender.solve.linear import DirectSolver
from glrender.solve.losses import Huber
from glrender.solve.patch import Patch, given_around
from glrender.solve.priors import GaussianPrior, Prior, SmoothnessPrior
from glrender.solve.systems import NormalEquations

SHAPE, SIGMA, STEP = (7, 9), 0.2, 0.3
WHOLE = Patch.whole(SHAPE)
NOTHING = NormalEquations.zeros(*SHAPE, 0)


def make_priors(channels: int) -> list[Prior]:
    rng = np.random.default_rng(3)
    sigma = rng.uniform(0.1, 2, (4, 5))
    sigma[1, 2] = np.inf
    mean = rng.normal(size=(4, 5, 1 + channels))
    return [GaussianPrior(mean, sigma, 0.5), GaussianPrior(mean, 0.3), SmoothnessPrior(0.2)]


@pytest.mark.parametrize("channels", [0, 1, 3])
@pytest.mark.parametrize("which", range(3))
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


def test_beside_steps_smoothness_pulls_as_its_cost_falls() -> None:
    rng = np.random.default_rng(0)
    x, direction = rng.normal(0, STEP, (2, *SHAPE, 1))  # some of the differences are steps, some not
    prior = SmoothnessPrior(SIGMA, STEP)
    h = 1e-6
    slope = (prior.cost(x + h * direction) - prior.cost(x - h * direction)) / (2 * h)
    at_x = prior.add_to(NOTHING, x)
    assert np.sum(at_x.vector * direction) == pytest.approx(-slope, rel=1e-6)
    assert at_x.cost == prior.cost(x) < SmoothnessPrior(SIGMA).cost(x)
    robust = Huber(STEP / SIGMA)
    expected = sum(float(robust.rho(np.diff(x[..., 0], axis=axis) / SIGMA).sum()) for axis in (0, 1))
    assert prior.cost(x) == pytest.approx(expected)
    in_heights = prior.add_to_patch(NOTHING, WHOLE, x[..., 0])
    np.testing.assert_array_equal(in_heights.stencil.matrix, at_x.stencil.matrix)
    np.testing.assert_allclose(in_heights.vector - in_heights.matvec(x), at_x.vector, atol=1e-12)


def test_below_a_step_it_is_quadratic() -> None:
    heights = np.random.default_rng(0).uniform(0, STEP, SHAPE)
    quadratic = SmoothnessPrior(SIGMA).add_to(NOTHING, 100 * heights[..., None])
    stepped = SmoothnessPrior(SIGMA, STEP)
    np.testing.assert_array_equal(
        stepped.add_to_patch(NOTHING, WHOLE, heights).stencil.matrix, quadratic.stencil.matrix
    )
    np.testing.assert_array_equal(stepped.on_level_ground(SHAPE), quadratic.height_information)


def test_a_patch_is_held_by_what_is_around_it() -> None:
    heights = np.random.default_rng(1).normal(size=SHAPE)
    patch, prior = Patch(2, 5, 0, 6), SmoothnessPrior(SIGMA, STEP)
    expected = given_around(prior.add_to_patch(NOTHING, WHOLE, heights), patch, heights)
    found = prior.add_to_patch(given_around(NOTHING, patch, heights), patch, heights)
    np.testing.assert_allclose(found.to_csr().toarray(), expected.to_csr().toarray(), atol=1e-12)
    np.testing.assert_allclose(found.vector, expected.vector)
    assert not NOTHING.stencil.matrix.any(), "what it is added to stays as it is"


@pytest.mark.parametrize("step", [STEP, np.inf])
def test_an_infinite_height_costs_infinitely_much(step: float) -> None:
    x = np.zeros((*SHAPE, 1))
    x[2, 3] = np.inf
    assert SmoothnessPrior(SIGMA, step).cost(x) == np.inf


def test_a_wall_stays_upright() -> None:
    """Roof and yard are measured to 8 cm: at their common wall, they are drawn by less than that towards each other.

    By a quadratic prior, which 4 m are 20 sigma of, it would be half a metre.
    """
    measured = np.where(np.arange(SHAPE[1]) < 4, 0.0, 4.0) * np.ones((SHAPE[0], 1))
    told = NormalEquations.zeros(*SHAPE, 0)
    told.stencil.matrix[:, :, 0, 0] = 0.08**-2
    told.vector[..., 0] = 0.08**-2 * measured

    def drawn(prior: SmoothnessPrior) -> float:
        heights = measured
        for _ in range(20):
            heights = DirectSolver().solve(prior.add_to_patch(told, WHOLE, heights)).x[..., 0]
        return float(np.abs(heights - measured).max())

    assert drawn(SmoothnessPrior(SIGMA, SIGMA)) < 0.04
    assert drawn(SmoothnessPrior(SIGMA)) > 0.3


def test_nothing_known_adds_nothing() -> None:
    prior = GaussianPrior(np.zeros((3, 3, 2)), np.inf)
    equations = prior.add_to(NormalEquations.zeros(3, 3, 1), np.ones((3, 3, 2)))
    assert not equations.stencil.matrix.any()
    assert not equations.vector.any()


def test_wrong_priors_are_refused() -> None:
    with pytest.raises(InputError, match="height_sigma"):
        GaussianPrior(np.zeros((3, 3, 1)), 0.0)
    with pytest.raises(InputError, match="height_sigma"):
        SmoothnessPrior(0.0)
    with pytest.raises(InputError, match="step"):
        SmoothnessPrior(1.0, np.nan)
    with pytest.raises(InputError, match="mean"):
        GaussianPrior(np.full((3, 3, 1), np.nan), 1.0)
