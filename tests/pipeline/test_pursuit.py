"""Whoever takes the steps of a pursuit knows what whoever makes them does."""

from pathlib import Path

import numpy as np
import pytest

from glrender.cli.main import main
from glrender.errors import InputError
from glrender.frontend.bootstrap import KnownScale
from glrender.io.sequence import Sequence
from glrender.io.sequence_folder import open_sequence
from glrender.pipeline import pursuit
from glrender.pipeline.following import Follower
from glrender.pipeline.fuse import MotionOptions, SequenceOptions
from glrender.pipeline.pursuit import Pursuit, Step, pursue

SIZE = ("--size", "3", "3", "--width", "160", "--height", "120")
DRIVE = (*SIZE, "--path", "rover", "--relief", "0.1", "--frames", "60")
OPTIONS = SequenceOptions(use="color", motion=MotionOptions(KnownScale(camera_height=0.8)))


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Sequence:
    folder = tmp_path_factory.mktemp("pursuit") / "drive"
    assert main(["simulate", str(folder), *DRIVE]) == 0
    return open_sequence(folder, only="rgb")


@pytest.fixture
def followers(monkeypatch: pytest.MonkeyPatch) -> list[Follower]:
    """Those that are made, each as it is made."""
    made: list[Follower] = []

    class Known(Follower):
        def __init__(self, *arguments: object, **options: object) -> None:
            super().__init__(*arguments, **options)
            made.append(self)

    monkeypatch.setattr(pursuit, "Follower", Known)
    return made


@pytest.mark.parametrize("most", [60, 25])
def test_each_pose_is_that_of_the_follower_after_each_step(
    drive: Sequence, followers: list[Follower], most: int
) -> None:
    """Before the start, while the world is not settled, after it, and at the end, or wherever it is left."""
    taken, moved = Pursuit(drive.folder), 0

    def give(step: Step) -> bool:
        nonlocal moved
        taken.take(step)
        (follower,) = followers
        assert taken.settled == follower.settled
        expected = follower.keyframe_poses() if follower.start else {}
        assert list(taken.keyframe_poses) == list(expected)
        for time, pose in taken.keyframe_poses.items():
            np.testing.assert_allclose(pose, expected[time], atol=1e-12)
        moved += sum(bool(each.moved) for each in step.followed)
        return taken.done < most

    taken.move(pursue(give, drive, OPTIONS, drive.frames))
    (follower,) = followers
    assert taken.done == len(taken.report.found) == most
    assert taken.settled
    assert moved > 5
    times, poses = zip(*follower.trajectory(), strict=True)
    assert [entry.time for entry in taken.report.found] == list(times)
    np.testing.assert_allclose(list(taken.poses.values()), poses, atol=1e-12)
    assert taken.started() is follower.start
    assert taken.started_by == follower.started_by


def test_what_a_start_is_waited_for_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="do not tell where the camera is"):
        Pursuit(tmp_path).started()
