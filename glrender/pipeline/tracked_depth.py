"""Frames of colour and depth without poses become a trajectory and a height map: tracked first, then fused."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from glrender.advance import Advance, silently
from glrender.errors import InputError
from glrender.frontend.tracker import Tracker
from glrender.gl.context import Context
from glrender.interrupt import interruptible_after
from glrender.io.sequence import FrameEntry, Sequence, trajectory_of
from glrender.pipeline.fuse import SequenceOptions, check_arguments, fuse_sequence
from glrender.pipeline.outputs import FinishedMap, Keep, keep_nowhere
from glrender.pipeline.placement import floor_of
from glrender.pipeline.read_ahead import read_ahead
from glrender.pipeline.tracking_report import TrackingReport


def fuse_tracked_depth(
    context: Context,
    sequence: Sequence,
    options: SequenceOptions,
    advance: Advance = silently,
    keep: Keep = keep_nowhere,
) -> FinishedMap:
    """Track, then fuse, a sequence's frames; arguments, interruptions and what is returned as of `fuse_sequence`.

    Keyframes have their own depths, so tracking needs no map. The world has its z up from the plane that dominates the
    first depth image, its origin below the first camera, and x to the right of it. Raises InputError for a first frame
    without colour or depth, and what `fuse_sequence` raises.
    """
    check_arguments(sequence, options)
    entries = sequence.select(options.frames)
    tracking = _track(sequence, entries, lambda done: advance(done, 2 * len(entries)))
    trajectory = trajectory_of(tracking.found, tracking.poses)
    told = {
        "poses_from": "tracked",
        "up_to_scale": False,
        "tracking": tracking.describe(),
    }

    def complete(finished: FinishedMap) -> FinishedMap:
        skipped = (*tracking.skipped, *finished.report["frames_skipped"])
        report: dict[str, Any] = {**finished.report, **told, "frames_skipped": skipped}
        return replace(finished, trajectory=trajectory, report=report)

    # A pose between two that were found would be interpolated for a frame that was lost; so that frame is left out.
    followed = replace(sequence, frames=tuple(tracking.found), trajectory=trajectory)
    given = replace(options, time_offset=0.0 if options.time_offset is None else options.time_offset)
    finished = fuse_sequence(
        context,
        followed,
        given,
        lambda done, total: advance(len(entries) + done, len(entries) + total),
        lambda finished: keep(complete(finished)),
    )
    return complete(finished)


def _track(sequence: Sequence, entries: tuple[FrameEntry, ...], advance: Callable[[int], None]) -> TrackingReport:
    """Follow the camera to the end; InputError where the first frame that can be read makes no start."""
    tracker, report = Tracker(sequence.camera), TrackingReport()
    for done, read in enumerate(read_ahead(sequence, entries), start=1):
        with interruptible_after():
            frame = read.frame
            if frame is None:
                report.skip(read.entry, str(read.error))
            elif frame.image is None or frame.depth is None:
                report.skip(read.entry, "has no photograph, which tracking needs")
            elif not report.found:
                pose = floor_of(sequence.camera, frame.depth)
                report.add(read.entry, tracker.start(frame.time, frame.image, pose, frame.depth))
            else:
                report.add(read.entry, tracker.track(frame.time, frame.image, frame.depth))
        advance(done)
    if not report.found:
        raise InputError(
            f"{sequence.folder}: none of the {len(entries)} frames has both colour and depth, which tracking needs; "
            "expected rgb.txt and depth.txt, their times within 20 ms"
        )
    return report
