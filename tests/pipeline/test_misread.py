"""Depths in another unit, or poses written in another way, do not fit the way that the camera has come."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from flights import DEPTH_SCALE
from motions import ROUGH, Motion, bobbing, circling, record, still, straight
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from glrender.cli.fuse_warnings import warnings_of
from glrender.errors import InputError
from glrender.gl.context import Context
from glrender.io.sequence import FrameEntry, Sequence
from glrender.io.sequence_folder import open_sequence
from glrender.io.trajectory import Trajectory
from glrender.pipeline.depth_points import DepthPoints
from glrender.pipeline.fuse import SequenceOptions, fuse_sequence
from glrender.pipeline.misread import likelier_depth_scale, likelier_reading
from glrender.pipeline.placement import frame_of


def likelier(sequence: Sequence, given: float) -> float | None:
    told = sequence.with_camera(sequence.camera, given)
    return likelier_depth_scale(DepthPoints.of(told, told.frames), np.eye(4), 0.0)


def real() -> Sequence:
    folder = Path(__file__).parents[3] / "shared/data/fr1_floor"
    if not folder.is_dir():
        pytest.skip(f"the real sequence is not at {folder}")
    return open_sequence(folder)


@pytest.mark.parametrize("motion", [bobbing, straight])
def test_the_right_one_is_told(context: Context, tmp_path: Path, motion: Motion) -> None:
    sequence = record(context, tmp_path, motion, ROUGH, 0.0)
    for wrong in (1.0, 1000.0, 5000.0, 5e4, 1e7):
        assert likelier(sequence, wrong) == DEPTH_SCALE
    assert likelier(sequence, DEPTH_SCALE) is None
    assert likelier(sequence, 1.05 * DEPTH_SCALE) is None, "a scale that is a little off is for --calibrate-depth-scale"


def test_few_frames_that_see_little_together_tell_no_other_one() -> None:
    """Farther away, all of them would see the same places."""
    sequence = real()
    points = DepthPoints.of(sequence, sequence.select("::10"))
    assert likelier_depth_scale(points, np.eye(4), -0.019) is None
    assert likelier_reading(points, np.eye(4), -0.019) is None


def test_a_camera_at_rest_tells_none(context: Context, tmp_path: Path) -> None:
    assert likelier(record(context, tmp_path, still, ROUGH, 0.0), 1000.0) is None


def test_poses_of_something_else_tell_none(context: Context, tmp_path: Path) -> None:
    sequence = record(context, tmp_path, bobbing, ROUGH, 0.0)
    assert sequence.trajectory is not None
    times, poses = sequence.trajectory.times, sequence.trajectory.poses
    mixed = Trajectory(times, poses[np.random.default_rng(0).permutation(len(poses))])
    assert likelier(replace(sequence, trajectory=mixed), 5000.0) is None


def wrong(words: str, poses: NDArray[np.float64]) -> NDArray[np.float64]:
    """T_world_camera (n, 4, 4) as files have them that are `words`."""
    if "world to camera" in words:
        return np.linalg.inv(poses)
    if "y points up" in words:
        return poses @ np.diag([1.0, -1, -1, 1])
    if "x points ahead" in words:  # the camera's x, y, z are right, down, ahead; the body's ahead, left, up
        return poses @ np.array([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
    columns = Rotation.from_matrix(poses[:, :3, :3]).as_quat()[:, [3, 0, 1, 2]]
    read = np.array(poses)
    read[:, :3, :3] = Rotation.from_quat(columns).as_matrix()
    return read


@pytest.mark.parametrize(
    "words", ["world to camera", "the order w x y z", "y points up and z backwards", "x points ahead and z up"]
)
def test_what_the_poses_are_is_told(context: Context, tmp_path: Path, words: str) -> None:
    sequence = record(context, tmp_path, circling, ROUGH, 0.0)
    given = sequence.given_trajectory()
    away = np.eye(4)  # a camera near the origin is much the same both ways
    away[:3, 3] = 1.0, -2.0, 0.5
    trajectories = (Trajectory(given.times, read) for read in (away @ given.poses, wrong(words, away @ given.poses)))
    right, misread = (DepthPoints.of(replace(sequence, trajectory=each), sequence.frames) for each in trajectories)
    assert likelier_reading(right, frame_of(right, 0.0), 0.0) is None
    told = likelier_reading(misread, frame_of(misread, 0.0), 0.3)
    assert told is not None
    assert words in told
    late = replace(misread, times=[time - 5 for time in misread.times])
    assert likelier_reading(late, frame_of(late, 5.0), 5.0, clock=5.0) == told
    assert likelier_reading(late, frame_of(late, 5.0), 5.0) is None, "no frame has a pose without its clock"


def test_distances_along_the_ray_are_told_from_depths(context: Context, tmp_path: Path) -> None:
    """As simulators and some sensors give them: level ground becomes a bowl in each frame."""
    sequence = record(context, tmp_path, circling, ROUGH, 0.0)
    points = DepthPoints.of(sequence, sequence.frames)
    away = [each * (np.linalg.norm(each, axis=1) / each[:, 2])[:, None] for each in points.points]
    assert likelier_reading(points, np.eye(4), 0.0) is None
    told = likelier_reading(replace(points, points=away), np.eye(4), 0.0)
    assert told is not None
    assert told.startswith("the depths are taken for distances from the camera")


@pytest.mark.parametrize(
    "wrong_camera",
    [
        {"fx": 600.0, "fy": 600.0},  # longer than it is
        {"cx": 239.5, "cy": 319.5},  # in the order of rows and columns
        {"fx": 262.5, "fy": 262.5, "cx": 159.5, "cy": 119.5},  # of images half as wide
    ],
)
def test_a_wrong_camera_is_neither_another_unit_nor_other_poses(wrong_camera: dict[str, float]) -> None:
    """Frames agree better by what is farther away, where a wrong camera shows less, and by some other poses."""
    sequence = real()
    wrong = sequence.with_camera(replace(sequence.camera, **wrong_camera))
    points = DepthPoints.of(wrong, sequence.select("::4"))
    frame = frame_of(points, -0.019)
    assert likelier_depth_scale(points, frame, -0.019) is None
    assert likelier_reading(points, frame, -0.019, clock=-0.019) is None


def test_poses_of_something_else_are_nothing_else(context: Context, tmp_path: Path) -> None:
    sequence = record(context, tmp_path, bobbing, ROUGH, 0.0)
    given = sequence.given_trajectory()
    mixed = Trajectory(given.times, given.poses[np.random.default_rng(0).permutation(len(given.poses))])
    points = DepthPoints.of(replace(sequence, trajectory=mixed), sequence.frames)
    assert likelier_reading(points, np.eye(4), 0.0) is None


def test_whoever_fuses_by_such_poses_is_told(context: Context, tmp_path: Path) -> None:
    """Cameras whose axes are OpenGL's look up from below: a map comes out that little else speaks against."""
    sequence = record(context, tmp_path, circling, ROUGH, 0.0)
    given = sequence.given_trajectory()
    misread = replace(sequence, trajectory=Trajectory(given.times, wrong("y points up", given.poses)))
    (warning,) = warnings_of(fuse_sequence(context, misread, SequenceOptions(spacing=0.04)).report)
    assert warning == (
        "the map is wrong: frames agree far better where the poses are taken for those of a camera whose y points "
        "up and z backwards: turn them by convert with a --T-base-camera of the rows 1 0 0 0, 0 -1 0 0, 0 0 -1 0, "
        "0 0 0 1"
    )


