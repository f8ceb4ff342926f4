"""One way through the photographs of a moving camera, behind it: each is read and followed in its turn."""

from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from glrender.errors import InputError
from glrender.frontend.bootstrap import Start
from glrender.interrupt import interruptible_after
from glrender.io.sequence import FrameEntry, Sequence
from glrender.io.trajectory import Trajectory
from glrender.pipeline.following import Followed, Follower
from glrender.pipeline.fuse import SequenceOptions
from glrender.pipeline.read_ahead import LATE, Pace, read_ahead
from glrender.pipeline.tracking_report import TrackingReport

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

LONGEST_GAP = 0.2
"""Seconds between two frames that are tracked live: a camera that drives half of its height a second moves on by a
tenth of it, and a few frames that are tracked late, one after the other, catch up."""
PATIENCE = 0.03
"""Seconds: about the time between two frames of a usual camera."""
FARTHEST_GAP = 0.2
"""Radians by which the camera turns, and what it sees moves past it, between these: twice as much is found at best."""


@dataclass(frozen=True, eq=False)
class Step:
    """What a frame has brought."""

    done: int
    """Frames that have come, with it."""
    keyframes: list[Followed]
    """Those that are fit for depth."""
    poses: Mapping[float, Float64]
    """T_world_camera (4, 4) of all keyframes, by their times, once there are such, and the world's level and scale are
    settled; else nothing."""
    behind: float
    """Seconds by which the last frame that was taken came too late."""


@dataclass(frozen=True, eq=False)
class Pursuit:
    """What came of it, or, if it was left before its end, of its beginning."""

    start: Start | None
    """None: there was none."""
    waiting_for: str
    """What a start was still waited for."""
    started_by: tuple[FrameEntry, ...]
    """The photographs that the start was made of."""
    report: TrackingReport
    poses: dict[int, Float64]
    """T_world_camera (4, 4) of the frames that were found, by their index, where their keyframes are in the end."""
    keyframe_poses: dict[float, Float64]
    """The same of all keyframes, by their times."""
    stages: dict[str, list[float]]
    """Milliseconds of each frame: to read it, to start, to track it, or to track it and see to the keyframes."""
    seconds: float
    """From the first frame to the last."""
    folder: Path
    """Where the photographs are."""

    def started(self) -> Start:
        """The start; InputError if there never was one."""
        if self.start is None:
            raise InputError(
                f"{self.folder}: the photographs do not tell where the camera is: {self.waiting_for}. "
                "Tracking begins over roughly level, textured ground that fills most of the view, with the camera "
                "moving sideways or ahead; or give poses (--trajectory)"
            )
        return self.start

    @property
    def most_per_second(self) -> float | None:
        """Frames that could have been followed in a second, had they come as they were asked for: by what it took, on
        average, to read one, or to follow it once there was a start, whichever takes longer; None without such."""
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
) -> Pursuit:
    """Follow the camera to the end, or until `give` says that what came of a frame was the last thing wanted.

    Frames that come too late at a `pace` are left out. Raises FrameError (with `strict`) for a frame that is damaged.
    """
    under_way = _UnderWay(sequence, options, patient=pace is None)
    with closing(under_way.run(entries, pace)) as steps:
        for step in steps:
            if not give(step):
                break
    return under_way.ended()


def odometry_of(sequence: Sequence, options: SequenceOptions) -> Trajectory | None:
    """The camera's, where there is any."""
    return sequence.trajectory if options.motion.odometry else None


class _UnderWay:
    def __init__(self, sequence: Sequence, options: SequenceOptions, *, patient: bool) -> None:
        assert options.motion.track is not None
        self._sequence, self._options = sequence, options
        odometry = odometry_of(sequence, options)
        self._follower = Follower(sequence.camera, options.motion.track, odometry, patient=patient)
        self._report = TrackingReport()
        self._stages: dict[str, list[float]] = {}
        self._seconds = 0.0

    def run(self, entries: tuple[FrameEntry, ...], pace: Pace | None = None) -> Generator[Step]:
        """Follow the camera to the end, frame by frame; those that come too late at a `pace` are left out."""
        begun = perf_counter()
        for done, read in enumerate(read_ahead(self._sequence, entries, pace), start=1):
            followed: list[Followed] = []
            with interruptible_after():
                if read.late:
                    self._report.skip(read.entry, LATE)
                elif read.frame is None:
                    if self._options.strict:
                        assert read.error is not None
                        raise read.error
                    self._report.skip(read.entry, str(read.error))
                else:
                    assert read.frame.image is not None
                    self._took("read", read.milliseconds)
                    followed = self._follow(read.entry, read.frame.image)
            self._seconds = perf_counter() - begun
            if pace is not None:
                pace.longest_gap = FARTHEST_GAP / max(self._follower.rate, FARTHEST_GAP / LONGEST_GAP)
            keyframes = [each for each in followed if each.adjusted and each.tracked.usable]
            known = keyframes and self._follower.settled
            behind = 0.0 if pace is None else pace.behind
            yield Step(done, keyframes, self._follower.keyframe_poses() if known else {}, behind)

    def ended(self) -> Pursuit:
        follower = self._follower
        final = dict(follower.trajectory())
        return Pursuit(
            follower.start,
            follower.reason,
            follower.started_by,
            self._report,
            {entry.index: final[entry.time] for entry in self._report.found},
            follower.keyframe_poses(),
            self._stages,
            self._seconds,
            self._sequence.folder,
        )

    def _follow(self, entry: FrameEntry, image: Float32) -> list[Followed]:
        waiting = self._follower.start is None
        start = perf_counter()
        followed = self._follower.add(entry, image)
        keyframe = any(each.tracked.keyframe for each in followed)
        stage = "start" if waiting else "track_keyframe" if keyframe else "track"
        self._took(stage, 1e3 * (perf_counter() - start))
        for each in followed:
            self._report.add(each.entry, each.tracked)
        return followed

    def _took(self, stage: str, milliseconds: float) -> None:
        self._stages.setdefault(stage, []).append(milliseconds)
