"""Photographs of one moving camera, and nothing else, become a trajectory and a height map.

The ground that the map covers is not known before the camera has been there. So unless bounds are given, the sequence
is gone through twice: a scout follows the camera over ground taken to be level, and says where it went; then it is
followed again over the map that is being made.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glrender.errors import InputError
from glrender.frontend.bootstrap import Start
from glrender.gl.context import Context
from glrender.interrupt import interruptible_after
from glrender.io.sequence import FrameEntry, Sequence, Skipped
from glrender.pipeline.chosen_frames import missing_frames
from glrender.pipeline.following import Followed, Follower
from glrender.pipeline.fuse import SequenceOptions
from glrender.pipeline.ground import Ground
from glrender.pipeline.keyframe_fusion import KeyframeFusion, trajectory_of
from glrender.pipeline.keyframes import is_apart
from glrender.pipeline.outputs import FinishedMap
from glrender.pipeline.placement import Placement, place_on_ground
from glrender.pipeline.read_ahead import Pace, read_ahead
from glrender.pipeline.refine_with_map import refine_with_map

Float64 = NDArray[np.float64]

WORLD = np.eye(4)
"""The map's frame is that of the start: z up from the floor, the origin below the first camera."""


def fuse_tracked_photographs(
    context: Context,
    sequence: Sequence,
    options: SequenceOptions,
    advance: Callable[[int, int], None] = lambda done, total: None,
    keep: Callable[[FinishedMap], None] = lambda finished: None,
) -> FinishedMap:
    """Track and fuse a sequence's photographs; arguments, interruptions and what is returned as of `fuse_sequence`.

    Raises InputError where there are no photographs, where they never tell a floor and a motion, (with `strict`) for
    any frame that cannot be used, or where nothing falls on the map.
    """
    assert options.motion.track is not None
    entries = sequence.select(options.frames)
    scouting = options.bounds is None
    total = len(entries) * (2 if scouting else 1)
    scout = _Pursuit(context, sequence, options)
    try:
        scout.run(entries, lambda done: advance(done, total), until_started=not scouting)
    finally:
        scout.release()
    start = scout.started()
    placement = place_on_ground(
        sequence,
        list(scout.poses.values()),
        0.0,
        T_world_map=WORLD,
        frame_source="the floor under the first photograph, x to its right",
        bounds=options.bounds,
        spacing=options.spacing,
    )
    ground = Ground(0.0, 1.0, len(start.frames))
    fusion = KeyframeFusion(context, sequence, options, placement, ground)
    pursuit = _Pursuit(context, sequence, options, fusion)
    try:
        with fusion.kept():
            pursuit.run(entries, lambda done: advance(total - len(entries) + done, total))
        with interruptible_after():
            description = _describe(sequence, start, pursuit) | {"frames": len(entries)}
            skipped = (*missing_frames(sequence, options.frames), *pursuit.skipped)
            finished = fusion.finish(skipped, description, trajectory_of(pursuit.found, pursuit.poses))
            if options.motion.refine_poses and not finished.partial:
                finished = _refined(context, sequence, options, pursuit, ground, placement, skipped, description)
            keep(finished)
    finally:
        pursuit.release()
        fusion.release()
    return finished


