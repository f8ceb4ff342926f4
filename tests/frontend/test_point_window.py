"""Keyframes of a camera over rough ground, of which nothing is known but that it is roughly level."""

import numpy as np
import pytest
from moving_camera import CAMERA, Recorded, along, drive, record, textured_ground, twist_between

from glrender.frontend import point_window
from glrender.frontend.bundle_adjustment import BundleState
from glrender.frontend.point_window import FIRST, HELD, SIZE, PointWindow
from glrender.geometry import se3
from glrender.gl.context import Context

COUNT = 12
ABOUT = np.array([6e-3, 6e-3, 6e-3, 5e-3, 5e-3, 5e-3])
"""Metres and radians by which poses are off that were tracked over level ground."""


@pytest.fixture(scope="module")
def rough(context: Context) -> Recorded:
    """Its relief is a sixth of the camera's height."""
    return record(context, textured_ground(0.1), along(drive, COUNT, 2.0))


def off_from_the_first(found: dict[float, np.ndarray], poses: np.ndarray) -> np.ndarray:
    """(n, 6): where each camera is off, seen from the first one, whose frame and scale are taken to be right."""
    first, *others = sorted(found)
    scale = np.linalg.norm(poses[int(others[-1])][:3, 3] - poses[int(first)][:3, 3])
    scale /= np.linalg.norm(found[others[-1]][:3, 3] - found[first][:3, 3])
    off = []
    for time in others:
        T = se3.inverse(found[first]) @ found[time]
        T[:3, 3] *= scale
        off.append(twist_between(T, se3.inverse(poses[int(first)]) @ poses[int(time)]))
    return np.stack(off)


def test_keyframes_agree_over_ground_that_is_not_level(rough: Recorded) -> None:
    rng, window = np.random.default_rng(0), PointWindow(CAMERA)
    before = np.eye(4)
    for k, (photograph, pose) in enumerate(zip(rough.photographs, rough.poses, strict=True)):
        about = before @ pose @ se3.exp(ABOUT * rng.normal(size=6) * (k > 0))
        found = window.add(float(k), photograph, about)
        before = se3.exp(se3.log(found[k] @ se3.inverse(pose)))
    assert sorted(found) == list(range(COUNT - SIZE, COUNT))
    off = np.linalg.norm(off_from_the_first(found, rough.poses).reshape(-1, 2, 3), axis=2)
    assert np.median(off[:, 0]) < 1e-3
    assert np.median(off[:, 1]) < 1e-3


def test_the_world_is_as_level_and_as_large_as_the_ground_says(context: Context) -> None:
    """A start that is tilted by 3 degrees and moves too little by a tenth, beside the floor that it was told of."""
    poses = along(drive, FIRST, 1.0)
    level, window = record(context, textured_ground(0.0), poses), PointWindow(CAMERA)
    askew = se3.exp((0, 0, 0, 0.05, 0, 0))
    askew[:3, 3] = poses[0][:3, 3] - askew[:3, :3] @ poses[0][:3, 3]
    for k, photograph in enumerate(level.photographs):
        assert not window.settled
        about = poses[k].copy()
        about[:3, 3] = poses[0][:3, 3] + 0.9 * (poses[k][:3, 3] - poses[0][:3, 3])
        found = window.add(float(k), photograph, askew @ about)
    assert window.settled
    np.testing.assert_allclose(found[0][:3, 3], poses[0][:3, 3], atol=1e-4)
    for k in range(FIRST):
        assert np.arccos(min(found[k][2, :3] @ poses[k][2, :3], 1.0)) < 0.01
        way, true = (np.linalg.norm(each[k][:3, 3] - each[0][:3, 3]) for each in (found, poses))
        assert way == pytest.approx(true, rel=0.01)


