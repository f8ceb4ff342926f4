"""A simulated rover over ground whose relief is a seventh of its camera's height, followed by photographs alone."""

from collections import Counter
from dataclasses import replace
from threading import Event
from typing import Any

import numpy as np
import pytest

from glrender.cli.main import main
from glrender.frontend.bootstrap import KnownScale
from glrender.frontend.point_window import SIZE, PointWindow
from glrender.geometry import se3
from glrender.io.sequence import Sequence
from glrender.io.sequence_folder import open_sequence
from glrender.io.trajectory import Trajectory, read_trajectory
from glrender.pipeline import following
from glrender.pipeline.following import Followed, Follower
from glrender.pipeline.trajectory_error import evaluate_trajectory

DRIVE = ("--path", "rover", "--size", "4", "4", "--relief", "0.12", "--altitude", "0.8", "--frames", "100")
HEIGHT = 0.87
"""Metres of the first camera above the ground."""
PART = 40


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Sequence:
    folder = tmp_path_factory.mktemp("following") / "drive"
    assert main(["simulate", str(folder), *DRIVE, "--width", "160", "--height", "120"]) == 0
    return open_sequence(folder, only="rgb")


def test_a_drive_over_rough_ground_is_followed(drive: Sequence) -> None:
    """Every frame is found, within 1 % of the way and 5 % of the scale, which comes from the height of the camera."""
    follower = Follower(drive.camera, KnownScale(camera_height=HEIGHT))
    found = []
    for entry in drive.frames[:PART]:
        image = drive.read(entry).image
        assert image is not None
        found += follower.add(entry, image)
    states = [each.tracked.state for each in found]
    keyframes = [each.entry.time for each in found if each.tracked.keyframe]
    assert len(keyframes) > SIZE
    assert list(follower.keyframe_poses()) == keyframes
    assert follower.settled
    times, poses = zip(*follower.trajectory(), strict=True)
    assert states == ["started"] + ["tracking"] * (PART - 1)
    truth = read_trajectory(drive.folder / "truth_trajectory.txt")
    judged, _ = evaluate_trajectory(Trajectory(np.array(times), np.stack(poses)), truth, scale=True)
    assert judged.trajectory_rmse_mm < 10 * judged.trajectory_length_m
    assert abs(judged.trajectory_scale - 1) < 0.05


def test_a_keyframe_that_cannot_wait_goes_with_the_one_before_it(
    drive: Sequence, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two that come while one is adjusted, the first is left out, and the second waits."""
    may_end, add = Event(), PointWindow.add
    may_end.set()

    def held(self: PointWindow, *arguments: Any) -> dict[float, np.ndarray]:
        assert may_end.wait(60)
        return add(self, *arguments)

    monkeypatch.setattr(PointWindow, "add", held)
    follower = Follower(drive.camera, KnownScale(camera_height=HEIGHT), patient=False)
    keyframes: list[Followed] = []  # once the world is settled: one that is adjusted, and those that come meanwhile
    poses: list[dict[float, np.ndarray]] = []
    for entry in drive.frames[:PART]:
        if follower.settled and not keyframes:
            follower.collect()
            may_end.clear()
        image = drive.read(entry).image
        assert image is not None
        if len(keyframes) == 2:
            may_end.set()
        found = [each for each in follower.add(entry, image) if each.tracked.keyframe]
        if not may_end.is_set() or keyframes:
            keyframes += found
            poses += [follower.keyframe_poses()] * len(found)
        if len(keyframes) == 3:
            break
    assert [each.image is not None for each in keyframes] == [True, False, True]
    held_back, left_out, _ = (each.entry.time for each in keyframes)
    before, after = (se3.inverse(each[held_back]) @ each[left_out] for each in poses[1:])
    np.testing.assert_allclose(after, before, atol=1e-9)
    assert np.abs(poses[2][held_back] - poses[1][held_back]).max() > 1e-5
    follower.collect()


def test_an_adjustment_that_fails_is_told_once(drive: Sequence, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no more memory")

    monkeypatch.setattr(PointWindow, "add", fail)
    follower = Follower(drive.camera, KnownScale(camera_height=HEIGHT))
    with pytest.raises(RuntimeError, match="no more memory"):
        for entry in drive.frames[:PART]:
            follower.add(entry, drive.read(entry).image)
    follower.collect()


def photographs(drive: Sequence, count: int) -> list[np.ndarray]:
    images = [drive.read(entry).image for entry in drive.frames[:count]]
    return [image for image in images if image is not None]


def followed(drive: Sequence, images: list[np.ndarray]) -> tuple[list[Followed], Follower]:
    """What becomes of photographs that are taken a tenth of a second apart."""
    follower = Follower(drive.camera, KnownScale(camera_height=HEIGHT))
    entries = [replace(drive.frames[0], index=k, time=k / 10) for k in range(len(images))]
    return [each for add in zip(entries, images, strict=True) for each in follower.add(*add)], follower


def test_photographs_that_a_start_is_not_made_of_are_told(drive: Sequence) -> None:
    """The camera shows something else first: no frame may vanish without a word."""
    images = photographs(drive, 12)
    elsewhere = [np.ascontiguousarray(image[:, ::-1]) for image in images[:2]]
    found, _ = followed(drive, [*elsewhere, np.zeros_like(images[0]), *images])
    assert [each.entry.index for each in found] == list(range(15))
    assert [each.tracked.state for each in found] == ["rejected"] * 3 + ["started"] + ["tracking"] * 11
    assert all("before the start: begun anew" in each.tracked.reason for each in found[:3])


def test_a_camera_that_stands_for_long_keeps_no_more_than_it_needs(
    drive: Sequence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "MOST_WAITING", 8)
    images = photographs(drive, 12)
    found, follower = followed(drive, [images[0]] * 40 + images[1:])
    trajectory = follower.trajectory()
    assert sorted(each.entry.index for each in found) == list(range(51))
    states = Counter(each.tracked.state for each in found)
    assert states["started"] == 1
    assert states["rejected"] > 30
    assert states["rejected"] + states["tracking"] == 50
    assert all("too many" in each.tracked.reason for each in found if each.tracked.state == "rejected")
    standing = [pose for time, pose in trajectory if time < 3.95]
    assert standing
    assert all(np.linalg.norm(pose[:3, 3] - standing[0][:3, 3]) < 0.002 for pose in standing)
    assert trajectory[-1][0] == pytest.approx(5.0)
