"""Frames of colour and depth without poses become a trajectory and a height map: tracked first, then fused."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glrender.errors import InputError
from glrender.frontend.tracker import Tracker
from glrender.gl.context import Context
from glrender.interrupt import interruptible_after
from glrender.io.sequence import FrameEntry, Sequence, Skipped
from glrender.pipeline.fuse import SequenceOptions, fuse_sequence
from glrender.pipeline.keyframe_fusion import trajectory_of
from glrender.pipeline.outputs import FinishedMap
from glrender.pipeline.placement import floor_of
from glrender.pipeline.read_ahead import read_ahead
from glrender.pipeline.tracking_report import describe_tracking

Float64 = NDArray[np.float64]


def fuse_tracked_depth(
    context: Context,
    sequence: Sequence,
    options: SequenceOptions,
    advance: Callable[[int, int], None] = lambda done, total: None,
    keep: Callable[[FinishedMap], None] = lambda finished: None,
) -> FinishedMap:
    """Track, then fuse, a sequence's frames; arguments, interruptions and what is returned as of `fuse_sequence`.

    Keyframes have their own depths, so tracking needs no map. The world has its z up from the plane that dominates the
    first depth image, its origin below the first camera, and x to the right of it. Raises InputError for a first frame
    without colour or depth, and what `fuse_sequence` raises.
    """
    entries = sequence.select(options.frames)
    tracking = _Tracking(context, sequence)
    try:
        tracking.run(entries, lambda done: advance(done, 2 * len(entries)))
    finally:
        tracking.release()
    trajectory = trajectory_of(tracking.found, tracking.poses)
    told = {
        "poses_from": "tracked",
        "up_to_scale": False,
        "tracking": describe_tracking(tracking.states, tracking.found, tracking.skipped),
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


class _Tracking:
    """One way through the frames, behind the camera."""

    def __init__(self, context: Context, sequence: Sequence) -> None:
        self._sequence = sequence
        self._tracker = Tracker(context, sequence.camera)
        self.poses: dict[int, Float64] = {}
        """T_world_camera (4, 4) of the frames that were found, by their index."""
        self.found: list[FrameEntry] = []
        self.skipped: list[Skipped] = []
        self.states: Counter[str] = Counter()
        """How many frames were tracked, lost, …"""

    def run(self, entries: tuple[FrameEntry, ...], advance: Callable[[int], None]) -> None:
        """Follow the camera to the end; InputError where the first frame that can be read makes no start."""
        for done, read in enumerate(read_ahead(self._sequence, entries), start=1):
            with interruptible_after():
                frame = read.frame
                if frame is None:
                    self._skip(read.entry, str(read.error))
                elif frame.image is None or frame.depth is None:
                    self._skip(read.entry, "has no photograph, which tracking needs")
                elif not self.found:
                    pose = floor_of(self._sequence.camera, frame.depth)
                    self._tracker.start(frame.time, frame.image, pose, frame.depth)
                    self._take(read.entry, pose, "started")
                else:
                    tracked = self._tracker.track(frame.time, frame.image, frame.depth)
                    if tracked.T_world_camera is None:
                        self.states[tracked.state] += 1
                        self._skip(read.entry, f"{tracked.state}: {tracked.reason}")
                    else:
                        self._take(read.entry, tracked.T_world_camera, tracked.state)
            advance(done)
        if not self.found:
            raise InputError(
                f"{self._sequence.folder}: none of the {len(entries)} frames has both colour and depth, which tracking "
                "needs; expected rgb.txt and depth.txt, their times within 20 ms"
            )

    def release(self) -> None:
        """Release what this made in the context."""
        self._tracker.release()

    def _take(self, entry: FrameEntry, pose: Float64, state: str) -> None:
        self.states[state] += 1
        self.poses[entry.index] = pose
        self.found.append(entry)

    def _skip(self, entry: FrameEntry, reason: str) -> None:
        self.skipped.append(Skipped(entry.index, entry.name, reason))
