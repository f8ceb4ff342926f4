"""A real recording (TUM RGB-D): the camera followed from nothing but photographs, and with its depths, at half size."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from glrender.frontend.bootstrap import Bootstrap, KnownScale
from glrender.frontend.tracker import Tracker
from glrender.geometry.camera import Camera
from glrender.gl.context import Context
from glrender.io.sequence import Sequence
from glrender.io.sequence_folder import open_sequence
from glrender.io.trajectory import Trajectory
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


def error(tracker: Tracker, sequence: Sequence) -> tuple[float, float]:
    """(millimetres, ratio): absolute trajectory error after the best rigid motion, and the scale that would make it
    least."""
    assert sequence.trajectory is not None
    times, poses = zip(*tracker.trajectory(), strict=True)
    found, _ = evaluate_trajectory(Trajectory(np.array(times) + LAG, np.stack(poses)), sequence.trajectory)
    return found.trajectory_rmse_mm, found.trajectory_scale


def test_from_photographs_alone(context: Context) -> None:
    """Within 2 cm over 1.1 m, and 3 % of the scale, which comes from the height of the camera."""
    sequence = open_sequence(FOLDER, only="rgb")
    camera = half(sequence.camera)
    frames = sequence.frames[::STEP]
    images = [cv2.pyrDown(sequence.read(each).image) for each in frames]
    bootstrap = Bootstrap(camera, KnownScale(camera_height=HEIGHT))
    start = next(filter(None, (bootstrap.add(image).start for image in images)))
    tracker = Tracker(context, camera)
    tracker.use_map(start.surface)
    first = start.frames[0]
    tracker.start(frames[first].time, images[first], start.poses[0])
    for frame, image in list(zip(frames, images, strict=True))[first + 1 :]:
        assert tracker.track(frame.time, image).state == "tracking"
    millimetres, scale = error(tracker, sequence)
    tracker.release()
    assert millimetres < 20
    assert abs(scale - 1) < 0.03


def test_with_depths(context: Context, tmp_path: Path) -> None:
    """Within 1 cm. The depths are taken for those of the photographs' own camera, whose intrinsics are calibrated."""
    for each in FOLDER.iterdir():
        if each.name != "camera.yaml":
            (tmp_path / each.name).symlink_to(each.resolve())
    lines = (FOLDER / "camera.yaml").read_text(encoding="utf-8").splitlines(keepends=True)
    own = "".join(line for line in lines if not line.startswith("depth:"))
    (tmp_path / "camera.yaml").write_text(own, encoding="utf-8")
    sequence = open_sequence(tmp_path)
    tracker = Tracker(context, half(sequence.camera))
    assert sequence.trajectory is not None
    for number, entry in enumerate(sequence.frames[::STEP]):
        frame = sequence.read(entry)
        assert frame.depth is not None
        image, depth = cv2.pyrDown(frame.image), np.ascontiguousarray(frame.depth[::2, ::2])
        if number == 0:
            tracker.start(frame.time, image, sequence.trajectory.at(frame.time + LAG), depth)
        else:
            assert tracker.track(frame.time, image, depth).state == "tracking"
    millimetres, scale = error(tracker, sequence)
    tracker.release()
    assert millimetres < 10
    assert abs(scale - 1) < 0.02
