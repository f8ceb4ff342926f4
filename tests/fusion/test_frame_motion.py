"""The mixed model of how frames disagree, on opinions drawn from it."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from glrender.fusion.frame_log import Opinions
from glrender.fusion.frame_motion import FrameMotion, Process

FRAMES, BLOCKS = 48, 60
KIND = (0, 1, 1)


def columns(rng: np.random.Generator) -> NDArray[np.float64]:
    """Heave and two tilts of frames that wander over the blocks."""
    places = rng.uniform(-1, 1, (BLOCKS, 2))
    middle = np.cumsum(0.05 * rng.normal(size=(FRAMES, 2)), axis=0)
    result = np.ones((FRAMES, BLOCKS, 3))
    result[..., 1:] = places - middle[:, None]
    return result


def drawn(
    heave: Process, tilt: Process, misfit: float, seed: int, strays: float = 0.0
) -> tuple[Opinions, NDArray[np.float64]]:
    """Opinions of blocks whose heights are anything, about 60 % of them each frame's."""
    rng = np.random.default_rng(seed)
    lift = columns(rng)
    processes = [heave, tilt, tilt]
    states = np.stack([rng.multivariate_normal(np.zeros(FRAMES), p.covariance(FRAMES)) for p in processes], axis=1)
    compared = np.where(rng.uniform(size=(FRAMES, BLOCKS)) < 0.6, rng.uniform(1e8, 1e9, (FRAMES, BLOCKS)), 0)
    noise = rng.normal(size=compared.shape) * np.sqrt(misfit**2 + 1 / np.maximum(compared, 1))
    rise = np.einsum("fbs,fs->fb", lift, states) + noise + rng.normal(size=BLOCKS)
    rise += (rng.uniform(size=rise.shape) < strays) * rng.uniform(-0.2, 0.2, rise.shape)
    poses = np.tile(np.eye(4), (FRAMES, 1, 1))
    return Opinions(
        poses, compared, compared, np.where(compared > 0, rise, 0), np.arange(BLOCKS), np.ones(BLOCKS)
    ), lift


@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_sigma_and_correlation_are_found(correlation: float) -> None:
    found = []
    for seed in range(12):
        opinions, lift = drawn(Process(0.004, correlation), Process(0.002), 0.001, seed)
        motion = FrameMotion.fit(opinions, lift, KIND)
        (heave, tilt), misfit = motion.kinds, motion.misfit_sigma
        found.append([heave.sigma, heave.correlation, tilt.sigma, misfit])
    sigma, found_correlation, tilt_sigma, misfit = np.mean(found, axis=0)
    assert sigma == pytest.approx(0.004, rel=0.15)
    assert found_correlation == pytest.approx(correlation, abs=0.12)
    assert tilt_sigma == pytest.approx(0.002, rel=0.1)
    assert misfit == pytest.approx(0.001, rel=0.05)


@pytest.mark.parametrize("misfit", [0.0, 0.001])
@pytest.mark.parametrize("seed", range(5))
def test_frames_that_agree_are_not_said_to_move(misfit: float, seed: int) -> None:
    opinions, lift = drawn(Process(0.0), Process(0.0), misfit, seed)
    motion = FrameMotion.fit(opinions, lift, KIND)
    assert [process.sigma for process in motion.kinds] == [0.0, 0.0]


def test_frames_that_agree_to_the_last_bit_are_not_said_to_move() -> None:
    opinions, lift = drawn(Process(0.0), Process(0.0), 0.0, 0)
    motion = FrameMotion.fit(replace(opinions, rise=np.zeros_like(opinions.rise)), lift, KIND)
    assert [process.sigma for process in motion.kinds] == [0.0, 0.0]
    assert motion.misfit_sigma < 1e-6


def test_strays_hardly_matter() -> None:
    opinions, lift = drawn(Process(0.004), Process(0.002), 0.001, 3)
    clean = FrameMotion.fit(opinions, lift, KIND)
    opinions, lift = drawn(Process(0.004), Process(0.002), 0.001, 3, strays=0.05)
    with_strays = FrameMotion.fit(opinions, lift, KIND)
    for a, b in zip(clean.kinds, with_strays.kinds, strict=True):
        assert b.sigma == pytest.approx(a.sigma, rel=0.1)
    assert with_strays.misfit_sigma < 2 * clean.misfit_sigma


def test_a_drift_is_not_credited_with_more_than_was_seen() -> None:
    opinions, lift = drawn(Process(0.0), Process(0.0), 0.0002, 5)
    drift = np.linspace(-0.005, 0.005, FRAMES)
    opinions.rise[:] += np.where(opinions.compared > 0, drift[:, None], 0)
    heave, _ = FrameMotion.fit(opinions, lift, KIND).kinds
    assert heave.correlation > 0.9
    assert 0.002 < heave.sigma < 0.006


def test_two_frames_are_too_few() -> None:
    opinions, lift = drawn(Process(0.01), Process(0.01), 0.001, 0)
    few = replace(
        opinions,
        **{name: getattr(opinions, name)[:2] for name in ("T_map_camera", "weight", "compared", "rise")},
    )
    motion = FrameMotion.fit(few, lift[:2], KIND)
    assert [process.sigma for process in motion.kinds] == [0.0, 0.0]
    prior = np.diag([4.0])
    np.testing.assert_array_equal(
        motion.constant_covariance(lift[:2], [Process(0.0)] * 3, lift[:2, :, :1], prior), prior
    )


def test_what_is_known_of_constant_errors_is_the_dense_answer() -> None:
    opinions, lift = drawn(Process(0.004, 0.7), Process(0.002), 0.001, 7)
    motion = FrameMotion.fit(opinions, lift, KIND)
    rng = np.random.default_rng(8)
    rise = rng.normal(size=(FRAMES, BLOCKS, 2))
    states = [motion.kinds[kind] for kind in KIND]
    prior = np.diag([0.01, 0.02]) ** 2
    seen = opinions.compared > 0
    frame, block = np.nonzero(seen)
    count = len(frame)
    covariance = np.diag(1 / motion.weight[seen])
    for s, process in enumerate(states):
        moved = np.zeros((count, FRAMES))
        moved[np.arange(count), frame] = lift[seen][:, s]
        covariance += moved @ process.covariance(FRAMES) @ moved.T
    design = np.zeros((count, BLOCKS + 2))
    design[np.arange(count), block] = 1
    design[:, BLOCKS:] = rise[seen]
    information = design.T @ np.linalg.solve(covariance, design)
    information[BLOCKS:, BLOCKS:] += np.linalg.inv(prior)
    expected = np.linalg.inv(information)[BLOCKS:, BLOCKS:]
    np.testing.assert_allclose(motion.constant_covariance(lift, states, rise, prior), expected, rtol=1e-6)


def test_a_process_and_its_precision() -> None:
    process = Process(0.3, 0.6)
    np.testing.assert_allclose(process.precision(7) @ process.covariance(7), np.eye(7), atol=1e-12)
