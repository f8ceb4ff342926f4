"""`glrender fit`: a height map fitted to all frames of a sequence jointly."""

import math
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from glrender.cli.options import (
    check_above_0,
    check_grid,
    describe_camera,
    describe_time_offset,
    option,
    print_skipped,
    read_calibration,
    read_depth_noise,
    read_time_offset,
)
from glrender.cli.progress import progress
from glrender.errors import UsageError
from glrender.fusion.noise import DepthNoise
from glrender.fusion.weighting import Weighting
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.io.files import writing_into
from glrender.io.sequence_folder import open_sequence
from glrender.io.trajectory import read_pose
from glrender.pipeline.descent import FitStep
from glrender.pipeline.fit import fit_sequence
from glrender.pipeline.fit_input import FitOptions
from glrender.pipeline.outputs import FinishedMap, keeping_in
from glrender.solve.losses import make_loss


@dataclass(frozen=True)
class Options:
    """Fit the heights, and colours, of a map to all frames of a sequence at once, by Levenberg-Marquardt.

    Where `fuse` takes one frame after the other, this goes through all of them again at every step: slower, but every
    frame is compared with the final map, and photographs alone suffice where the heights they start from are good.
    Writes map.npz, map.ply, preview.png (look at it first) and report.json into the folder --out, replacing those of
    an earlier run. Ctrl-C keeps the last estimate; the report then says that it is partial, and the exit status is 1.
    """

    sequence: Positional[Path]
    """Folder in the TUM RGB-D format with a camera.yaml."""
    out: Path
    """Folder to write."""
    frames: str = "::"
    """even, odd, first, second, or a:b:c: lines of depth.txt (of rgb.txt without depth), counted from 0."""
    spacing: Annotated[float | None, option("M", "4 pixels on the ground, rounded")] = None
    """Metres between the vertices of the map."""
    bounds: Annotated[tuple[float, float, float, float] | None, option("X0 X1 Y0 Y1", "what the frames see")] = None
    """Extent of the map, metres in its own frame."""
    use: Annotated[Literal["depth", "color", "both"] | None, option("depth|color|both", "what the frames have")] = None
    """What to fit to: depth gives heights alone; color and both give heights and colours."""
    T_world_map: Annotated[Path | None, arg(name="T-world-map"), option("FILE", "level ground: the world's frame")] = (
        None
    )
    """4 x 4 matrix that takes map to world coordinates."""
    start: Annotated[Path | None, option("MAP.npz", "what the depth images see, else a plane")] = None
    """Map whose heights to start from, on whose grid; needed for photographs of ground that is not flat."""
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
    color_noise: float = Weighting.color_noise
    """Standard deviation of a linear colour channel; exposure and shading count as noise here."""
    loss: Annotated[
        Literal["squared", "huber", "cauchy", "tukey"] | None,
        option("squared|huber|cauchy|tukey", "cauchy for depth, huber for colour"),
    ] = None
    """Robust loss of the residuals."""
    smoothness: float = FitOptions.slope_sigma
    """Prior: standard deviation of the slope between neighbouring vertices; 1 hardly smooths anything."""
    iterations: int = FitOptions.iterations
    """Steps to try at most."""
    strict: bool = False
    """Fail if any frame cannot be used."""


def run(options: Options) -> int:
    """Fit, write the results and say what they are."""
    chosen = _read_options(options)
    sequence = open_sequence(options.sequence, options.trajectory, only="depth" if options.use == "depth" else None)
    title = f"{options.sequence.resolve().name}, fitted"
    with (
        writing_into(options.out) as folder,
        keeping_in(folder, title) as keep,
        Context() as context,
        ExitStack() as reading,
    ):
        advance = reading.enter_context(progress("reading"))
        finished = fit_sequence(context, sequence, chosen, advance, _StepTable(begin=reading.close), keep)
    _print_summary(folder, finished)
    return 1 if finished.partial else 0


def _read_options(options: Options) -> FitOptions:
    """The same for `fit_sequence`, files read; UsageError for what makes no sense."""
    check_grid(options.spacing, options.bounds)
    check_above_0(options, "color_noise", "smoothness", "iterations")
    if options.calibrate and options.use == "color":
        raise UsageError("--calibrate: received --use color as well, but a camera is calibrated by its depth images")
    weighting = Weighting(read_depth_noise(options.depth_noise), options.color_noise)
    if options.loss is not None:
        weighting = replace(weighting, depth_loss=make_loss(options.loss), color_loss=make_loss(options.loss))
    return FitOptions(
        frames=options.frames,
        use=options.use,
        spacing=options.spacing,
        bounds=options.bounds,
        T_world_map=None if options.T_world_map is None else read_pose(options.T_world_map),
        start=None if options.start is None else HeightMap.load(options.start),
        time_offset=read_time_offset(options.time_offset),
        calibration=read_calibration(
            options.calibrate, options.calibrate_depth_scale, options.calibrate_height_offsets
        ),
        strict=options.strict,
        weighting=weighting,
        slope_sigma=options.smoothness,
        iterations=options.iterations,
    )


class _StepTable:
    """Prints one line for each estimate, as it is reached."""

    def __init__(self, begin: Callable[[], None]) -> None:
        """`begin` is called before the first line."""
        self._begin = begin
        self._count = 0

    def __call__(self, step: FitStep) -> None:
        if self._count == 0:
            self._begin()
            print("step  round  measurements          cost  per measurement  moved [mm]  time [s]")
        moved = "" if math.isnan(step.moved) else f"{1e3 * step.moved:.4f}"
        each = step.cost / max(step.measurements, 1)
        print(
            f"{self._count:4d}  {step.round:5d}  {step.measurements:12d}  {step.cost:12.6e}  {each:15.5f}  {moved:>10}"
            f"  {step.seconds:8.2f}",
            flush=True,
        )
        self._count += 1


def _print_summary(folder: Path, finished: FinishedMap) -> None:
    report, surface = finished.report, finished.surface
    rows, cols = surface.shape
    depth, color, sigma = report["residuals"]["median_abs_m"], report["residuals"]["color_rms"], report["median_sigma"]
    print(
        f"{folder}: {report['frames_used']} frames fitted{' (interrupted: partial)' if finished.partial else ''}"
        + ("" if depth is None else f", depth within {1e3 * depth:.2f} mm (median)")
        + ("" if color is None else f", colour within {color:.3f} (rms)")
        + "\n"
        f"  {'converged' if report['converged'] else 'stopped'}: {report['ended']}\n"
        f"  map of {rows} x {cols} cells of {1e3 * surface.spacing:g} mm, {report['observed']:.1%} observed"
        + ("" if sigma is None else f", median sigma {1e3 * sigma:.2f} mm")
        + f"\n  {describe_camera(report)}\n"
        f"  {describe_time_offset(report)}\n"
        f"  frame: {report['placement']['T_world_map_from']}"
    )
    print_skipped(report["frames_skipped"])
    print("  wrote " + ", ".join(finished.files) + ": look at " + str(folder / "preview.png"))