def test_points_that_seem_to_be_far_away_level_nothing(rough: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    """Single wrong matches had turned the world by tens of degrees, and halved it."""

    def settled() -> dict[float, np.ndarray]:
        window = PointWindow(CAMERA)
        for k in range(FIRST):
            found = window.add(float(k), rough.photographs[k], rough.poses[k])
        assert window.settled
        return found

    def with_some_wrong(*arguments: object) -> BundleState:
        state = best_state(*arguments)
        for each in state.inverse_depths:
            each[::50] = 1e-3
        return state

    expected, best_state = settled(), point_window.best_state
    monkeypatch.setattr(point_window, "best_state", with_some_wrong)
    for time, pose in settled().items():
        np.testing.assert_allclose(pose, expected[time], atol=2e-3)


def test_the_older_half_stays_where_it_was_found(rough: Recorded) -> None:
    window = PointWindow(CAMERA)
    for k in range(COUNT - 1):
        before = window.add(float(k), rough.photographs[k], rough.poses[k])
    after = window.add(float(COUNT - 1), rough.photographs[-1], rough.poses[-1])
    for time in sorted(after)[: SIZE // 2]:
        moved = np.abs(twist_between(after[time], before[time]))
        assert moved.max() < HELD / 2


def test_a_camera_that_only_turns_is_left_where_it_is(context: Context) -> None:
    poses = np.stack([drive(0.3) @ se3.exp((0, 0, 0, 0.05 * k, 0, 0.08 * k)) for k in range(4)])
    turning, window = record(context, textured_ground(0.06), poses), PointWindow(CAMERA)
    for k, photograph in enumerate(turning.photographs):
        found = window.add(float(k), photograph, poses[k])
    for k, pose in enumerate(poses):
        np.testing.assert_array_equal(found[k], pose)


def test_the_world_becomes_level_once_there_is_a_baseline(context: Context) -> None:
    """Where a camera that turns begins with more keyframes than there are places in the window."""
    turns = (drive(0.0) @ se3.exp((0, 0, 0, 0, 0, 0.08 * k)) for k in range(SIZE + 2))
    poses = np.stack([*turns, *along(drive, 9, 1.5)])
    level, window = record(context, textured_ground(0.0), poses), PointWindow(CAMERA)
    askew = se3.exp((0, 0, 0, 0.05, 0, 0))
    askew[:3, 3] = poses[0][:3, 3] - askew[:3, :3] @ poses[0][:3, 3]
    last = askew @ poses[0]
    for k, photograph in enumerate(level.photographs):
        about = last @ se3.exp(se3.log(se3.inverse(poses[max(k - 1, 0)]) @ poses[k]))
        last = window.add(float(k), photograph, about)[float(k)]
        assert not window.settled or k > SIZE + 2
    assert window.settled
    assert np.arccos(min(last[2, :3] @ poses[-1][2, :3], 1.0)) < 0.01


def test_a_few_points_do_not_level_the_world(rough: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(point_window, "CORNERS", 2)
    window = PointWindow(CAMERA)
    for k in range(FIRST + 1):
        found = window.add(float(k), rough.photographs[k], rough.poses[k])
    assert not window.settled
    np.testing.assert_allclose(found[0], rough.poses[0], atol=0.01)


def test_what_shares_nothing_stays_where_it_is(rough: Recorded) -> None:
    """A photograph without a corner, and one of another place: the others are adjusted as if it were not there."""
    rng, window = np.random.default_rng(3), PointWindow(CAMERA)
    blank = np.full(CAMERA.shape, 0.5, np.float32)
    elsewhere = rng.uniform(size=CAMERA.shape).astype(np.float32)
    shown = [*rough.photographs[:3], blank, elsewhere, *rough.photographs[5:8]]
    for k, photograph in enumerate(shown):
        found = window.add(float(k), photograph, rough.poses[k])
    off = np.linalg.norm(off_from_the_first({k: found[k] for k in (0, 1, 2, 5, 6, 7)}, rough.poses), axis=1)
    assert off.max() < 5e-3
    for k in (3, 4):
        assert np.linalg.norm(twist_between(found[k], rough.poses[k])) < 0.05
