"""Photographs of one moving camera, and nothing else, become a trajectory and a height map.

A recording is gone through twice. First the camera is followed over ground taken to be level; its newest keyframes are
adjusted together as they come, by points that they share wherever these lie. Then all poses are refined together in
that way, and the map is made from what came of it. Live (`realtime`), keyframes are fused while the camera is followed,
as many as there is time for.
"""

from collections.abc import Generator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glrender.advance import Advance, silently
from glrender.errors import InputError, UsageError
from glrender.frontend.bootstrap import Start
from glrender.geometry.camera import INTRINSICS
from glrender.gl.context import Context
from glrender.interrupt import interruptible_after
from glrender.io.sequence import FrameEntry, Sequence
from glrender.io.trajectory import Trajectory
from glrender.pipeline.beside import made_beside
from glrender.pipeline.chosen_frames import missing_frames
from glrender.pipeline.following import Followed, Follower
from glrender.pipeline.fuse import SequenceOptions
from glrender.pipeline.ground import Ground
from glrender.pipeline.keyframe_fusion import KeyframeFusion, Poses, trajectory_of
from glrender.pipeline.keyframes import choose_keyframes
from glrender.pipeline.live_fusion import LiveFusion
from glrender.pipeline.outputs import FinishedMap, Keep, keep_nowhere
from glrender.pipeline.photographs import PhotographStart, fuse_keyframes
from glrender.pipeline.placement import Placement, place_on_ground
from glrender.pipeline.read_ahead import LATE, Pace, read_ahead
from glrender.pipeline.refined_track import refine_track
from glrender.pipeline.rehearsal import rehearse
from glrender.pipeline.tracking_report import TrackingReport

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

WORLD = np.eye(4)
"""The map's frame is that of the start: z up from the floor, the origin below the first camera."""
LEVEL = Ground(0.0, 1.0, 0)
"""The floor in it."""
LONGEST_GAP = 0.2
"""Seconds between two frames that are tracked live: a camera that drives half of its height a second moves on by a
tenth of it, and a few frames that are tracked late, one after the other, catch up."""
FARTHEST_GAP = 0.2
"""Radians by which the camera turns, and what it sees moves past it, between these: twice as much is found at best."""


def fuse_tracked_photographs(
    context: Context,
    sequence: Sequence,
    options: SequenceOptions,
    advance: Advance = silently,
    keep: Keep = keep_nowhere,
) -> FinishedMap:
    """Track and fuse a sequence's photographs; arguments, interruptions and what is returned as of `fuse_sequence`.

    Raises UsageError for `realtime` without bounds, since where the camera will go is not known then; InputError where
    there are no photographs, where they never tell a floor and a motion, (with `strict`) for any frame that cannot be
    used, or where nothing falls on the map.
    """
    if options.realtime and options.bounds is None:
        raise UsageError(
            "bounds: received none, expected those of the map where the camera is followed live: metres to the right "
            "of the first camera, and ahead of it"
        )
    entries = sequence.select(options.frames)
    fuse = _fuse_live if options.realtime else _fuse_recorded
    return fuse(context, sequence, entries, options, advance, keep)


def _fuse_recorded(
    context: Context,
    sequence: Sequence,
    entries: tuple[FrameEntry, ...],
    options: SequenceOptions,
    advance: Advance,
    keep: Keep,
) -> FinishedMap:
    pursuit = _Pursuit(sequence, options)
    for step in pursuit.run(entries):
        advance(step.done, 2 * len(entries))
    start = pursuit.started()
    poses: Poses = pursuit.final_poses()
    found, begun = tuple(pursuit.report.found), perf_counter()
    keyframes = choose_keyframes(found, poses, WORLD, LEVEL)
    refined = refine_track(
        sequence, found, keyframes, poses, LEVEL, start, pursuit.started_by, _odometry(sequence, options)
    )
    poses = refined.poses
    tracked = PhotographStart(
        found,
        choose_keyframes(found, poses, WORLD, LEVEL),
        poses,
        LEVEL,
        _place(sequence, options, list(poses.values())),
        (*missing_frames(sequence, options.frames), *pursuit.report.skipped),
        _describe(sequence, start, pursuit) | {"frames": len(entries)} | refined.description,
        refined.trajectory,
        refined.displacement,
        pursuit.stages,
        pursuit.seconds + perf_counter() - begun,
    )

    def follow(done: int, total: int) -> None:
        advance(len(entries) * (total + done), 2 * len(entries) * total)

    undone = sequence.with_row_motions(refined.shutter.row_motions)
    return fuse_keyframes(context, undone, options, tracked, follow, keep)


