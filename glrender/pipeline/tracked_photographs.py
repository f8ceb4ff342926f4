"""Photographs of one moving camera, and nothing else, become a trajectory and a height map.

A recording is gone through twice. First the camera is followed over ground taken to be level; its newest keyframes are
adjusted together as they come, by points that they share wherever these lie. Then all poses are refined together in
that way, and the map is made from what came of it. Live (`realtime`), keyframes are fused while the camera is followed,
as many as there is time for.
"""

from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glrender.advance import Advance, silently
from glrender.errors import InputError, ProcessError, UsageError
from glrender.frontend.bootstrap import Start
from glrender.geometry.camera import INTRINSICS
from glrender.gl.context import Context
from glrender.interrupt import interruptible_after
from glrender.io.sequence import FrameEntry, FramePoses, Sequence, trajectory_of
from glrender.io.trajectory import Trajectory
from glrender.pipeline.beside import Beside
from glrender.pipeline.chosen_frames import missing_frames
from glrender.pipeline.fuse import SequenceOptions, check_arguments
from glrender.pipeline.ground import LEVEL
from glrender.pipeline.keyframe_fusion import KeyframeFusion
from glrender.pipeline.keyframes import choose_keyframes
from glrender.pipeline.live_fusion import LiveFusion
from glrender.pipeline.outputs import FinishedMap, Keep, keep_nowhere
from glrender.pipeline.photographs import PhotographStart, fuse_keyframes
from glrender.pipeline.placement import Placement, place_on_ground
from glrender.pipeline.pursuit import LONGEST_GAP, PATIENCE, Pursuit, Step, odometry_of, pursue
from glrender.pipeline.read_ahead import Pace
from glrender.pipeline.refined_track import refine_track
from glrender.pipeline.rehearsal import rehearse_following, rehearse_fusion

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

WORLD = np.eye(4)
"""The map's frame is that of the start: z up from the floor, the origin below the first camera."""


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
    check_arguments(sequence, options)
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
    pursuit = Pursuit(sequence.folder)

    def give(step: Step) -> bool:
        pursuit.take(step)
        advance(pursuit.done, 2 * len(entries))
        return True

    pursuit.move(pursue(give, sequence, options, entries))
    start = pursuit.started()
    poses: FramePoses = pursuit.poses
    found, begun = tuple(pursuit.report.found), perf_counter()
    keyframes = choose_keyframes(found, poses, WORLD, LEVEL)
    refined = refine_track(sequence, found, keyframes, poses, start, pursuit.started_by, odometry_of(sequence, options))
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
    placement = _place(sequence, options, [WORLD])
    pursuit = Pursuit(sequence.folder)
    live: LiveFusion | None = None
    waiting: list[tuple[FrameEntry, Float32]] = []
    """Keyframes, until the world's level and scale are settled."""

    def take_all() -> None:
        with interruptible_after():  # what a step has brought is taken as a whole, or later
            for step in beside.rest():
                pursuit.take(step)
                waiting.extend((each.entry, each.image) for each in step.followed if each.image is not None)

    def fuse_waiting(*, hurry: bool = True) -> None:
        nonlocal live
        poses = pursuit.keyframe_poses
        if live is None:
            distance = LEVEL.distance(poses[waiting[0][0].time], WORLD)
            live = LiveFusion(context, sequence, options, placement, LEVEL, distance, lambda: pursuit.behind)
            kept.enter_context(live.fusion.kept())
        with interruptible_after():
            live.move(poses)
            while waiting:
                entry, image = waiting.pop(0)
                live.add(entry, image, poses[entry.time], newest=not (hurry and waiting))

    beside: Beside[Step, Mapping[float, Float64]] = Beside("following", rehearse_following)
    try:
        with ExitStack() as kept:
            rehearse_fusion(context, sequence, options)
            beside.begin(pursue, sequence, options, entries, Pace(entries, LONGEST_GAP, PATIENCE))
            with suppress(ProcessError):  # it is told of below: what has come until then is fused first
                for _ in beside.arrivals():
                    take_all()
                    if waiting and pursuit.settled:
                        fuse_waiting()
                    advance(pursuit.done, len(entries))
                pursuit.move(beside.result())
            if waiting or live is not None:
                fuse_waiting(hurry=False)
        with interruptible_after():
            beside.close()
            take_all()
            try:
                pursuit.move(beside.result())
            except ProcessError as error:
                if live is None:
                    raise
                live.fusion.break_off(error)
            start = pursuit.started()
            assert live is not None  # the frames that make a start are fit for depth
            description = _describe(sequence, start, pursuit)
            description |= {"frames": len(pursuit.report.found), "live": live.describe() | {"behind_s": pursuit.behind}}
            skipped = (*missing_frames(sequence, options.frames), *pursuit.report.skipped)
            trajectory = trajectory_of(pursuit.report.found, pursuit.poses)
            description |= _judge(sequence, start, pursuit.started_by, live.fusion, odometry_of(sequence, options))
            finished = live.fusion.finish(skipped, description, trajectory, pursuit.stages)
            keep(finished)
    finally:
        beside.close()
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
        track = refine_track(sequence, keyframes, keyframes, poses, start, started_by, odometry)
    except InputError as error:  # a map that is there is not given up for its sigma
        return {"pose_refinement": {"failed": str(error)}}
    fusion.displaced_by(track.displaced)
    described: dict[str, Any] = track.description["pose_refinement"]
    # The map was made from photographs as they are.
    return {"pose_refinement": described | {"shutter_readout": described["shutter_readout"] | {"undone": 0.0}}}


def _place(sequence: Sequence, options: SequenceOptions, poses: list[Float64]) -> Placement:
    given = replace(options.placement, T_world_map=WORLD)
    return place_on_ground(sequence, poses, LEVEL.height, given, "the floor under the first photograph, x to its right")


def _describe(sequence: Sequence, start: Start, pursuit: Pursuit) -> dict[str, Any]:
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
