"""A real recording, 90 frames of a Kinect over a floor (TUM RGB-D): every other frame fused, the rest judged."""

from pathlib import Path

import numpy as np
import pytest

from glrender.geometry.terrain_layers import FREE, OBSTACLE, Robot, terrain_layers
from glrender.gl.context import Context
from glrender.io.sequence import Sequence
from glrender.io.sequence_folder import open_sequence
from glrender.pipeline.evaluate import Protocol, evaluate_against_frames
from glrender.pipeline.fuse import SequenceOptions, fuse_sequence
from glrender.pipeline.outputs import FinishedMap

FOLDER = Path(__file__).parents[1] / ".." / "shared" / "data" / "fr1_floor"
REGION = (0.55, 2.05, -0.9, 1.5, -0.05, 0.35)
"""The floor with its cables and the foot of a chair: x0, x1, y0, y1, z0, z1 in world metres."""

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no recording in {FOLDER}")


@pytest.fixture(scope="module")
def sequence() -> Sequence:
    return open_sequence(FOLDER)


@pytest.fixture(scope="module")
def fused(context: Context, sequence: Sequence) -> FinishedMap:
    """The even frames at 10 mm; everything else is found."""
    return fuse_sequence(context, sequence, SequenceOptions(frames="even", use="depth", spacing=0.01))


def test_the_map_lies_on_the_worlds_floor(fused: FinishedMap) -> None:
    np.testing.assert_array_equal(fused.surface.pose, np.eye(4))
    assert abs(np.nanmedian(fused.surface.heights)) < 0.05
    x, y = fused.surface.axes()
    assert x[0] <= REGION[0]
    assert x[-1] >= REGION[1]
    assert y[0] <= REGION[2]
    assert y[-1] >= REGION[3]
    assert fused.report["frames_used"] == 45
    assert fused.report["frames_skipped"] == []
    assert -0.035 < fused.report["time_offset"] < -0.01


def test_a_small_robot_drives_on_the_floor_and_not_over_the_chair_and_the_cables(fused: FinishedMap) -> None:
    """With steps of a centimetre: two castors and the beam between them, the bundle of cables, the bare floor."""
    layers = terrain_layers(fused.surface, Robot(max_step=0.01))
    x, y = layers.surface.axes()

    def shares(x0: float, x1: float, y0: float, y1: float) -> tuple[float, float]:
        """Of free cells and of obstacles, in a part of the floor."""
        part = layers.occupancy[np.ix_((y >= y0) & (y <= y1), (x >= x0) & (x <= x1))]
        return float((part == FREE).mean()), float((part == OBSTACLE).mean())

    castors = shares(1.22, 1.30, 0.46, 0.54), shares(1.60, 1.68, 0.48, 0.56)
    cables = shares(1.95, 2.05, 0.0, 0.3)
    floor = shares(1.05, 1.65, -0.8, 0.2)
    for free, obstacle in (*castors, cables):
        assert free == 0
        assert obstacle > 0.5
    assert floor[0] > 0.95
    assert floor[1] < 0.01


def test_frames_held_out_agree_with_it(context: Context, sequence: Sequence, fused: FinishedMap) -> None:
    """The median of the depth points per cell scores 4.4 mm, 12.2 mm and 99.0 %; one fitted plane 6.0 and 12.7 mm."""
    protocol = Protocol(step=2, depth_range=(0.3, 3.0), region=REGION, time_offset=fused.report["time_offset"])
    judged = evaluate_against_frames(context, fused.surface, sequence, "odd", protocol)
    assert judged.frames == 45
    assert judged.summary.median_abs_mm <= 4.3
    assert judged.summary.rmse_5cm_band_mm <= 12.0
    assert judged.completeness >= 0.98