def _fuse_live(
    context: Context,
    sequence: Sequence,
    entries: tuple[FrameEntry, ...],
    options: SequenceOptions,
    advance: Advance,
    keep: Keep,
) -> FinishedMap:
    # The spacing has to be known before a camera is.
    if options.spacing is None:
        raise UsageError("spacing: received none, expected that of the map where the camera is followed live, metres")
    rehearse(context, sequence, options)
    placement = _place(sequence, options, [WORLD])
    pursuit, pace = _Pursuit(sequence, options), Pace(entries, LONGEST_GAP)
    live: LiveFusion | None = None
    waiting: list[Followed] = []
    """Keyframes, until the world's level and scale are settled."""

    def fuse_waiting(poses: Mapping[float, Float64]) -> None:
        nonlocal live
        if live is None:
            distance = LEVEL.distance(poses[waiting[0].entry.time], WORLD)
            live = LiveFusion(context, sequence, options, placement, LEVEL, distance, lambda: pace.behind)
            kept.enter_context(live.fusion.kept())
        with interruptible_after():
            live.move(poses)
            while waiting:
                followed = waiting.pop(0)
                live.add(followed.entry, followed.image, poses[followed.entry.time], newest=not waiting)

    try:
        with ExitStack() as kept:
            for steps in kept.enter_context(closing(made_beside(pursuit.run(entries, pace)))):
                waiting += [keyframe for step in steps for keyframe in step.keyframes]
                if settled := [step.poses for step in steps if step.poses]:
                    fuse_waiting(settled[-1])
                advance(steps[-1].done, len(entries))
            with interruptible_after():
                pursuit.follower.collect()
            if waiting or live is not None:
                fuse_waiting(pursuit.follower.keyframe_poses())
        with interruptible_after():
            start = pursuit.started()
            assert live is not None  # the frames that make a start are fit for depth
            description = _describe(sequence, start, pursuit)
            description |= {"frames": len(pursuit.report.found), "live": live.describe() | {"behind_s": pace.behind}}
            skipped = (*missing_frames(sequence, options.frames), *pursuit.report.skipped)
            trajectory = trajectory_of(pursuit.report.found, pursuit.final_poses())
            description |= _judge(sequence, start, pursuit.started_by, live.fusion, _odometry(sequence, options))
            finished = live.fusion.finish(skipped, description, trajectory, pursuit.stages)
            keep(finished)
    finally:
        if live is not None:
            live.release()
    return finished


def _judge(
    sequence: Sequence,
    start: Start,
    started_by: tuple[FrameEntry, ...],
    fusion: KeyframeFusion,
    odometry: Trajectory | None,
) -> dict[str, Any]:
    """Count in what the poses of a live map were off by, as it shows once the drive is over; gives what to report."""
    keyframes = tuple(fusion.added)
    poses = {entry.index: pose for entry, pose in fusion.added.items()}
    try:
        track = refine_track(sequence, keyframes, keyframes, poses, LEVEL, start, started_by, odometry)
    except InputError as error:  # a map that is there is not given up for its sigma
        return {"pose_refinement": {"failed": str(error)}}
    fusion.displaced_by(track.displaced)
    described: dict[str, Any] = track.description["pose_refinement"]
    # The map was made from photographs as they are.
    return {"pose_refinement": described | {"shutter_readout": described["shutter_readout"] | {"undone": 0.0}}}


def _odometry(sequence: Sequence, options: SequenceOptions) -> Trajectory | None:
    """The camera's, where there is any."""
    return sequence.trajectory if options.motion.odometry else None


def _place(sequence: Sequence, options: SequenceOptions, poses: list[Float64]) -> Placement:
    return place_on_ground(
        sequence,
        poses,
        LEVEL.height,
        T_world_map=WORLD,
        frame_source="the floor under the first photograph, x to its right",
        bounds=options.bounds,
        spacing=options.spacing,
    )


@dataclass(frozen=True, eq=False)
class _Step:
    """What a frame has brought."""

    done: int
    """Frames that have come, with it."""
    keyframes: list[Followed]
    """Those that are fit for depth."""
    poses: Mapping[float, Float64]
    """T_world_camera (4, 4) of all keyframes, by their times, once there are such, and the world's level and scale are
    settled; else nothing."""


