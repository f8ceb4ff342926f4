"""A real recording (TUM RGB-D): the camera followed from nothing but photographs, and with its depths, at half size."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from glrender.frontend.bootstrap import KnownScale
from glrender.frontend.tracker import Tracker
from glrender.geometry.camera import Camera
from glrender.io.sequence import Sequence
from glrender.io.sequence_folder import open_sequence
from glrender.io.trajectory import Trajectory
from glrender.pipeline.following import Follower
from glrender.pipeline.ground import LEVEL
from glrender.pipeline.keyframes import choose_keyframes
from glrender.pipeline.refined_track import refine_track
from glrender.pipeline.trajectory_error import evaluate_trajectory

FOLDER = Path(__file__).parents[1] / ".." / "shared" / "data" / "fr1_floor"
HEIGHT = 0.65
"""Metres of the camera above the floor at first."""
LAG = -0.02
"""Seconds by which the trajectory's clock is off."""
STEP = 3

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no recording in {FOLDER}")


def half(camera: Camera) -> Camera:
    return camera.every_nth_pixel(2)


def error(found: Trajectory, sequence: Sequence, scale: bool = False) -> tuple[float, float]:
    """(millimetres, ratio): absolute trajectory error after the best rigid motion, or similarity, and the scale that
    would make it least."""
    assert sequence.trajectory is not None
    late = Trajectory(found.times + LAG, found.poses)
    judged, _ = evaluate_trajectory(late, sequence.trajectory, scale=scale)
    return judged.trajectory_rmse_mm, judged.trajectory_scale


def test_from_photographs_alone() -> None:
    """Followed, within 6 mm of its form and 7 % of its scale. Once all is refined and the ground's level known, within
    2 cm over 1.1 m, and 3 % of the scale, which comes from the height of the camera."""
    sequence = open_sequence(FOLDER, only="rgb").binned(2)
    assert sequence.trajectory is not None
    frames = sequence.frames[::STEP]
    follower = Follower(sequence.camera, KnownScale(camera_height=HEIGHT))
    followed = [each for entry in frames for each in follower.add(entry, sequence.read(entry).image)]
    assert [each.tracked.state for each in followed] == ["started"] + ["tracking"] * (len(frames) - 1)
    times, poses = zip(*follower.trajectory(), strict=True)
    tracked = Trajectory(np.array(times), np.stack(poses))
    assert error(tracked, sequence, scale=True)[0] < 6
    # Its shutter raises the floor near the camera, and is undone only once all is refined.
    assert abs(error(tracked, sequence)[1] - 1) < 0.07
    by_index = {entry.index: pose for entry, pose in zip(frames, poses, strict=True)}
    keyframes = choose_keyframes(frames, by_index, np.eye(4), LEVEL)
    assert follower.start is not None
    refined = refine_track(sequence, frames, keyframes, by_index, follower.start, follower.started_by)
    millimetres, scale = error(refined.trajectory, sequence)
    assert millimetres < 20
    assert abs(scale - 1) < 0.03


def test_with_depths(tmp_path: Path) -> None:
    """Within 1 cm. The depths are taken for those of the photographs' own camera, whose intrinsics are calibrated."""
    for each in FOLDER.iterdir():
        if each.name != "camera.yaml":
            (tmp_path / each.name).symlink_to(each.resolve())
    lines = (FOLDER / "camera.yaml").read_text(encoding="utf-8").splitlines(keepends=True)
    own = "".join(line for line in lines if not line.startswith("depth:"))
    (tmp_path / "camera.yaml").write_text(own, encoding="utf-8")
    sequence = open_sequence(tmp_path)
    tracker = Tracker(half(sequence.camera))
    assert sequence.trajectory is not None
    for number, entry in enumerate(sequence.frames[::STEP]):
        frame = sequence.read(entry)
        assert frame.depth is not None
        image, depth = cv2.pyrDown(frame.image), np.ascontiguousarray(frame.depth[::2, ::2])
        if number == 0:
            tracker.start(frame.time, image, sequence.trajectory.at(frame.time + LAG), depth)
        else:
            assert tracker.track(frame.time, image, depth).state == "tracking"
    times, poses = zip(*tracker.trajectory(), strict=True)
    millimetres, scale = error(Trajectory(np.array(times), np.stack(poses)), sequence)
    assert millimetres < 10
    assert abs(scale - 1) < 0.02
