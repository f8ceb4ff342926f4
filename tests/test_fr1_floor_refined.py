"""A real recording (TUM RGB-D): depth images by poses that photographs refined, and the shutter that these tell."""

from dataclasses import replace
from pathlib import Path

import pytest

from glrender.gl.context import Context
from glrender.io.sequence import Sequence
from glrender.io.sequence_folder import open_sequence
from glrender.pipeline.evaluate import FrameEvaluation, Protocol, evaluate_against_frames
from glrender.pipeline.fuse import SequenceOptions, fuse_sequence
from glrender.pipeline.outputs import FinishedMap
from glrender.pipeline.refined_depth import fuse_refined_depth

FOLDER = Path(__file__).parents[1] / ".." / "shared" / "data" / "fr1_floor"
OPTIONS = SequenceOptions(frames="0:44:2", use="depth", spacing=0.02)
"""Every other frame of the first half."""

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no recording in {FOLDER}")


@pytest.fixture(scope="module")
def sequence() -> Sequence:
    return open_sequence(FOLDER)


@pytest.fixture(scope="module")
def refined(context: Context, sequence: Sequence) -> FinishedMap:
    return fuse_refined_depth(context, sequence, OPTIONS)


def judged(context: Context, sequence: Sequence, finished: FinishedMap) -> FrameEvaluation:
    """By the frames between, with the poses that the map was made with."""
    protocol = Protocol(step=4, depth_range=(0.3, 3.0), time_offset=finished.report["time_offset"])
    sequence = replace(sequence, trajectory=finished.trajectory or sequence.trajectory)
    return evaluate_against_frames(context, finished.surface, sequence, "1:44:2", protocol)


def test_frames_agree_better_by_refined_poses(context: Context, sequence: Sequence, refined: FinishedMap) -> None:
    given = judged(context, sequence, fuse_sequence(context, sequence, OPTIONS))
    found = judged(context, sequence, refined)
    assert found.frame_offset_rms_mm < 0.5 * given.frame_offset_rms_mm
    assert found.summary.median_abs_mm < 0.75 * given.summary.median_abs_mm


def test_the_shutter_takes_most_of_a_thirtieth_of_a_second(refined: FinishedMap) -> None:
    told = refined.report["pose_refinement"]["shutter_readout"]
    assert 0.022 < told["undone"] < 0.03
    assert told["sigma"] < 0.002