class _Pursuit:
    """One way through the photographs, behind the camera."""

    def __init__(
        self, context: Context, sequence: Sequence, options: SequenceOptions, fusion: KeyframeFusion | None = None
    ) -> None:
        assert options.motion.track is not None
        self._sequence, self._options, self._fusion = sequence, options, fusion
        self._follower = Follower(
            context, sequence.camera, options.motion.track, sequence.trajectory if options.motion.odometry else None
        )
        self.poses: dict[int, Float64] = {}
        """T_world_camera (4, 4) of the frames that were found, by their index."""
        self.found: list[FrameEntry] = []
        self.keyframes: list[FrameEntry] = []
        self.skipped: list[Skipped] = []
        self.states: Counter[str] = Counter()
        """How many frames were tracked, lost, …"""

    def run(self, entries: tuple[FrameEntry, ...], advance: Callable[[int], None], until_started: bool = False) -> None:
        """Follow the camera, to the end or until there is a start, and hand keyframes to the fusion if there is one."""
        pace = Pace(entries) if self._options.realtime and self._fusion is not None else None
        for done, read in enumerate(read_ahead(self._sequence, entries), start=1):
            with interruptible_after():
                if read.frame is None:
                    if self._fusion is not None:
                        self._fusion.skip(read)
                elif pace is not None and not pace.wait_for(read.entry):
                    self._skip(read.entry, "dropped to keep up: the next frame had come")
                else:
                    assert read.frame.image is not None
                    for followed in self._follower.add(read.entry, read.frame.image):
                        self._take(followed)
            advance(done)
            if until_started and self._follower.start is not None:
                return

    def started(self) -> Start:
        """The start; InputError if there never was one."""
        start = self._follower.start
        if start is None:
            raise InputError(
                f"{self._sequence.folder}: the photographs do not tell where the camera is: {self._follower.reason}. "
                "Tracking begins over roughly level, textured ground that fills most of the view, with the camera "
                "moving sideways or ahead; or give poses (--trajectory)"
            )
        return start

    def release(self) -> None:
        """Release what this made in the context."""
        self._follower.release()

    def _take(self, followed: Followed) -> None:
        entry, tracked = followed.entry, followed.tracked
        self.states[tracked.state] += 1
        pose = tracked.T_world_camera
        if pose is None:
            self._skip(entry, f"{tracked.state}: {tracked.reason}")
            return
        self.poses[entry.index] = pose
        self.found.append(entry)
        if self._fusion is None or not tracked.usable:
            return
        ground = Ground(0.0, 1.0, 0)
        if self.keyframes:
            last = self.poses[self.keyframes[-1].index]
            if not is_apart(pose, last, ground.distance(pose, WORLD)):
                return
        self.keyframes.append(entry)
        if self._fusion.add(entry, followed.image, pose):
            self._follower.use_map(self._fusion.surface)

    def _skip(self, entry: FrameEntry, reason: str) -> None:
        self.skipped.append(Skipped(entry.index, entry.name, reason))


def _refined(
    context: Context,
    sequence: Sequence,
    options: SequenceOptions,
    pursuit: _Pursuit,
    ground: Ground,
    placement: Placement,
    skipped: tuple[Skipped, ...],
    description: dict[str, Any],
) -> FinishedMap:
    """The map made anew from the keyframes' poses, refined with it."""
    keyframes = tuple(pursuit.keyframes)
    refined = refine_with_map(context, sequence, keyframes, pursuit.poses, ground, placement, options)
    keyframes = tuple(entry for entry in keyframes if entry.index in refined.poses)
    fusion = KeyframeFusion(context, sequence, options, placement, ground)
    try:
        fusion.add_all(keyframes, refined.poses, lambda done, total: None)
        return fusion.finish(skipped, description | refined.description, trajectory_of(keyframes, refined.poses))
    finally:
        fusion.release()


def _describe(sequence: Sequence, start: Start, pursuit: _Pursuit) -> dict[str, Any]:
    """What tracking found, for `report.json`."""
    camera = sequence.camera
    return {
        "camera": {name: getattr(camera, name) for name in ("fx", "fy", "cx", "cy")},
        "camera_from": "camera.yaml",
        "time_offset": 0.0,
        "time_offset_from": "0: poses are of the photographs' own times",
        "poses_from": "tracked",
        "up_to_scale": start.scale == "unknown",
        "scale_from": start.scale,
        "tracking": {
            "camera_height_at_start": start.camera_height,
            "frames_of_start": len(start.frames),
            "states": dict(pursuit.states),
            "keyframes": len(pursuit.keyframes),
        },
    }
