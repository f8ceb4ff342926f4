"""Photographs of one moving camera, whose poses are known, become a height map: by the depth that its motion tells."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glrender.advance import Advance, silently
from glrender.fusion.displacement import Displacement
from glrender.geometry.intensity import intensity
from glrender.gl.context import Context
from glrender.interrupt import interruptible_after
from glrender.io.images import FrameError
from glrender.io.sequence import FrameEntry, FramePoses, Sequence, Skipped
from glrender.io.trajectory import Trajectory
from glrender.pipeline.chosen_frames import choose_frames
from glrender.pipeline.fuse import SequenceOptions, check_arguments
from glrender.pipeline.ground import Ground, find_ground
from glrender.pipeline.keyframe_fusion import KeyframeFusion
from glrender.pipeline.keyframes import choose_keyframes, with_ends
from glrender.pipeline.outputs import FinishedMap, Keep, keep_nowhere
from glrender.pipeline.placement import Placement, place_on_ground
from glrender.pipeline.refined_start import refine_start
from glrender.pipeline.refinement_turns import undone
from glrender.pipeline.upright import find_upright

Float64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PhotographStart:
    """The photographs that are to become a map, and where it will lie."""

    posed: tuple[FrameEntry, ...]
    """Those that have a pose."""
    keyframes: tuple[FrameEntry, ...]
    """Of them those that are to be given a depth."""
    poses: FramePoses
    """T_world_camera (4, 4) of each by its index."""
    ground: Ground
    placement: Placement
    skipped: tuple[Skipped, ...]
    """Frames that cannot be used."""
    description: dict[str, Any]
    """Of frames, camera and poses, for `report.json`."""
    trajectory: Trajectory | None
    """All poses, where they were estimated."""
    displacement: Displacement | None = None
    """What the poses of all frames together leave uncertain of where the ground is, in the map's frame; None: nothing
    that is known."""
    stages: Mapping[str, list[float]] = field(default_factory=dict)
    """Milliseconds of each frame that it took to come so far."""
    seconds: float = 0.0
    """All of them."""


def start_photographs(context: Context, sequence: Sequence, options: SequenceOptions) -> PhotographStart:
    """Find the ground, choose keyframes and place the map; raises as `fuse_photographs` does."""
    chosen = choose_frames(
        context,
        sequence,
        options.frames,
        calibration=None,
        noise=options.fusion.depth_noise,
        of_depth=False,
        time_offset=options.time_offset,
        placement=options.placement,
        strict=options.strict,
    )
    assert sequence.trajectory is not None
    poses = {entry.index: sequence.trajectory.at(entry.time + chosen.offset.seconds) for entry in chosen.posed}
    frame, ground, frame_source = _find_ground(sequence, chosen.posed, poses, options)
    keyframes = choose_keyframes(chosen.posed, poses, frame, ground)
    seen_from = [poses[entry.index] for entry in keyframes]
    given = replace(options.placement, T_world_map=frame)
    placement = place_on_ground(sequence, seen_from, ground.height, given, frame_source)
    description = chosen.description() | {"frames": len(chosen.posed), "poses_from": "given"}
    return PhotographStart(chosen.posed, keyframes, poses, ground, placement, tuple(chosen.skipped), description, None)


def fuse_photographs(
    context: Context,
    sequence: Sequence,
    options: SequenceOptions,
    advance: Advance = silently,
    keep: Keep = keep_nowhere,
) -> FinishedMap:
    """Fuse a sequence's photographs; arguments, interruptions and what is returned are those of `fuse_sequence`.

    Raises InputError where there are no photographs, no poses, no ground that they agree on, (with `strict`) any frame
    that cannot be used, or nothing that falls on the map.
    """
    check_arguments(sequence, options)
    return fuse_keyframes(context, sequence, options, start_photographs(context, sequence, options), advance, keep)


def fuse_keyframes(
    context: Context,
    sequence: Sequence,
    options: SequenceOptions,
    start: PhotographStart,
    advance: Advance,
    keep: Keep,
) -> FinishedMap:
    """Refine given poses, if `options` say so, and fuse the keyframes; all else as of `fuse_sequence`."""
    keyframes, poses, trajectory, description = start.keyframes, start.poses, start.trajectory, start.description
    displacement, frame = start.displacement, start.placement.T_world_map
    if options.motion.refine_poses and options.motion.track is None:
        refined = refine_start(sequence, start.posed, keyframes, poses, start.ground, frame, options)
        # By how much the poses still disagree is for fusion to find: what was said of the given ones does not hold.
        options = replace(options, fusion=replace(options.fusion, pose_sigma=None))
        poses, trajectory, displacement = refined.poses, refined.trajectory, refined.displacement
        description = description | refined.description
        sequence = undone(sequence, refined.shutter, refined.lens)
        keyframes = choose_keyframes(start.posed, poses, frame, start.ground)
    fusion = KeyframeFusion(context, sequence, options, start.placement, start.ground)
    fusion.displaced_by(displacement)
    try:
        fusion.add_all(with_ends(keyframes, start.posed), poses, advance)
        with interruptible_after():
            finished = fusion.finish(start.skipped, description, trajectory, start.stages, start.seconds)
            keep(finished)
    finally:
        fusion.release()
    return finished


def _find_ground(
    sequence: Sequence, entries: tuple[FrameEntry, ...], poses: FramePoses, options: SequenceOptions
) -> tuple[Float64, Ground, str]:
    """T_world_map (4, 4), given or found, the ground's level in it, and where the frame is from."""

    def read(k: int) -> NDArray[np.float32] | None:
        try:
            image = sequence.read(entries[k]).image
        except FrameError:
            return None  # told of by whoever fuses it
        assert image is not None
        return intensity(image)

    seen_from = [poses[entry.index] for entry in entries]
    for frame, source in ((options.T_world_map, "given"), (sequence.T_world_map, "T_world_map.txt")):
        if frame is not None:
            return frame, find_ground(sequence.camera, seen_from, read, frame), source
    upright = find_upright(sequence.camera, seen_from, read)
    return upright.T_world_map, upright.ground, upright.source
