"""`glrender fuse`: a sequence becomes a height map, frame by frame."""

import math
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from glrender.cli.fuse_summary import print_summary
from glrender.cli.fuse_warnings import warnings_of
from glrender.cli.options import (
    check_above_0,
    check_grid,
    flag,
    option,
    read_calibration,
    read_depth_noise,
    read_time_offset,
)
from glrender.cli.progress import progress
from glrender.errors import GlrenderError, InputError, UsageError
from glrender.frontend.bootstrap import KnownScale
from glrender.fusion.noise import DepthNoise
from glrender.fusion.options import FusionOptions
from glrender.fusion.shared_errors import PoseSigma
from glrender.gl.context import Context
from glrender.io.files import writing_into
from glrender.io.sequence import MOST_PIXELS
from glrender.io.sequence_folder import open_sequence
from glrender.io.trajectory import read_pose
from glrender.pipeline.fuse import MotionOptions, SequenceOptions, fuse_sequence
from glrender.pipeline.outputs import keeping_in
from glrender.pipeline.photographs import fuse_photographs
from glrender.pipeline.refined_depth import fuse_refined_depth
from glrender.pipeline.tracked_depth import fuse_tracked_depth
from glrender.pipeline.tracked_photographs import fuse_tracked_photographs


@dataclass(frozen=True)
class Options:
    """Fuse a sequence's depth images, and its photographs beside them, into a height map with error bars.

    Writes map.npz, map.ply, preview.png (look at it first) and report.json into the folder --out, replacing those
    of an earlier run. Frames that cannot be used are skipped, counted and named in the report. Ctrl-C keeps the map
    of the frames so far; the report then says that it is partial, and the exit status is 1.
    """

    sequence: Positional[Path]
    """Folder in the TUM RGB-D format with a camera.yaml."""
    out: Path
    """Folder to write."""
    frames: str = "::"
    """even, odd, first, second, or a:b:c: lines of depth.txt, counted from 0."""
    spacing: Annotated[float | None, option("M", "4 pixels on the ground (photographs: 3), rounded")] = None
    """Metres between the vertices of the map."""
    bounds: Annotated[tuple[float, float, float, float] | None, option("X0 X1 Y0 Y1", "what the frames see")] = None
    """Extent of the map, metres in its own frame."""
    use: Literal["depth", "color", "both"] = "both"
    """What to fuse: depth images, photographs for their colours beside them, or photographs alone (color), whose depth
    is found from the camera's motion."""
    heights_from: Literal["depth", "color", "both"] = "depth"
    """What tells heights, for comparison: depth, photographs beside it (both), or photographs alone once depth has
    found a cell (color). With --use color, depth is what motion tells, of the same photographs: so not both."""
    T_world_map: Annotated[Path | None, arg(name="T-world-map"), option("FILE", "level ground: the world's frame")] = (
        None
    )
    """4 x 4 matrix that takes map to world coordinates; without it the sequence's T_world_map.txt, else the world's
    own frame where the ground is level in it within 15 degrees and seen at least two thirds as much as a wall, else the
    dominant plane. Of photographs alone: the world's where they agree on a level of it, else one in which they do."""
    time_offset: Annotated[str, option("S|auto", "auto")] = "auto"
    """Seconds added to a frame's time before its pose is looked up; auto finds it where the motion tells."""
    calibrate: bool = False
    """Estimate fx, fy, cx, cy of the depth camera, and the time offset unless it is given, with a map of 40 frames
    first; what the motion does not tell keeps its nominal value."""
    calibrate_depth_scale: bool = False
    """With --calibrate: the scale of the sensor's depths, too."""
    calibrate_height_offsets: bool = False
    """With --calibrate: by how much each frame's camera stands higher than its pose says, of up to 120 frames, too."""
    trajectory: Annotated[Path | None, option("FILE", "the sequence's groundtruth.txt")] = None
    """Poses in the TUM format."""
    depth_noise: tuple[float, float] = field(default=(DepthNoise.base, DepthNoise.quadratic))
    """Standard deviation A + B z² of a depth z, metres."""
    pose_sigma: Annotated[tuple[float, float] | None, option("METRES DEGREES", "from how the frames disagree")] = None
    """Standard deviations of a pose along, and about, each axis of the camera, independent from frame to frame."""
    offset_sigma: Annotated[float | None, option("METRES", "0 with --pose-sigma")] = None
    """Standard deviation of an error that all depths of a frame share; with --pose-sigma."""
    track: bool = False
    """Estimate the poses: against keyframes with the depth of their sensor, or with --use color from nothing, over
    ground that is roughly level at first. The world has its origin on the ground below the first camera, z up and x to
    its right; from photographs alone its scale is unknown unless a height, a baseline, odometry or --scale tells it."""
    camera_height: Annotated[float | None, option("M", "unknown: the height of the first camera is 1")] = None
    """With --track: metres of the first camera above the ground."""
    baseline: Annotated[float | None, option("M", "unknown")] = None
    """With --track: metres between the first and the last photograph that the start is made of."""
    scale: Annotated[float | None, option("M", "unknown")] = None
    """With --track: metres that 1 is in a map of unknown scale, as something of known size in an earlier one tells."""
    odometry: Annotated[Path | None, option("FILE", "none")] = None
    """With --track: poses of the camera by odometry, in the TUM format, as convert makes them of a robot's with
    --T-base-camera. The scale is theirs, and they are first guesses."""
    refine_poses: bool = False
    """Refine the poses first, those of depth images too, by points that photographs have in common. --pose-sigma says
    how far they are off, else the photographs, up to 0.02 of the camera's distance to the ground and 0.6 degrees, and
    whether the camera sits otherwise on its carrier. A lens of the photographs whose k1 is another one is told as well,
    and undone in them. Poses by which depth images agree worse are not taken. With --use color, tracked poses always
    are refined, but for --realtime."""
    height_range: Annotated[
        tuple[float, float] | None, option("LOW HIGH", "around the level on which most photographs agree")
    ] = None
    """With --use color: heights of the ground to look for, metres in the map's frame."""
    reduce: Annotated[int | None, option("N", f"so that {MOST_PIXELS / 1e6:.1f} million pixels are left at most")] = (
        None
    )
    """With --use color: make photographs N times smaller along each side first, 1 not at all; cells of the default
    spacing are of four pixels then. Each pixel takes memory and time, 0.2 kB and 10 µs or more a photograph."""
    realtime: bool = False
    """Take frames at the pace at which they were recorded, and drop those that fusion cannot keep up with."""
    strict: bool = False
    """Fail if any frame cannot be used."""