def test_poses_are_told_where_another_unit_would_agree_better_too(context: Context) -> None:
    sequence = real()
    given = sequence.given_trajectory()
    misread = replace(sequence, trajectory=Trajectory(given.times, np.linalg.inv(given.poses)))
    report = fuse_sequence(context, misread, SequenceOptions(spacing=0.04, frames="30:60:1")).report
    assert "world to camera" in report["likelier_reading"]
    assert report["likelier_depth_scale"] is None


def test_depths_that_their_noise_hides_are_refused(context: Context, tmp_path: Path) -> None:
    """A map that is seeded by them lies at the first camera."""
    sequence = record(context, tmp_path, bobbing, ROUGH, 0.0)
    tiny = sequence.with_camera(sequence.camera, 1000 * DEPTH_SCALE)
    given = SequenceOptions(spacing=0.04, bounds=(-1, 1, -1, 1), T_world_map=np.eye(4), time_offset=0.0)
    with pytest.raises(
        InputError, match=r"measured [0-9.]+ m, in the median, less than 3 times their noise of 0\.0005 m"
    ):
        fuse_sequence(context, tiny, given)


def test_frames_are_read_once_for_it(context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sequence = record(context, tmp_path, bobbing, ROUGH, 0.0)
    read: list[int] = []

    def of(sequence: Sequence, entries: tuple[FrameEntry, ...]) -> DepthPoints:
        read.append(len(entries))
        return points_of(sequence, entries)

    points_of = DepthPoints.of
    monkeypatch.setattr(DepthPoints, "of", of)
    fuse_sequence(context, sequence, SequenceOptions(spacing=0.04))
    assert read == [len(sequence.frames)]


def test_whoever_fuses_them_is_told(context: Context, tmp_path: Path) -> None:
    sequence = record(context, tmp_path, bobbing, ROUGH, 0.0)
    options = SequenceOptions(spacing=0.04)
    assert not list(warnings_of(fuse_sequence(context, sequence, options).report))
    wrong = sequence.with_camera(sequence.camera, 5000.0)
    (warning,) = warnings_of(fuse_sequence(context, wrong, options).report)
    assert warning == (
        "the depths fit the poses far better by 10000 counts a metre than by 5000: check depth_scale in camera.yaml, "
        "and that the trajectory is in metres"
    )
    elsewhere = replace(options, bounds=(5, 6, 5, 6))
    with pytest.raises(
        InputError, match="sees the map.*and depth_scale: depths fit the poses by 10000 counts a metre$"
    ):
        fuse_sequence(context, wrong, elsewhere)
    with pytest.raises(InputError, match="sees the map.*or leave them to be found$"):
        fuse_sequence(context, sequence, elsewhere)
