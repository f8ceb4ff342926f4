"""Depths in another unit than camera.yaml says do not fit the way that the camera has come."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from flights import DEPTH_SCALE
from motions import ROUGH, Motion, bobbing, record, still, straight

from glrender.cli.fuse_warnings import warnings_of
from glrender.errors import InputError
from glrender.gl.context import Context
from glrender.io.sequence import FrameEntry, Sequence
from glrender.io.trajectory import Trajectory
from glrender.pipeline.depth_points import DepthPoints
from glrender.pipeline.depth_scale import likelier_depth_scale
from glrender.pipeline.fuse import SequenceOptions, fuse_sequence


def likelier(sequence: Sequence, given: float) -> float | None:
    told = sequence.with_camera(sequence.camera, given)
    return likelier_depth_scale(DepthPoints.of(told, told.frames), np.eye(4), 0.0)


@pytest.mark.parametrize("motion", [bobbing, straight])
def test_the_right_one_is_told(context: Context, tmp_path: Path, motion: Motion) -> None:
    sequence = record(context, tmp_path, motion, ROUGH, 0.0)
    for wrong in (1.0, 1000.0, 5000.0, 5e4, 1e7):
        assert likelier(sequence, wrong) == DEPTH_SCALE
    assert likelier(sequence, DEPTH_SCALE) is None
    assert likelier(sequence, 1.05 * DEPTH_SCALE) is None, "a scale that is a little off is for --calibrate-depth-scale"


def test_a_camera_at_rest_tells_none(context: Context, tmp_path: Path) -> None:
    assert likelier(record(context, tmp_path, still, ROUGH, 0.0), 1000.0) is None


def test_poses_of_something_else_tell_none(context: Context, tmp_path: Path) -> None:
    sequence = record(context, tmp_path, bobbing, ROUGH, 0.0)
    assert sequence.trajectory is not None
    times, poses = sequence.trajectory.times, sequence.trajectory.poses
    mixed = Trajectory(times, poses[np.random.default_rng(0).permutation(len(poses))])
    assert likelier(replace(sequence, trajectory=mixed), 5000.0) is None


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
        "the depths fit the poses far better by 10000 counts a metre than by 5000: check depth_scale in camera.yaml"
    )
    elsewhere = replace(options, bounds=(5, 6, 5, 6))
    with pytest.raises(
        InputError, match="sees the map.*and depth_scale: depths fit the poses by 10000 counts a metre$"
    ):
        fuse_sequence(context, wrong, elsewhere)
    with pytest.raises(InputError, match="sees the map.*or leave them to be found$"):
        fuse_sequence(context, sequence, elsewhere)