def run(options: Options) -> int:
    """Fuse, write the results and say what they are."""
    _check_motion(options)
    check_grid(options.spacing, options.bounds)
    chosen = SequenceOptions(
        frames=options.frames,
        use=options.use,
        spacing=options.spacing,
        bounds=options.bounds,
        T_world_map=None if options.T_world_map is None else read_pose(options.T_world_map),
        time_offset=read_time_offset(options.time_offset),
        realtime=options.realtime,
        calibration=read_calibration(
            options.calibrate, options.calibrate_depth_scale, options.calibrate_height_offsets
        ),
        motion=MotionOptions(
            _read_scale(options), options.odometry is not None, options.refine_poses, options.height_range
        ),
        strict=options.strict,
        fusion=FusionOptions(
            depth_noise=read_depth_noise(options.depth_noise),
            pose_sigma=_read_pose_sigma(options.pose_sigma, options.offset_sigma),
            heights_from=options.heights_from,
        ),
    )
    from_photographs = options.use == "color"
    poses = "tracked" if options.track else "refined" if options.refine_poses else "given"
    sequence = open_sequence(options.sequence, options.odometry or options.trajectory, only=_LISTS.get(options.use))
    if from_photographs:
        sequence = sequence.reduced() if options.reduce is None else sequence.binned(options.reduce)
    bar = progress("fusing", before="preparing (the first time, loops are compiled for a minute)")
    title = f"{options.sequence.resolve().name}, fused"
    with (
        writing_into(options.out) as folder,
        keeping_in(folder, title) as keep,
        Context() as context,
        bar as advance,
    ):
        finished = _FUSE[from_photographs, poses](context, sequence, chosen, advance, keep)
    print_summary(folder, finished)
    for warning in warnings_of(finished.report):
        print(f"glrender: warning: {warning}", file=sys.stderr)
    if finished.failure is not None:
        raise GlrenderError(f"{finished.failure}; {folder} holds the map of the frames before") from finished.failure
    return 1 if finished.partial else 0


