"""What the log keeps of frames, on normal equations made by hand."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from glrender.fusion.frame_log import FrameLog, Opinions, attenuation
from glrender.solve.losses import Cauchy, Huber, Loss, Squared, Tukey
from glrender.solve.patch import LocalEquations, Patch
from glrender.solve.priors import SmoothnessPrior
from glrender.solve.stencil import BlockStencil
from glrender.solve.systems import NormalEquations

SHAPE, SPACING = (20, 30), 0.01
ALL = np.ones(SHAPE, bool)
POSE = np.eye(4)


def saying(heights: NDArray[np.float64], weight: float | NDArray[np.float64] = 1e6) -> LocalEquations:
    """A frame that sees `heights`, coupled between neighbours as pixels couple them."""
    stencil = BlockStencil.zeros(*SHAPE, 0)
    stencil.matrix[:, :, 0, 0] = weight
    coupled = SmoothnessPrior(3e-3).add_to(NormalEquations(stencil, np.zeros((*SHAPE, 1)), 0.0, 0), heights[..., None])
    matrix = np.abs(coupled.stencil.matrix) * (np.asarray(weight) > 0)[..., None, None]
    seen = BlockStencil(np.where(np.asarray(weight)[..., None, None] > 0, matrix, 0))
    return LocalEquations(Patch.whole(SHAPE), NormalEquations(seen, seen.matvec(heights[..., None]), 0.0, 0))


def opinions_of(*raised: float) -> Opinions:
    """A log whose map stays where the mean of the frames puts it."""
    log, heights = FrameLog(SHAPE, SPACING), np.zeros(SHAPE)
    for k, rise in enumerate(raised):
        log.add(POSE, saying(np.full(SHAPE, rise)), heights, ALL)
        heights = heights + (rise - heights) / (k + 1)
    return log.opinions()


@pytest.mark.parametrize("loss", [Squared(), Cauchy(3.5)], ids=str)
@pytest.mark.parametrize("times", [1.0, 2.0, 5.0])
def test_how_much_more_frames_scatter_than_noise(loss: Loss, times: float) -> None:
    """Pulls of reweighted readings that share their errors, in a map that is known from a hundred frames before."""
    rng, log, shape = np.random.default_rng(0), FrameLog(SHAPE, SPACING), (*SHAPE, 12)
    log.add(POSE, saying(np.zeros(SHAPE), 1e8), np.zeros(SHAPE), ALL)
    assert (log.noise_excess(loss) == 1).all(), "nothing could be compared"
    for _ in range(40):
        residuals = rng.normal(size=shape)
        weights = loss.weight(residuals)
        said = saying(np.zeros(SHAPE), 1e6 * weights.mean(axis=-1))
        alone = np.sqrt(said.equations.stencil.matrix[..., 0, 0] / weights.mean(axis=-1) / shape[-1])
        pull = times * alone * (weights * residuals).sum(axis=-1) + 5e3
        log.add(POSE, replace(said, equations=replace(said.equations, vector=pull[..., None])), np.zeros(SHAPE), ALL)
    found = log.noise_excess(loss)
    if times == 1:
        assert (found == 1).all()
    else:
        assert np.median(found) == pytest.approx(times**2, rel=0.15)
        assert found.min() > 0.4 * times**2


def test_what_frames_have_wrong_as_wholes_is_no_noise_where_little_of_a_block_is_settled() -> None:
    rng, log = np.random.default_rng(0), FrameLog(SHAPE, SPACING)
    log.add(POSE, saying(np.zeros(SHAPE), 1e8), np.zeros(SHAPE), ALL)
    for _ in range(60):
        whole, noise = 5e-3 * rng.normal(), 1e-3 * rng.normal(size=SHAPE)
        log.add(POSE, saying(whole + noise), np.zeros(SHAPE), rng.random(SHAPE) < 0.15)
    assert (log.noise_excess(Squared()) == 1).all()


def test_readings_that_bring_their_own_sigma_are_not_asked_for_their_noise() -> None:
    log = FrameLog(SHAPE, SPACING)
    for seed in range(20):
        heights = 0.1 * np.random.default_rng(seed).normal(size=SHAPE)
        log.add(POSE, saying(heights), np.zeros(SHAPE), ALL, independent=False)
    assert (log.noise_excess(Squared()) == 1).all()


def test_frames_are_compared_on_level_ground_alone() -> None:
    log, heights = FrameLog(SHAPE, SPACING), np.zeros(SHAPE)
    heights[:, 10:20] = 0.2  # a crate, whose edges the second frame sees a column farther
    seen = heights + 0.001
    seen[:, 20] += 0.2
    log.add(POSE, saying(heights), heights, ALL)
    log.add(POSE, saying(seen), heights, ALL)
    compared = log.opinions().compared[1] > 0
    np.testing.assert_allclose(log.opinions().rise[1][compared], 0.001, rtol=0.05)
    assert compared.sum() > 30


def test_a_frame_rises_by_what_it_sees_higher_than_the_first() -> None:
    opinions = opinions_of(0.0, 0.01, -0.02, 0.005)
    assert opinions.rise.shape == (4, 40)
    np.testing.assert_allclose(opinions.rise, np.repeat([[0.0], [0.01], [-0.02], [0.005]], 40, axis=1), atol=1e-12)
    assert (opinions.compared > 0).all()


def test_cells_that_a_frame_has_set_itself_do_not_count() -> None:
    log = FrameLog(SHAPE, SPACING)
    settled = np.random.default_rng(0).uniform(size=SHAPE) < 0.6
    log.add(POSE, saying(np.zeros(SHAPE)), np.zeros(SHAPE), ALL)
    log.add(POSE, saying(np.full(SHAPE, 0.01)), np.where(settled, 0.0, 0.01), settled)
    opinions = log.opinions()
    np.testing.assert_allclose(opinions.rise[1], 0.01, rtol=1e-9)
    assert (opinions.compared[1] < opinions.weight[1]).all()


def test_a_block_that_nothing_can_be_compared_with_says_nothing() -> None:
    log = FrameLog(SHAPE, SPACING)
    log.add(POSE, saying(np.zeros(SHAPE)), np.zeros(SHAPE), ALL)
    log.add(POSE, saying(np.full(SHAPE, 0.01)), np.full(SHAPE, 0.01), ~ALL)
    assert (log.opinions().compared[1] == 0).all()
    assert (log.opinions().weight[1] > 0).all()


def test_what_a_robust_loss_holds_back_is_made_up_for() -> None:
    log = FrameLog(SHAPE, SPACING)
    log.add(POSE, saying(np.zeros(SHAPE)), np.zeros(SHAPE), ALL)
    log.add(POSE, saying(np.full(SHAPE, 0.008)), np.zeros(SHAPE), ALL, attenuation=0.8)
    np.testing.assert_allclose(log.opinions().rise[1], 0.01, rtol=1e-9)


@pytest.mark.parametrize("loss", [Squared(), Cauchy(3.5), Huber(), Tukey()])
def test_attenuation_is_that_of_reweighted_means(loss: Loss) -> None:
    rng = np.random.default_rng(1)
    residuals = rng.normal(size=2_000_000) + 0.1
    weight = loss.weight(residuals)
    assert attenuation(loss) == pytest.approx(np.sum(weight * residuals) / np.sum(weight) / 0.1, abs=0.01)
    assert attenuation(Squared()) == pytest.approx(1.0)


def test_memory_does_not_grow_and_groups_add_up() -> None:
    log, heights = FrameLog(SHAPE, SPACING), np.zeros(SHAPE)
    rises = 0.01 * np.random.default_rng(2).normal(size=300)
    rises[0] = 0
    for k, rise in enumerate(rises):
        log.add(POSE, saying(np.full(SHAPE, rise)), heights, ALL)
        heights = heights + (rise - heights) / (k + 1)
    opinions = log.opinions()
    assert len(opinions.rise) == 38  # 300 frames in groups of 8
    np.testing.assert_allclose(opinions.rise[3], rises[24:32].mean(), atol=1e-9)
    np.testing.assert_allclose(opinions.alone, 300 / (37 * 8**2 + 4**2))
    np.testing.assert_allclose(opinions.weight.sum(axis=0), 300 * opinions_of(0.0).weight[0], rtol=1e-12)


def test_a_frame_that_sees_nothing_leaves_no_entry() -> None:
    log = FrameLog(SHAPE, SPACING)
    for _ in range(2):
        log.add(POSE, LocalEquations(Patch.whole(SHAPE), NormalEquations.zeros(*SHAPE, 0)), np.zeros(SHAPE), ALL)
    assert log.opinions().rise.shape == (0, 0)
    assert (log.unevenness() == 1).all()


def test_blocks_follow_what_the_first_frame_sees() -> None:
    part = np.zeros((400, 600), bool)
    part[100:190, 300:480] = True
    stencil = BlockStencil.zeros(400, 600, 0)
    stencil.matrix[:, :, 0, 0] = 1e6 * part
    log = FrameLog((400, 600), SPACING)
    said = NormalEquations(stencil, np.zeros((400, 600, 1)), 0.0, 0)
    log.add(POSE, LocalEquations(Patch.whole((400, 600)), said), np.zeros((400, 600)), part)
    assert log.side == 20
    means = log.block_means(np.arange(600.0) + np.zeros((400, 1)))
    assert means.reshape(log.shape)[3, 2] == np.arange(40, 60).mean()


def test_cells_seen_by_fewer_frames_than_their_block_scatter_more() -> None:
    log = FrameLog(SHAPE, SPACING)
    half = np.arange(30) % 2 == 0
    log.add(POSE, saying(np.zeros(SHAPE), np.full(SHAPE, 1e6)), np.zeros(SHAPE), ALL)
    log.add(POSE, saying(np.zeros(SHAPE), np.where(half, 1e6, 0.0) + np.zeros(SHAPE)), np.zeros(SHAPE), ALL)
    uneven = log.unevenness()
    assert uneven[10, 15] > 1.3 * uneven[10, 16]
    assert uneven[10, 15] > 1
