"""A camera followed from nothing: the first photographs make a start, the others are tracked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Event

import numpy as np
from numpy.typing import NDArray

from glrender.frontend.alignment import PosePrior
from glrender.frontend.bootstrap import Bootstrap, KnownScale, Start
from glrender.frontend.level_ground import LevelGround
from glrender.frontend.point_window import PointWindow
from glrender.frontend.tracker import TrackedFrame, Tracker
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.io.sequence import FrameEntry
from glrender.io.trajectory import Trajectory
from glrender.parallel import begin

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

ODOMETRY_SHARE = 0.1
"""Of each step, along and about each axis: what odometry is taken to have wrong by."""
ODOMETRY_LEAST = 0.001, np.radians(0.2)
"""Metres and radians that a step of odometry is wrong by at least: suspension, and clocks that are not quite one."""

MOST_WAITING = 100
"""Photographs that are kept for a start: 370 MB of 640 x 480 pixels."""


@dataclass(frozen=True, eq=False)
class Followed:
    """A photograph, and what tracking made of it."""

    entry: FrameEntry
    tracked: TrackedFrame
    image: Float32 | None = None
    """(height, width, 3) linear, of a keyframe that is fit for depth: it is sharp, and adjusted together with others,
    or will be."""
    moved: Mapping[float, Float64] = field(default_factory=dict)
    """T_world_camera (4, 4) of keyframes that the adjustment has moved meanwhile, by their times in seconds."""


class Follower:
    """Follows a camera over ground that is roughly level at first.

    The newest keyframes are adjusted together beside the tracking, and each keyframe waits until the adjustment of the
    one before it has ended. Unless `patient`, a keyframe that comes while an adjustment is under way is left out of the
    next one, once the world is settled, and moves with the keyframe before it; but never two in a row.
    """

    def __init__(
        self, camera: Camera, scale: KnownScale, odometry: Trajectory | None = None, *, patient: bool = True
    ) -> None:
        self._patient = patient
        self._bootstrap = Bootstrap(camera, scale)
        self._tracker = Tracker(camera)
        self._tracker.use_depths(LevelGround())
        self._window = PointWindow(self._tracker.camera)
        self._adjustment: Callable[[], dict[float, Float64]] | None = None
        self._idle = Event()
        self._left_out = False
        self._odometry = odometry
        self._last: tuple[float, Float64] | None = None
        self._added = 0
        self._waiting: dict[int, tuple[FrameEntry, Float32]] = {}
        self.settled = False
        """Whether the world's level and scale are what they will be, see `PointWindow`."""
        self.start: Start | None = None
        """The world, once there is one: its floor at z = 0, below the first camera its origin."""
        self.started_by: tuple[FrameEntry, ...] = ()
        """The photographs that it was made of, see `Start.frames`."""
        self.reason = "no photograph yet"
        """What a start is still waited for."""

    def add(self, entry: FrameEntry, image: Float32) -> list[Followed]:
        """Take the next photograph (height, width, 3), linear; gives the photographs whose fate is known by then:
        before there is a start those that it will not be made of, with the start all since its first one, and then each
        photograph by itself."""
        if self.start is not None:
            return [self._track(entry, image)]
        self._waiting[self._added] = entry, image
        self._added += 1
        progress = self._bootstrap.add(image, self._driven(entry.time))
        self.reason = progress.reason
        given_up = self._give_up()
        if progress.start is None:
            return given_up
        self.start = progress.start
        self.started_by = tuple(self._waiting[number][0] for number in self.start.frames)
        first, *others = self._waiting.values()
        self._waiting = {}
        pose = self.start.poses[0]
        started = self._tracker.start(first[0].time, first[1], pose)
        self._last = first[0].time, pose
        return [*given_up, self._adjusted(*first, started), *(self._track(*other) for other in others)]

    def _give_up(self) -> list[Followed]:
        """Photographs that need not wait for the start any more: those before a start that was begun anew, and every
        second one where there are too many, since the camera stands still."""
        needed = self._bootstrap.frames
        begin = needed[0] if needed else self._added
        reasons = {number: f"before the start: {self.reason}" for number in self._waiting if number < begin}
        if len(self._waiting) > MOST_WAITING:
            spare = [number for number in self._waiting if number not in needed and number not in reasons]
            reasons |= dict.fromkeys(spare[::2], f"too many before the start: {self.reason}")
        given_up = [(self._waiting.pop(number)[0], reason) for number, reason in reasons.items()]
        return [Followed(entry, TrackedFrame.without_pose(entry.time, "rejected", why)) for entry, why in given_up]

    def _track(self, entry: FrameEntry, image: Float32) -> Followed:
        tracked = self._tracker.track(entry.time, image, prior=self._prior(entry.time))
        followed = self._adjusted(entry, image, tracked)
        if followed.tracked.T_world_camera is not None:
            self._last = entry.time, followed.tracked.T_world_camera
        return followed

    def _adjusted(self, entry: FrameEntry, image: Float32, tracked: TrackedFrame) -> Followed:
        """A photograph where tracking has found it; if it is a keyframe, where the adjustment of the keyframes before
        it puts it, since the level ground that frames are aligned over is only about what they show.

        Its own adjustment goes on beside what comes next.
        """
        if not tracked.keyframe:
            return Followed(entry, tracked)
        under_way = self._adjustment is not None and not self._idle.is_set()
        self._left_out = under_way and self.settled and not self._patient and not self._left_out
        if self._left_out:
            return Followed(entry, tracked)
        moved = self.collect()
        pose = moved.get(entry.time, tracked.T_world_camera)
        assert pose is not None
        self._idle.clear()
        photograph = self._tracker.keyframes[-1].pyramid[0].image
        self._adjustment = begin(partial(self._adjust, entry.time, photograph, pose))
        return Followed(entry, replace(tracked, T_world_camera=pose), image if tracked.usable else None, moved)

    def _adjust(self, time: float, photograph: Float32, pose: Float64) -> dict[float, Float64]:
        try:
            return self._window.add(time, photograph, pose)
        finally:
            self._idle.set()

    def collect(self) -> dict[float, Float64]:
        """Wait for the adjustment that is under way and put the keyframes where it finds them; gives the poses (4, 4)
        of those that it moves, by their times in seconds."""
        adjustment, self._adjustment = self._adjustment, None
        if adjustment is None:
            return {}
        known, found = self._tracker.keyframe_poses(), adjustment()
        # Those between keyframes of the window, and after it, go with the one before them. What has left it stays; but
        # while there is no level it goes with the oldest: they lie about one place, or there would be one.
        leader = None if self.settled else min(found)
        poses = dict(found)
        for time, pose in known.items():
            if time in found:
                leader = time
            elif leader is not None:
                way = se3.log(se3.inverse(known[leader]) @ pose)  # products alone would not stay rigid
                poses[time] = found[leader] @ se3.exp(way)
        self._tracker.move(poses)
        self.settled = self._window.settled
        return poses

    def _driven(self, time: float) -> Float64 | None:
        """The pose that odometry has at a time; None where it has none."""
        return self._odometry.at(time) if self._odometry is not None and self._odometry.covers(time) else None

    def _prior(self, time: float) -> PosePrior | None:
        """The pose that odometry tells, going on from the last frame that was found; None where it does not cover
        both."""
        assert self._last is not None
        then, now = self._driven(self._last[0]), self._driven(time)
        if then is None or now is None:
            return None
        step = se3.inverse(then) @ now
        twist = se3.log(step)
        moved, turned = np.linalg.norm(twist[:3]), np.linalg.norm(twist[3:])
        least_moved, least_turned = ODOMETRY_LEAST
        sigmas = [least_moved + ODOMETRY_SHARE * moved] * 3 + [least_turned + ODOMETRY_SHARE * turned] * 3
        return PosePrior(self._last[1] @ step, np.diag(np.square(sigmas)))

    @property
    def rate(self) -> float:
        """Radians a second by which what the camera sees moves, about; 0 where that is not known."""
        return self._tracker.rate if self.start is not None else 0.0

    def keyframe_poses(self) -> dict[float, Float64]:
        """T_world_camera (4, 4) of all keyframes, by their times in seconds, as they are now; the newest is yet to be
        adjusted."""
        return self._tracker.keyframe_poses()

    def trajectory(self) -> list[tuple[float, Float64]]:
        """(seconds, T_world_camera (4, 4)) of the frames that were found, by where their keyframes are now."""
        self.collect()
        return self._tracker.trajectory()