_LISTS: dict[str, Literal["rgb", "depth"]] = {"depth": "depth", "color": "rgb"}
"""The only list of images that is read for some values of --use; for others both lists are read."""

_FUSE = {
    (False, "given"): fuse_sequence,
    (False, "refined"): fuse_refined_depth,
    (False, "tracked"): fuse_tracked_depth,
    (True, "given"): fuse_photographs,
    (True, "refined"): fuse_photographs,
    (True, "tracked"): fuse_tracked_photographs,
}
"""By whether there are photographs alone, and what is to become of the poses."""


def _check_motion(options: Options) -> None:
    """UsageError for options that do not go together with, or without, --use color."""
    if options.use == "color":
        for name in ("calibrate",) if options.track else ("calibrate", "realtime"):
            if getattr(options, name):
                raise UsageError(
                    f"--{name}: received with --use color, which has no depth images; leave one of them out"
                )
    else:
        for name in ("height_range", "camera_height", "baseline", "scale", "odometry", "reduce"):
            if getattr(options, name) is not None:
                raise UsageError(f"{flag(name)}: received without --use color, which it belongs to")
        for name in ("track", "realtime"):
            if options.refine_poses and getattr(options, name):
                raise UsageError(
                    f"--{name}: received with --refine-poses, which looks at all photographs of given poses before the "
                    "first depth image; leave one of them out"
                )
    if options.use == "depth" and options.track:
        raise UsageError(
            "--track: received with --use depth, which reads no photographs, and tracking does; leave one of them out"
        )
    if (options.use, options.heights_from) in (("depth", "color"), ("depth", "both"), ("color", "both")):
        why = "reads no photographs" if options.use == "depth" else "has its depth from the same photographs"
        raise UsageError(f"--heights-from: received {options.heights_from} with --use {options.use}, which {why}")
    if options.reduce is not None and options.reduce < 1:
        raise UsageError(f"--reduce: received {options.reduce}, expected a whole number of at least 1")
    if options.height_range is not None:
        low, high = options.height_range
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise UsageError(f"--height-range: received {low:g} {high:g}, expected finite metres LOW < HIGH")


def _read_scale(options: Options) -> KnownScale | None:
    """What is known of the scale where poses are estimated; None where they are not."""
    if options.odometry is not None and not options.track:
        raise UsageError("--odometry: received without --track, which it belongs to; --trajectory gives poses")
    if options.trajectory is not None and options.track:
        raise UsageError(
            "--trajectory: received with --track, which estimates the poses; --odometry gives first guesses"
        )
    given = [name for name in ("camera_height", "baseline", "scale") if getattr(options, name) is not None]
    if given and not options.track:
        raise UsageError(f"{flag(given[0])}: received without --track, which it belongs to")
    if not options.track:
        return None
    check_above_0(options, *given, of=" of metres")
    if len(given) > 1:
        raise UsageError(f"{', '.join(map(flag, given))}: received together; one of them is the scale")
    return KnownScale(camera_height=options.camera_height, baseline_metres=options.baseline, unit_metres=options.scale)


def _read_pose_sigma(pose: tuple[float, float] | None, offset: float | None) -> PoseSigma | None:
    if pose is None:
        if offset is not None:
            raise UsageError("--offset-sigma: received it without --pose-sigma; give both, 0 0 for exact poses")
        return None
    try:
        return PoseSigma(*pose, offset or 0.0)
    except InputError as error:
        raise UsageError(f"--pose-sigma, --offset-sigma: {error}") from None
