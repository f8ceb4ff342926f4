"""Depth images whose given poses are refined by their photographs first, and fused then.

Photographs tell how a camera turned and moved between two of them to a fraction of a pixel, which depth images of even
ground hardly do; they need no depth for it, and none is taken from them.
"""

from dataclasses import replace
from typing import Any

from glrender.advance import Advance, silently
from glrender.gl.context import Context
from glrender.io.sequence import Sequence
from glrender.io.sequence_folder import open_sequence
from glrender.io.trajectory import Trajectory
from glrender.pipeline.depth_verdict import compare_by_depth
from glrender.pipeline.fuse import MotionOptions, SequenceOptions, check_arguments, describe_options, fuse_sequence
from glrender.pipeline.outputs import FinishedMap, Keep, keep_nowhere
from glrender.pipeline.photographs import start_photographs
from glrender.pipeline.placement import place_map
from glrender.pipeline.refined_start import RefinedStart, refine_start

_OWN = ("camera", "time_offset", "time_offset_sigma", "time_offset_from")
"""What is told of the photographs by themselves."""


def fuse_refined_depth(
    context: Context,
    sequence: Sequence,
    options: SequenceOptions,
    advance: Advance = silently,
    keep: Keep = keep_nowhere,
) -> FinishedMap:
    """Refine the poses, then fuse the frames; arguments, interruptions and what is returned as of `fuse_sequence`.

    All photographs of the time of the chosen frames are used, also those of frames that are left out. Where the depth
    images agree worse by the poses that come of it, see `glrender.pipeline.depth_verdict`, the given ones are kept.
    Raises InputError where there are no photographs, where they show too little of each other, and what `fuse_sequence`
    raises.
    """
    check_arguments(sequence, options)
    offset = options.time_offset or 0.0
    posed, _ = sequence.with_poses(sequence.select(options.frames), offset)
    placed = place_map(sequence, posed, options.placement, time_offset=offset)
    inside = replace(options, T_world_map=placed.T_world_map)
    refined = _refine_by_photographs(context, sequence, inside)
    verdict = compare_by_depth(sequence, posed, refined.trajectory, placed.T_world_map, options.time_offset)
    better = not verdict.refined_are_worse
    description = refined.description["pose_refinement"] | {"depth_spread": verdict}
    trajectory = refined.trajectory if better else sequence.trajectory
    # By how much refined poses still disagree is for fusion to find: what was said of the given ones does not hold.
    pose_sigma = None if better else options.fusion.pose_sigma

    def complete(finished: FinishedMap) -> FinishedMap:
        report: dict[str, Any] = {**finished.report, "pose_refinement": description}
        report["poses_from"] = "refined" if better else "given"
        report["options"] = describe_options(sequence, options)
        frame_source = placed.description["T_world_map_from"]
        report["placement"] = {**report["placement"], "T_world_map_from": frame_source}
        return replace(finished, trajectory=trajectory if better else None, report=report)

    finished = fuse_sequence(
        context,
        replace(sequence, trajectory=trajectory),
        replace(inside, motion=MotionOptions(), fusion=replace(options.fusion, pose_sigma=pose_sigma)),
        advance,
        lambda finished: keep(complete(finished)),
        displacement=refined.displacement if better else None,
    )
    return complete(finished)


def _refine_by_photographs(context: Context, sequence: Sequence, options: SequenceOptions) -> RefinedStart:
    """The poses of a sequence's camera, refined by the photographs of the chosen frames' time, see `refine_start`.

    `SequenceOptions.T_world_map` is given. The trajectory is that of the photographs, later by
    `SequenceOptions.time_offset` where that is given.
    """
    times = [entry.time for entry in sequence.select(options.frames)]
    photographs = _meanwhile(open_sequence(sequence.folder, only="rgb").reduced(), min(times), max(times))
    photographs = replace(photographs, trajectory=sequence.trajectory)
    options = replace(options, frames="::", strict=False)
    start = start_photographs(context, photographs, options)
    refined = refine_start(
        photographs, start.posed, start.keyframes, start.poses, start.ground, start.placement.T_world_map, options
    )
    # The depth images have a camera and a clock of their own, which come later.
    own = {key: value for key, value in (start.description | refined.description).items() if key in _OWN}
    description = {key: value for key, value in refined.description.items() if key not in _OWN}
    description["pose_refinement"] = description["pose_refinement"] | {"photographs": own}
    trajectory = Trajectory(refined.trajectory.times + (options.time_offset or 0.0), refined.trajectory.poses)
    return replace(refined, trajectory=trajectory, description=description)


def _meanwhile(photographs: Sequence, first: float, last: float) -> Sequence:
    """The photographs from one before the time `first` to one after `last` (seconds)."""
    times = sorted(entry.time for entry in photographs.frames)
    begin = max((time for time in times if time <= first), default=first)
    end = min((time for time in times if time >= last), default=last)
    inside = tuple(entry for entry in photographs.frames if begin <= entry.time <= end)
    return replace(photographs, frames=inside)