class _Pursuit:
    """One way through the photographs, behind the camera."""

    def __init__(self, sequence: Sequence, options: SequenceOptions) -> None:
        assert options.motion.track is not None
        self._sequence, self._options = sequence, options
        odometry = _odometry(sequence, options)
        self.follower = Follower(sequence.camera, options.motion.track, odometry)
        self.report = TrackingReport()
        self.stages: dict[str, list[float]] = {}
        """Milliseconds of each frame: to read it, to start, to track it, or to track it and see to the keyframes."""
        self.seconds = 0.0
        """From the first frame to the last."""

    def run(self, entries: tuple[FrameEntry, ...], pace: Pace | None = None) -> Generator[_Step]:
        """Follow the camera to the end, frame by frame; those that come too late at a `pace` are left out."""
        begun = perf_counter()
        for done, read in enumerate(read_ahead(self._sequence, entries, pace), start=1):
            followed: list[Followed] = []
            with interruptible_after():
                if read.late:
                    self.report.skip(read.entry, LATE)
                elif read.frame is None:
                    if self._options.strict:
                        assert read.error is not None
                        raise read.error
                    self.report.skip(read.entry, str(read.error))
                else:
                    assert read.frame.image is not None
                    self._took("read", read.milliseconds)
                    followed = self._follow(read.entry, read.frame.image)
            self.seconds = perf_counter() - begun
            if pace is not None:
                pace.longest_gap = FARTHEST_GAP / max(self.follower.rate, FARTHEST_GAP / LONGEST_GAP)
            keyframes = [each for each in followed if each.tracked.keyframe and each.tracked.usable]
            known = keyframes and self.follower.settled
            yield _Step(done, keyframes, self.follower.keyframe_poses() if known else {})

    def final_poses(self) -> dict[int, Float64]:
        """T_world_camera (4, 4) of the frames that were found, by where their keyframes have moved to meanwhile."""
        final = dict(self.follower.trajectory())
        return {entry.index: final[entry.time] for entry in self.report.found}

    def started(self) -> Start:
        """The start; InputError if there never was one."""
        start = self.follower.start
        if start is None:
            raise InputError(
                f"{self._sequence.folder}: the photographs do not tell where the camera is: {self.follower.reason}. "
                "Tracking begins over roughly level, textured ground that fills most of the view, with the camera "
                "moving sideways or ahead; or give poses (--trajectory)"
            )
        return start

    @property
    def most_per_second(self) -> float | None:
        """Frames that could have been followed in a second, had they come as they were asked for: by what it took, on
        average, to read one, or to follow it once there was a start, whichever takes longer; None without such."""
        read, tracked = (
            self.stages.get("read", []),
            self.stages.get("track", []) + self.stages.get("track_keyframe", []),
        )
        return 1e3 / float(max(np.mean(read), np.mean(tracked))) if read and tracked else None

    @property
    def started_by(self) -> tuple[FrameEntry, ...]:
        """The photographs that the start was made of."""
        return self.follower.started_by

    def _follow(self, entry: FrameEntry, image: Float32) -> list[Followed]:
        waiting = self.follower.start is None
        start = perf_counter()
        followed = self.follower.add(entry, image)
        keyframe = any(each.tracked.keyframe for each in followed)
        stage = "start" if waiting else "track_keyframe" if keyframe else "track"
        self._took(stage, 1e3 * (perf_counter() - start))
        for each in followed:
            self.report.add(each.entry, each.tracked)
        return followed

    def _took(self, stage: str, milliseconds: float) -> None:
        self.stages.setdefault(stage, []).append(milliseconds)


def _describe(sequence: Sequence, start: Start, pursuit: _Pursuit) -> dict[str, Any]:
    """What tracking found, for `report.json`."""
    camera = sequence.camera
    return {
        "camera": {name: getattr(camera, name) for name in INTRINSICS},
        "camera_from": "camera.yaml",
        "time_offset": 0.0,
        "time_offset_from": "0: poses are of the photographs' own times",
        "poses_from": "tracked",
        "up_to_scale": start.scale == "unknown",
        "scale_from": start.scale,
        "tracking": {
            "camera_height_at_start": start.camera_height,
            "frames_of_start": len(start.frames),
            "frames_per_second": pursuit.most_per_second,
        }
        | pursuit.report.describe(),
    }
