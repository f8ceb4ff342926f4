"""What is told of frames that were followed."""

from pathlib import Path

from glrender.io.sequence import FrameEntry, Skipped
from glrender.pipeline.tracking_report import describe_tracking


def entry(index: int) -> FrameEntry:
    return FrameEntry(index, index / 10, index / 10, Path(f"/there/rgb/{index}.png"), None)


def skipped(index: int, state: str) -> Skipped:
    return Skipped(index, f"rgb/{index}.png", f"{state}: for a reason")


def test_frames_after_the_last_that_was_found_are_lost_for_good() -> None:
    left_out = [skipped(3, "lost"), skipped(6, "lost"), skipped(7, "rejected"), skipped(8, "lost")]
    told = describe_tracking({"tracking": 5, "lost": 3, "rejected": 1}, [entry(k) for k in (0, 1, 2, 4, 5)], left_out)
    assert told["states"] == {"tracking": 5, "lost": 3, "rejected": 1}
    assert told["lost_at_end"] == 2
    assert told["last_found"] == "rgb/5.png"


def test_a_black_end_is_no_loss() -> None:
    told = describe_tracking({"tracking": 2}, [entry(0), entry(2)], [skipped(1, "lost"), skipped(3, "rejected")])
    assert told["lost_at_end"] == 0
