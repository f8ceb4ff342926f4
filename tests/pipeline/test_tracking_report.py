"""What is told of frames that were followed."""

from pathlib import Path

import numpy as np

from glrender.frontend.tracker import TrackedFrame, TrackingState
from glrender.io.sequence import FrameEntry, Skipped
from glrender.pipeline.tracking_report import TrackingReport


def entry(index: int) -> FrameEntry:
    return FrameEntry(index, index / 10, index / 10, Path(f"/there/rgb/{index}.png"), None)


def report_of(*states: TrackingState) -> TrackingReport:
    report = TrackingReport()
    for index, state in enumerate(states):
        pose = None if state in ("lost", "rejected") else np.eye(4)
        report.add(entry(index), TrackedFrame(index / 10, state, pose, None, False, False, "for a reason", None))
    return report


def test_frames_are_found_or_left_out() -> None:
    report = report_of("started", "rejected", "tracking")
    report.skip(entry(3), "truncated")
    assert [each.index for each in report.found] == list(report.poses) == [0, 2]
    assert report.skipped == [
        Skipped(1, "rgb/1.png", "rejected: for a reason"),
        Skipped(3, "rgb/3.png", "truncated"),
    ]


def test_frames_after_the_last_that_was_found_are_lost_for_good() -> None:
    told = report_of("started", "lost", "relocalised", "tracking", "lost", "rejected", "lost").describe()
    assert told["states"] == {"started": 1, "tracking": 1, "relocalised": 1, "lost": 3, "rejected": 1}
    assert told["lost_at_end"] == 2
    assert told["last_found"] == "rgb/3.png"


def test_a_black_end_is_no_loss() -> None:
    assert report_of("started", "lost", "tracking", "rejected").describe()["lost_at_end"] == 0
