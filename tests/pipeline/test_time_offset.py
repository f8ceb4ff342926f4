"""A trajectory whose clock is off: found where the motion tells, kept at 0 where it does not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from motions import CAMERA, LEVEL, ROUGH, Motion, bobbing, record, still, straight, swinging

from glrender.errors import InputError
from glrender.geometry import se3
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.io.images import write_depth
from glrender.io.sequence import Sequence
from glrender.pipeline.depth_points import DepthPoints
from glrender.pipeline.time_offset import TimeOffset, estimate_time_offset


def estimate(sequence: Sequence) -> TimeOffset:
    return estimate_time_offset(DepthPoints.of(sequence, sequence.frames), np.eye(4))


@pytest.mark.parametrize("lag", [0.03, -0.061, 0.17])
def test_it_is_found(context: Context, tmp_path: Path, lag: float) -> None:
    found = estimate(record(context, tmp_path, bobbing, ROUGH, lag))
    assert found.seconds == pytest.approx(lag, abs=0.002)
    assert found.seconds == found.estimate
    assert found.spread < 0.6 * found.spread_at_zero
    assert found.reason == f"the depth points agree best, within {1e3 * found.spread:.2f} mm"


def test_up_and_down_over_level_ground(context: Context, tmp_path: Path) -> None:
    assert estimate(record(context, tmp_path, bobbing, LEVEL, 0.03)).seconds == pytest.approx(0.03, abs=0.002)


def test_in_the_frame_of_a_tilted_map(context: Context, tmp_path: Path) -> None:
    """The scatter that counts is that across the ground, wherever the world's z points."""
    sequence = record(context, tmp_path, bobbing, ROUGH, 0.03)
    assert sequence.trajectory is not None
    T_world_map = se3.exp([0.3, -2.0, 1.0, 1.5, 0.4, 0.0])
    tilted = replace(sequence, trajectory=replace(sequence.trajectory, poses=T_world_map @ sequence.trajectory.poses))
    assert estimate_time_offset(DepthPoints.of(tilted, tilted.frames), T_world_map).estimate == pytest.approx(
        0.03, abs=0.002
    )


def test_beside_walls(context: Context, tmp_path: Path) -> None:
    """Cells with something upright scatter by its height at any offset, and most points may lie in such cells."""

    def looking_ahead(t: float) -> np.ndarray:
        eye = bobbing(t)[:3, 3] + [0.0, -0.6, 0.1]
        return se3.look_at(eye, eye + np.array([0.1 * np.sin(1.3 * t), 1.0, -0.7]))

    walls = np.zeros(ROUGH.shape)
    walls[3::10] = 0.4
    found = estimate(record(context, tmp_path, looking_ahead, replace(ROUGH, heights=ROUGH.heights + walls), 0.03))
    assert found.seconds == pytest.approx(0.03, abs=0.01)


def test_an_offset_of_nothing_stays_so(context: Context, tmp_path: Path) -> None:
    found = estimate(record(context, tmp_path, bobbing, ROUGH, 0.0))
    assert found.seconds == 0
    assert abs(found.estimate) < 0.002
    assert found.reason.startswith("kept at 0: ")


@pytest.mark.parametrize(
    ("motion", "ground"),
    [(straight, ROUGH), (straight, LEVEL), (still, ROUGH)],
    ids=["steady, which moves all of the map alike", "steady and level", "still"],
)
def test_a_motion_that_does_not_tell(context: Context, tmp_path: Path, motion: Motion, ground: HeightMap) -> None:
    found = estimate(record(context, tmp_path, motion, ground, 0.03))
    assert found.seconds == 0
    assert "% less spread" in found.reason
    assert found.spread > 0.97 * found.spread_at_zero


def test_where_the_search_ends(context: Context, tmp_path: Path) -> None:
    """A clock that is off by most of a second is not taken for one that is off by half of it."""
    found = estimate(record(context, tmp_path, swinging, LEVEL, 0.8, poses=(-1.0, 5.0)))
    assert found.seconds == 0
    assert "agree ever better up to +0.5 s" in found.reason


class TestFewFrames:
    def test_a_trajectory_of_another_time_says_nothing(self, context: Context, tmp_path: Path) -> None:
        found = estimate(record(context, tmp_path, bobbing, ROUGH, 0.0, poses=(2.8, 8.0)))
        assert found.seconds == 0
        assert np.isnan(found.estimate)
        assert found.reason == "kept at 0: too few frames have a pose, or see the same ground, to compare them"

    def test_damaged_ones_are_left_out(self, context: Context, tmp_path: Path) -> None:
        sequence = record(context, tmp_path, bobbing, ROUGH, 0.03)
        for entry in sequence.frames[::3]:
            assert entry.depth_path is not None
            entry.depth_path.write_bytes(entry.depth_path.read_bytes()[:300])
        assert estimate(sequence).seconds == pytest.approx(0.03, abs=0.002)

    def test_a_single_one(self, context: Context, tmp_path: Path) -> None:
        sequence = record(context, tmp_path, bobbing, ROUGH, 0.03)
        found = estimate_time_offset(DepthPoints.of(sequence, sequence.frames[:1]), np.eye(4))
        assert found.seconds == 0
        assert found.reason.startswith("kept at 0: ")


def test_without_what_it_needs(context: Context, tmp_path: Path) -> None:
    sequence = record(context, tmp_path, bobbing, ROUGH, 0.0, frames=3)
    with pytest.raises(InputError, match="no groundtruth.txt; give a trajectory"):
        estimate(replace(sequence, trajectory=None))
    photographs = tuple(replace(entry, depth_path=None) for entry in sequence.frames)
    with pytest.raises(InputError, match="none of 3 frames has a depth image"):
        DepthPoints.of(sequence, photographs)
    for entry in sequence.frames:
        assert entry.depth_path is not None
        write_depth(entry.depth_path, np.zeros(CAMERA.shape, np.uint16))
    with pytest.raises(InputError, match="none of 3 depth images measured anything"):
        estimate(sequence)
