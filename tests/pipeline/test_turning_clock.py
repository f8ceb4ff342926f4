"""How far a trajectory's clock is off, by how photographs turn."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.sparse import csr_array

from glrender.frontend.bundle_adjustment import Adjusted, BundleState
from glrender.frontend.estimate import TimeEstimate
from glrender.frontend.focal import FocalError
from glrender.frontend.ground_errors import GroundErrors
from glrender.frontend.mount import MountEvidence
from glrender.frontend.refine_poses import RefinedPoses
from glrender.geometry import se3
from glrender.io.sequence import FrameEntry
from glrender.io.trajectory import Trajectory
from glrender.pipeline import refined_start
from glrender.pipeline.fuse import SequenceOptions
from glrender.pipeline.ground import Ground
from glrender.pipeline.refinement_turns import AS_SAID
from glrender.pipeline.turning_clock import compare_turns

MOUNT = se3.exp(np.array([0.01, 0.02, -0.01, 0.03, -0.02, 0.04]))
TIMES = np.arange(0.4, 2.6, 0.1)


def held_by_hand(time: float) -> np.ndarray:
    """A camera that moves on steadily and shakes."""
    shake = 0.06 * np.sin(np.array([5.0, 7.0, 4.0]) * time + np.array([0.0, 1.0, 2.0]))
    return se3.look_at((0.4 * time, 0.0, 1.0), (0.4 * time, 0.8, 0.0)) @ se3.exp(np.array([0.0, 0.0, 0.0, *shake]))


@cache
def recorded(pose: Callable[[float], np.ndarray] = held_by_hand) -> Trajectory:
    times = np.arange(0.0, 3.0, 0.01)
    return Trajectory(times, np.stack([pose(time) for time in times]))


def photographed(late: float, noise: float = 1e-3, seed: int = 0) -> np.ndarray:
    """Poses of photographs whose clock is late: at TIMES of theirs it is that much more by the trajectory's."""
    rng = np.random.default_rng(seed)
    error = np.concatenate([np.zeros((len(TIMES), 3)), noise * rng.standard_normal((len(TIMES), 3))], axis=1)
    return np.stack([held_by_hand(t + late) @ MOUNT @ se3.exp(e) for t, e in zip(TIMES, error, strict=True)])


@pytest.mark.parametrize("late", [-0.12, -0.02, 0.008, 0.05])
def test_a_clock_that_is_off_is_found(late: float) -> None:
    found = compare_turns(recorded(), TIMES, photographed(late))
    assert found.is_certain
    assert abs(found.seconds - late) < 3 * found.sigma
    assert found.sigma < 2e-3


def test_sigma_is_that_of_the_errors() -> None:
    found = [compare_turns(recorded(), TIMES, photographed(0.02, seed=seed)) for seed in range(60)]
    spread = np.std([each.seconds for each in found])
    assert np.mean([each.sigma for each in found]) == pytest.approx(spread, rel=0.3)


def test_a_clock_that_is_right_stays() -> None:
    certain = [compare_turns(recorded(), TIMES, photographed(0.0, seed=seed)).is_certain for seed in range(40)]
    assert sum(certain) <= 1


@pytest.mark.parametrize("late", [0.0, 0.03])
def test_noise_of_the_trajectory_is_no_clock(late: float) -> None:
    """Half way between two poses, each with an error of its own, the mean of both is off by less."""
    certain, off = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        times = np.arange(0.0, 3.0, 0.1)
        error = np.concatenate([np.zeros((len(times), 3)), 8e-3 * rng.standard_normal((len(times), 3))], axis=1)
        poses = np.stack([held_by_hand(time) @ se3.exp(each) for time, each in zip(times, error, strict=True)])
        found = compare_turns(Trajectory(times, poses), TIMES, photographed(late, 1e-4, seed))
        certain.append(found.is_certain)
        off.append((found.seconds - late) / found.sigma)
    assert np.std(off) < 2
    assert abs(np.mean(off)) < 1
    assert late or sum(certain) <= 1


