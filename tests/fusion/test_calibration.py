"""What a calibration takes its data to be worth, and what it starts from."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from flights import NOISE
from motions import CAMERA, ROUGH, bobbing, record

from glrender.errors import InputError
from glrender.fusion.calibration import (
    LEAST_DISAGREEMENT,
    CalibrationPrior,
    CalibrationProblem,
    TimedDepth,
    Undetermined,
    _disagreement,
)
from glrender.fusion.grid import Grid
from glrender.fusion.shared_unknowns import NAMES
from glrender.gl.context import Context


def problem_of(context: Context, folder: Path, factor: float = 1.0, frames: int = 16) -> CalibrationProblem:
    """Rough ground seen by a camera whose focal length is taken for `factor` times what it is."""
    sequence = record(context, folder, bobbing, ROUGH, 0.0, frames)
    depths = [sequence.read(entry).depth for entry in sequence.frames]
    timed = [TimedDepth(e.time, depth) for e, depth in zip(sequence.frames, depths, strict=True) if depth is not None]
    assert sequence.trajectory is not None
    camera = replace(CAMERA, fx=factor * CAMERA.fx, fy=factor * CAMERA.fy)
    grid = Grid.covering((0.0, 1.6, 0.0, 1.2), 0.04, None)
    return CalibrationProblem(context, camera, grid, timed, sequence.trajectory, NOISE)


def test_the_prior_holds_what_has_none(context: Context, tmp_path: Path) -> None:
    problem = problem_of(context, tmp_path, factor=1.01)
    estimate = problem.solve(CalibrationPrior(centre=0.0, time_offset=0.0, depth_scale=0.0))
    moved = estimate.unknowns.values != [
        problem.camera.fx,
        problem.camera.fy,
        problem.camera.cx,
        problem.camera.cy,
        0,
        1,
    ]
    np.testing.assert_array_equal(moved, [True, True, False, False, False, False])
    np.testing.assert_array_equal(estimate.sigma > 0, moved)
    assert estimate.unknowns.values[0] == pytest.approx(CAMERA.fx, rel=0.003)


def test_the_better_of_several_starts_goes_on(context: Context, tmp_path: Path) -> None:
    problem = problem_of(context, tmp_path)
    prior = CalibrationPrior(depth_scale=0.0)
    estimate = problem.solve(prior, starts=[0.3, 0.0])
    assert abs(estimate.unknowns.time_offset) < 0.002


def test_frames_of_another_size_are_refused(context: Context, tmp_path: Path) -> None:
    problem = problem_of(context, tmp_path, frames=2)
    with pytest.raises(InputError, match=r"depth: received shape \(72, 96\), expected \(72, 97\)"):
        replace(problem, camera=replace(CAMERA, width=97))


def test_too_few_frames_tell_nothing(context: Context, tmp_path: Path) -> None:
    with pytest.raises(Undetermined, match="7 frames have a pose and see the map, and it takes 8"):
        problem_of(context, tmp_path, frames=7).solve(CalibrationPrior())


def test_the_prior_in_numbers() -> None:
    """Of fx and fy: what they share, and what they differ by."""
    covariance = CalibrationPrior(focal=0.02, aspect=0.01, centre=0.02).covariance(CAMERA)
    fx, fy = CAMERA.fx, CAMERA.fy
    assert np.array([1 / fx, -1 / fy]) @ covariance[:2, :2] @ [1 / fx, -1 / fy] == pytest.approx(0.01**2)
    assert np.array([0.5 / fx, 0.5 / fy]) @ covariance[:2, :2] @ [0.5 / fx, 0.5 / fy] == pytest.approx(0.02**2)
    assert covariance[2, 2] == pytest.approx((0.02 * 96) ** 2)
    assert not CalibrationPrior(0.0, 0.01, 0.0, 0.0, 0.0).covariance(CAMERA).any()
    assert covariance.shape == (len(NAMES), len(NAMES))


class TestDisagreement:
    """Scores are what the frames add to the equations; their scatter is compared with what noise alone makes."""

    times = np.arange(40.0)  # far apart
    information = np.diag([4.0, 9.0])

    def scores(self, factor: float) -> np.ndarray:
        """Of independent noise whose standard deviation is `factor` times what the weights say."""
        rng = np.random.default_rng(0)
        return factor * rng.multivariate_normal([0, 0], self.information / len(self.times), len(self.times))

    def test_independent_noise(self) -> None:
        assert _disagreement(self.scores(1.0), self.information, self.times) == LEAST_DISAGREEMENT

    def test_it_is_a_variance(self) -> None:
        first, second = (_disagreement(self.scores(factor), self.information, self.times) for factor in (10, 20))
        assert 100 < first < 200
        assert second == pytest.approx(4 * first)

    def test_frames_close_in_time_share_their_error(self) -> None:
        apart = _disagreement(self.scores(10), self.information, self.times)
        together = _disagreement(self.scores(10), self.information, 0.1 * self.times)
        assert 4 < together / apart <= 5  # two neighbours to each side, but for those at the ends

    def test_what_all_frames_say_is_no_disagreement(self) -> None:
        scores = self.scores(10)
        alike = _disagreement(scores + np.array([5.0, -3.0]), self.information, self.times)
        assert alike == pytest.approx(_disagreement(scores, self.information, self.times))
