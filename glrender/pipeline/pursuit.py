"""One way through the photographs of a moving camera: each is read and followed in its turn.

`pursue` hands over what came of each photograph as a `Step`, and a `Pursuit` puts the steps together. The two may be in
different processes, and whoever takes the steps has what came of them whatever becomes of the rest.
"""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from glrender.errors import InputError
from glrender.frontend.bootstrap import Start
from glrender.frontend.trajectory_log import TrajectoryLog
from glrender.interrupt import interruptible_after
from glrender.io.sequence import FrameEntry, Sequence
from glrender.io.trajectory import Trajectory
from glrender.pipeline.following import Followed, Follower
from glrender.pipeline.fuse import SequenceOptions
from glrender.pipeline.read_ahead import LATE, Pace, ReadFrame, read_ahead
from glrender.pipeline.tracking_report import TrackingReport

Float64 = NDArray[np.float64]

LONGEST_GAP = 0.2
"""Seconds between two frames that are tracked live, at most. In that time a camera that drives half of its height a
second moves on by a tenth of it; and a few frames that are tracked late, one after the other, catch up."""
PATIENCE = 0.03
"""Seconds: about the time between two frames of a usual camera."""
FARTHEST_GAP = 0.2
"""Radians by which what the camera sees moves past it between two frames that are tracked live, at most: a frame is
found over twice as much at best."""


@dataclass(frozen=True, eq=False)
class Step:
    """What a frame has brought."""

    entry: FrameEntry
    left_out: str
    """Why it is not followed; empty if it is."""
    followed: list[Followed]
    """Those that are done by it, see `Follower.add`."""
    begun: tuple[Start, tuple[FrameEntry, ...]] | None
    """The start, and the photographs that it was made of, of the frame by which there is one."""
    waiting_for: str
    """What a start is still waited for."""
    settled: bool
    """Whether the world's level and scale are what they will be."""
    milliseconds: Mapping[str, float]
    """To read it, to start, to track it, or to track it and see to the keyframes."""
    seconds: float
    """Since the first frame."""
    behind: float
    """Seconds by which the last frame that was taken came too late."""


class Pursuit:
    """What came of the steps so far of a way through photographs in a `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log = TrajectoryLog()
        self.done = 0
        """Frames that have come."""
        self.start: Start | None = None
        """None: there was none."""
        self.started_by: tuple[FrameEntry, ...] = ()
        """The photographs that the start was made of."""
        self.waiting_for = ""
        """What a start was still waited for."""
        self.settled = False
        """Whether the world's level and scale are what they will be."""
        self.report = TrackingReport()
        self.stages: dict[str, list[float]] = {}
        """Milliseconds of each frame, see `Step`."""
        self.seconds = 0.0
        """From the first frame to the last."""
        self.behind = 0.0
        """Seconds by which the last frame that was taken came too late."""

    def take(self, step: Step) -> None:
        """Take the next step."""
        self.done += 1
        if step.begun is not None:
            self.start, self.started_by = step.begun
        self.waiting_for, self.settled = step.waiting_for, step.settled
        if step.left_out:
            self.report.skip(step.entry, step.left_out)
        for each in step.followed:
            self.report.add(each.entry, each.tracked)
            self.move(each.moved)
            pose = each.tracked.T_world_camera
            if pose is not None and each.tracked.keyframe:
                self._log.add_keyframe(each.entry.time, pose)
            if pose is not None:
                self._log.add(each.entry.time, pose)
        for stage, milliseconds in step.milliseconds.items():
            self.stages.setdefault(stage, []).append(milliseconds)
        self.seconds, self.behind = step.seconds, step.behind

    def move(self, poses: Mapping[float, Float64]) -> None:
        """Put keyframes, known by their times, at other poses (4, 4), and their frames with them."""
        self._log.move(poses)

    @property
    def keyframe_poses(self) -> dict[float, Float64]:
        """T_world_camera (4, 4) of all keyframes, by their times, as they are now."""
        return self._log.keyframes()

    @property
    def poses(self) -> dict[int, Float64]:
        """T_world_camera (4, 4) of the frames that were found, by their index, by where their keyframes are now."""
        return {entry.index: pose for entry, (_, pose) in zip(self.report.found, self._log.poses(), strict=True)}

    def started(self) -> Start:
        """The start; InputError if there never was one."""
        if self.start is None:
            raise InputError(
                f"{self._folder}: the photographs do not tell where the camera is: {self.waiting_for}. "
                "Tracking begins over roughly level, textured ground that fills most of the view, with the camera "
                "moving sideways or ahead; or give poses (--trajectory)"
            )
        return self.start

    @property
    def most_per_second(self) -> float | None:
        """Frames that could have been followed in a second, had they come as fast as they were asked for: by the mean
        time that it took to read one or to follow it, whichever is longer. None where there was no start."""
        read, tracked = (
            self.stages.get("read", []),
            self.stages.get("track", []) + self.stages.get("track_keyframe", []),
        )
        return 1e3 / float(max(np.mean(read), np.mean(tracked))) if read and tracked else None


def pursue(
    give: Callable[[Step], bool],
    sequence: Sequence,
    options: SequenceOptions,
    entries: tuple[FrameEntry, ...],
    pace: Pace | None = None,
) -> dict[float, Float64]:
    """Follow the camera to the end, or until `give` says that what came of a frame was the last thing wanted.

    Frames that come too late at a `pace` are left out. Gives what keyframes were found to be at after the last step,
    see `Pursuit.move`. Raises FrameError (with `strict`) for a frame that is damaged.
    """
    assert options.motion.track is not None
    odometry = odometry_of(sequence, options)
    follower = Follower(sequence.camera, options.motion.track, odometry, patient=pace is None)
    begun = perf_counter()
    with closing(read_ahead(sequence, entries, pace)) as frames:
        for read in frames:
            with interruptible_after():
                step = _step(follower, read, begun, pace, strict=options.strict)
            if pace is not None:
                pace.longest_gap = FARTHEST_GAP / max(follower.rate, FARTHEST_GAP / LONGEST_GAP)
            if not give(step):
                break
    return follower.collect()


def odometry_of(sequence: Sequence, options: SequenceOptions) -> Trajectory | None:
    """The camera's, where there is any."""
    return sequence.trajectory if options.motion.odometry else None


def _step(follower: Follower, read: ReadFrame, begun: float, pace: Pace | None, *, strict: bool) -> Step:
    left_out = ""
    followed: list[Followed] = []
    milliseconds: dict[str, float] = {}
    waiting = follower.start is None
    if read.late:
        left_out = LATE
    elif read.frame is None:
        assert read.error is not None
        if strict:
            raise read.error
        left_out = str(read.error)
    else:
        assert read.frame.image is not None
        before = perf_counter()
        followed = follower.add(read.entry, read.frame.image)
        keyframe = any(each.tracked.keyframe for each in followed)
        stage = "start" if waiting else "track_keyframe" if keyframe else "track"
        milliseconds = {"read": read.milliseconds, stage: 1e3 * (perf_counter() - before)}
    start = follower.start if waiting else None
    return Step(
        read.entry,
        left_out,
        followed,
        None if start is None else (start, follower.started_by),
        follower.reason,
        follower.settled,
        milliseconds,
        perf_counter() - begun,
        0.0 if pace is None else pace.behind,
    )