def test_turns_that_do_not_tell() -> None:
    still = recorded(lambda time: held_by_hand(0.0))
    assert not np.isfinite(compare_turns(still, TIMES, photographed(0.02)).sigma)
    assert not np.isfinite(compare_turns(recorded(), TIMES[:4], photographed(0.02)[:4]).sigma)
    # About one axis at one rate, an offset is a turn of the camera on what carries it.
    steady = recorded(lambda time: se3.exp(np.array([0.4 * time, 0.0, 0.0, 0.0, 0.0, 0.5 * time])))
    poses = np.stack([steady.at(time + 0.02) for time in TIMES])
    assert not compare_turns(steady, TIMES, poses).is_certain


def test_photographs_from_outside_the_trajectory_are_left_out() -> None:
    whole = recorded()
    part = Trajectory(whole.times[60:], whole.poses[60:])
    found = compare_turns(part, TIMES, photographed(0.02))
    assert abs(found.seconds - 0.02) < 3 * found.sigma


BARE = SimpleNamespace(rays=np.zeros((0, 3)))
"""A photograph without corners."""


def adjusted(poses: np.ndarray) -> RefinedPoses:
    count = len(poses)
    state = BundleState(poses, np.zeros(6), ())
    nothing = csr_array((0, 6 * count))
    ground = GroundErrors(np.zeros((0, 3)), np.zeros((0, 3, 3)), nothing, np.zeros((count, 6, 6)), 1.0)
    told = FocalError(0.0, np.inf), TimeEstimate(0.0, np.inf), AS_SAID
    said = Adjusted(state, ground, np.eye(3), 0.1, 1.0, *told, 0.0, (1.0, 1.0), MountEvidence(0.0, 1.0), True)
    return RefinedPoses((said,), np.ones((count, 2)), 100, count, (), np.zeros((count, 6)), np.zeros((count, 3)), ())


class TestRefiningGivenPoses:
    """With what photographs say of the rotations, whatever poses they are given."""

    @pytest.fixture
    def given(self, monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
        """The poses that were to be refined, in each round."""
        given: list[np.ndarray] = []

        def refine(camera: object, photographs: object, poses: np.ndarray, *_: object, **__: object) -> RefinedPoses:
            given.append(poses)
            return adjusted(photographed(self.late))

        monkeypatch.setattr(refined_start, "refine_poses", refine)
        monkeypatch.setattr(
            refined_start,
            "read_photographs",
            lambda _, photographs, keyframes: (photographs, [BARE] * len(photographs)),
        )
        return given

    def started(self, late: float, ends: int = 300, **options: object) -> refined_start.RefinedStart:
        self.late = late
        trajectory = Trajectory(recorded().times[:ends], recorded().poses[:ends])
        entries = tuple(FrameEntry(k, time, time, Path("a.png"), None) for k, time in enumerate(TIMES))
        poses = {entry.index: trajectory.at(entry.time) for entry in entries}
        sequence = SimpleNamespace(camera=None, trajectory=trajectory)
        return refined_start.refine_start(
            sequence, entries, entries, poses, Ground(0.0, 1.0, 3), np.eye(4), SequenceOptions(**options)
        )

    def test_they_are_looked_up_again_by_the_right_clock(self, given: list[np.ndarray]) -> None:
        start = self.started(0.02)
        offset, sigma = start.description["time_offset"], start.description["time_offset_sigma"]
        assert abs(offset - 0.02) < 4 * sigma
        first, again, second, once_more = given
        assert first is again
        assert second is once_more
        np.testing.assert_allclose(first[3], recorded().at(TIMES[3]))
        np.testing.assert_allclose(second[3], recorded().at(TIMES[3] + offset))

    def test_those_beyond_the_end_by_that_clock_keep_their_poses_and_it_is_said(self, given: list[np.ndarray]) -> None:
        start = self.started(0.02, ends=252)  # the last photograph is 10 ms before the last pose
        assert (
            "beyond the trajectory, which keep the poses of their own times: 1" in start.description["time_offset_from"]
        )
        np.testing.assert_allclose(given[2][-1], recorded().at(TIMES[-1]))

    def test_a_clock_that_is_right_costs_nothing(self, given: list[np.ndarray]) -> None:
        start = self.started(0.0)
        assert len(given) == 2
        assert given[0] is given[1]
        assert "time_offset" not in start.description
        assert "kept at 0: how the photographs turn asks for" in start.description["time_offset_from"]

    def test_an_offset_that_is_given_stays(self, given: list[np.ndarray]) -> None:
        start = self.started(0.02, time_offset=0.0)
        assert len(given) == 2
        assert given[0] is given[1]
        assert "time_offset_from" not in start.description
