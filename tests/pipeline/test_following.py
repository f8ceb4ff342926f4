"""A simulated rover over ground whose relief is a seventh of its camera's height, followed by photographs alone."""

import numpy as np
import pytest

from glrender.cli.main import main
from glrender.frontend.bootstrap import BootstrapOptions
from glrender.gl.context import Context
from glrender.io.sequence import Sequence, open_sequence
from glrender.io.trajectory import Trajectory, read_trajectory
from glrender.pipeline.following import Follower
from glrender.pipeline.trajectory_error import evaluate_trajectory

DRIVE = ("--path", "rover", "--size", "4", "4", "--relief", "0.12", "--altitude", "0.8", "--frames", "100")
HEIGHT = 0.87
"""Metres of the first camera above the ground."""
PART = 30


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Sequence:
    folder = tmp_path_factory.mktemp("following") / "drive"
    assert main(["simulate", str(folder), *DRIVE, "--width", "160", "--height", "120"]) == 0
    return open_sequence(folder, only="rgb")


def test_a_drive_over_rough_ground_is_followed(context: Context, drive: Sequence) -> None:
    """Every frame is found, within 1 % of the way and 5 % of the scale, which comes from the height of the camera."""
    follower = Follower(context, drive.camera, BootstrapOptions(camera_height=HEIGHT))
    states = []
    for entry in drive.frames[:PART]:
        image = drive.read(entry).image
        assert image is not None
        states += [each.tracked.state for each in follower.add(entry, image)]
    times, poses = zip(*follower.trajectory(), strict=True)
    follower.release()
    assert states == ["started"] + ["tracking"] * (PART - 1)
    truth = read_trajectory(drive.folder / "truth_trajectory.txt")
    found, _ = evaluate_trajectory(Trajectory(np.array(times), np.stack(poses)), truth, scale=True)
    assert found.trajectory_rmse_mm < 10 * found.trajectory_length_m
    assert abs(found.trajectory_scale - 1) < 0.05
