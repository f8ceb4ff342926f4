"""The prior of slopes, which has steps too: its equations against its cost, and what it makes of a wall."""

import numpy as np
import pytest

from glrender.errors import InputError
from glrender.solve.linear import DirectSolver
from glrender.solve.losses import Huber
from glrender.solve.patch import Patch, given_around
from glrender.solve.priors import SmoothnessPrior
from glrender.solve.slopes import SlopePrior
from glrender.solve.systems import NormalEquations

SHAPE, SIGMA, STEP = (7, 9), 0.2, 0.3
WHOLE = Patch.whole(SHAPE)
NOTHING = NormalEquations.zeros(*SHAPE, 0)


def cost(heights: np.ndarray) -> float:
    return sum(float(np.sum(Huber(STEP / SIGMA).rho(np.diff(heights, axis=axis) / SIGMA))) for axis in (0, 1))


def test_it_pulls_as_its_cost_falls() -> None:
    rng = np.random.default_rng(0)
    heights, direction = rng.normal(0, STEP, (2, *SHAPE))  # some of the differences are steps, some not
    said = SlopePrior(SIGMA, STEP).added_to(NOTHING, WHOLE, heights)
    pull = said.vector[..., 0] - said.matvec(heights[..., None])[..., 0]
    h = 1e-6
    slope = (cost(heights + h * direction) - cost(heights - h * direction)) / (2 * h)
    assert np.sum(pull * direction) == pytest.approx(-slope, rel=1e-6)


def test_without_steps_it_is_quadratic() -> None:
    heights = np.random.default_rng(0).uniform(0, STEP, SHAPE)
    expected = SmoothnessPrior(SIGMA).add_to(NOTHING, np.zeros((*SHAPE, 1)))
    for prior, around in ((SlopePrior(SIGMA, STEP), heights), (SlopePrior(SIGMA), 100 * heights)):
        said = prior.added_to(NOTHING, WHOLE, around)
        np.testing.assert_allclose(said.to_csr().toarray(), expected.to_csr().toarray(), atol=1e-12)
        np.testing.assert_allclose(prior.on_level_ground(SHAPE), said.height_information)


def test_a_patch_is_held_by_what_is_around_it() -> None:
    heights = np.random.default_rng(1).normal(size=SHAPE)
    patch = Patch(2, 5, 0, 6)
    whole = SlopePrior(SIGMA, STEP).added_to(NOTHING, WHOLE, heights)
    expected = given_around(whole, patch, heights)
    found = SlopePrior(SIGMA, STEP).added_to(given_around(NOTHING, patch, heights), patch, heights)
    np.testing.assert_allclose(found.to_csr().toarray(), expected.to_csr().toarray(), atol=1e-12)
    np.testing.assert_allclose(found.vector, expected.vector)
    assert not NOTHING.stencil.matrix.any(), "what it is added to stays as it is"


def test_a_wall_stays_upright() -> None:
    """Roof and yard are measured to 8 cm: at their common wall, they are drawn by less than that towards each other.

    By a quadratic prior, which 4 m are 20 sigma of, it would be half a metre.
    """
    measured = np.where(np.arange(SHAPE[1]) < 4, 0.0, 4.0) * np.ones((SHAPE[0], 1))
    told = NormalEquations.zeros(*SHAPE, 0)
    told.stencil.matrix[:, :, 0, 0] = 0.08**-2
    told.vector[..., 0] = 0.08**-2 * measured

    def drawn(prior: SlopePrior | SmoothnessPrior) -> float:
        heights = measured
        for _ in range(20):
            if isinstance(prior, SlopePrior):
                equations = prior.added_to(told, WHOLE, heights)
            else:
                equations = prior.add_to(told, np.zeros((*SHAPE, 1)))
            heights = DirectSolver().solve(equations).x[..., 0]
        return float(np.abs(heights - measured).max())

    assert drawn(SlopePrior(SIGMA, SIGMA)) < 0.04
    assert drawn(SmoothnessPrior(SIGMA)) > 0.3


def test_a_sigma_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="height_sigma"):
        SlopePrior(0.0)
    with pytest.raises(InputError, match="step"):
        SlopePrior(0.2, np.nan)
