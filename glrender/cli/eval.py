"""`glrender eval`: how good a map is, against the truth or against frames held out."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from tyro.conf import Positional, arg

from glrender.cli.eval_tables import print_tables
from glrender.cli.options import check_above_0, flag, read_depth_noise
from glrender.cli.progress import progress
from glrender.errors import InputError, UsageError
from glrender.fusion.noise import DepthNoise
from glrender.geometry.camera import INTRINSICS
from glrender.geometry.heightmap import HeightMap
from glrender.geometry.trajectory_alignment import TrajectoryAlignment
from glrender.gl.context import Context
from glrender.io.error_picture import write_error_picture
from glrender.io.files import writing_into
from glrender.io.report import REPORT, read_report, report_beside, to_json, told_crs
from glrender.io.sequence import Sequence
from glrender.io.sequence_folder import open_sequence
from glrender.io.surface_model import read_surface
from glrender.io.trajectory import read_trajectory
from glrender.pipeline.evaluate import (
    Evaluation,
    FrameEvaluation,
    Protocol,
    TruthEvaluation,
    evaluate_against_frames,
    evaluate_against_truth,
)
from glrender.pipeline.outputs import TRAJECTORY
from glrender.pipeline.relief import evaluate_relief
from glrender.pipeline.trajectory_error import evaluate_trajectory, moved_map

NOISE = DepthNoise()
PROTOCOL = ("step", "depth_range", "region", "time_offset", "depth_noise")
FOR_SEQUENCES = ("frames", *PROTOCOL)
"""Options that mean nothing against a truth."""
FOR_TRUTH = ("remove_offset", "relief", "truth_trajectory")
"""Options that mean nothing against a sequence."""


@dataclass(frozen=True)
class Options:
    """Judge a height map: give either --truth or --sequence.

    Against a truth, errors are the map's height less the true one, at every cell of the map. Against a sequence,
    they are the map's depth less the measured depth along the camera's z, at every judged pixel; choose frames that
    the map was not made of. Completeness is the share of the truth's cells, or of the judged pixels, for which
    the map has a height. A picture of the height errors is written beside the map.
    """

    map: Positional[Path]
    """The map.npz to judge."""
    truth: Path | None = None
    """The true heights, on any grid whose vertical is the map's: a map.npz, or a surface model as GeoTIFF, of which
    what lies within the map's bounds is judged; it must be in the reference system of the map's poses."""
    remove_offset: bool = False
    """Take the median error off first: where the camera's height is not known as well as the ground's form."""
    relief: Annotated[float | None, arg(metavar="M")] = None
    """Judge also, by themselves, the cells that depart from the truth's plane by M metres or more."""
    truth_trajectory: Annotated[Path | None, arg(metavar="FILE")] = None
    """The true poses of a map whose poses were estimated: their error is told, and the map moved along with them."""
    trajectory: Annotated[
        Path | None,
        arg(metavar="FILE", help_behavior_hint="(default: those beside a map that has its own)"),
    ] = None
    """The map's poses: what --truth-trajectory judges, or where the frames of --sequence are looked for."""
    sequence: Path | None = None
    """A folder of depth images with poses."""
    frames: Annotated[str, arg(metavar="even|odd|first|second|A:B:C")] = ":"
    """Which frames of the sequence, counted as in fuse; all unless given."""
    step: int = 1
    """Judge every STEP-th pixel in u and in v."""
    depth_range: Annotated[tuple[float, float] | None, arg(metavar="NEAR FAR")] = None
    """Judge measured depths from NEAR to FAR metres only."""
    region: Annotated[tuple[float, float, float, float, float, float] | None, arg(metavar="X0 X1 Y0 Y1 Z0 Z1")] = None
    """Judge measured points in this box only, world metres."""
    time_offset: Annotated[
        float | None, arg(metavar="S", help_behavior_hint="(default: what the map's report.json says, else 0)")
    ] = None
    """Seconds to add to a frame's time before its pose is looked up."""
    depth_noise: Annotated[tuple[float, float], arg(metavar="A B")] = (NOISE.base, NOISE.quadratic)
    """Standard deviation A + B z² of a measured depth z, metres; it counts beside the map's sigma."""
    out: Annotated[Path | None, arg(help_behavior_hint="(default: the map's own folder)")] = None
    """Folder for the picture."""
    json: bool = False
    """Print one JSON object instead of the table."""


def run(options: Options) -> int:
    """Judge, write the picture, print the outcome."""
    _check(options)
    estimate = HeightMap.load(options.map)
    evaluation: Evaluation
    with writing_into(options.out or options.map.parent) as folder:
        if options.truth is not None:
            estimate, evaluation, alignment, account = _judge_by_truth(options, estimate, options.truth)
            against, reference, kind = options.truth, "truth", "truth"
        else:
            assert options.sequence is not None
            evaluation, account = _judge_by_frames(options, estimate, options.sequence)
            alignment = None
            against, reference, kind = options.sequence, "measured (mean of each cell)", "frames"
        picture = folder / f"{options.map.stem}_error_{kind}.png"
        title = f"{options.map} against {against}"
        write_error_picture(picture, estimate, evaluation.height_errors, title, reference, alignment)

    result = _result(evaluation, {"map": options.map} | account | {"picture": picture})
    if options.json:
        print(json.dumps(to_json(result), indent=2, allow_nan=False))
    else:
        print_tables(title, result)
    return 0


def _judge_by_truth(
    options: Options, estimate: HeightMap, path: Path
) -> tuple[HeightMap, TruthEvaluation, TrajectoryAlignment | None, dict[str, Any]]:
    """The map where it was judged, the evaluation, the poses' part in it, and an account of what was judged how."""
    account: dict[str, Any] = {"truth": path, "error": "height of the map minus true height"}
    made = report_beside(options.map)
    alignment = None
    if options.truth_trajectory is not None:
        found, alignment = evaluate_trajectory(
            read_trajectory(options.trajectory or options.map.parent / TRAJECTORY),
            read_trajectory(options.truth_trajectory),
            scale=bool(made.get("up_to_scale", False)),
        )
        estimate = moved_map(estimate, alignment)
        account |= asdict(found)
    truth = read_surface(path, estimate, told_crs(made) if alignment is None else None)
    evaluation = evaluate_against_truth(estimate, truth, remove_offset=options.remove_offset)
    if options.remove_offset:
        account["error"] += ", less the median"
    if options.relief is not None:
        account |= asdict(evaluate_relief(estimate, truth, options.relief, evaluation.removed_offset_mm / 1000))
    return estimate, evaluation, alignment, account | {"cells": int(np.isfinite(estimate.heights).sum())}


def _judge_by_frames(options: Options, estimate: HeightMap, folder: Path) -> tuple[FrameEvaluation, dict[str, Any]]:
    """The evaluation, and an account of what was judged in what way."""
    sequence, time_offset, source = _as_fused(folder, options.trajectory, options.map.parent)
    protocol = Protocol(
        step=options.step,
        depth_range=options.depth_range or (0.0, math.inf),
        region=options.region,
        time_offset=time_offset if options.time_offset is None else options.time_offset,
        depth_noise=read_depth_noise(options.depth_noise),
    )
    with Context() as context, progress("judging") as advance:
        evaluation = evaluate_against_frames(context, estimate, sequence, options.frames, protocol, advance=advance)
    account = {
        "sequence": folder,
        "error": "depth of the map minus measured depth, along the camera's z",
        "selection": options.frames,
        **{name: getattr(protocol, name) for name in PROTOCOL},
        "camera": {name: getattr(sequence.camera, name) for name in INTRINSICS},
        "calibration": source,
    }
    return evaluation, account


def _as_fused(folder: Path, trajectory: Path | None, made: Path) -> tuple[Sequence, float, str]:
    """The sequence with the depth camera and the poses to judge with, the time offset, and in words where these are
    from.

    They are what the map was made with, so those beside it in the folder `made`; a map of another sequence says nothing
    about this one's camera, clock and poses.
    """
    nominal, path = folder / "camera.yaml", made / REPORT
    if not path.exists():
        return open_sequence(folder, trajectory, only="depth"), 0.0, str(nominal)
    report = read_report(path)
    made_of = report["options"].get("sequence") if isinstance(report["options"], Mapping) else None
    if isinstance(made_of, str) and Path(made_of).resolve() != folder.resolve():
        source = f"{nominal}; the map was made of another sequence, {made_of}"
        return open_sequence(folder, trajectory, only="depth"), 0.0, source
    source = str(path)
    if trajectory is None and report.get("poses_from", "given") != "given":
        trajectory = made / TRAJECTORY
    if trajectory is not None:
        source += f", poses from {trajectory}"
    sequence = open_sequence(folder, trajectory, only="depth")
    try:
        fx, fy, cx, cy = (float(report["camera"][name]) for name in INTRINSICS)
        camera = replace(sequence.camera, fx=fx, fy=fy, cx=cx, cy=cy)
        depth_scale = float(report.get("depth_scale", sequence.depth_scale))
        return sequence.with_camera(camera, depth_scale), float(report["time_offset"]), source
    except (KeyError, TypeError, ValueError):
        raise InputError(
            f"{path}: received camera {report['camera']!r} and time_offset {report['time_offset']!r}, "
            f"expected a camera with {', '.join(INTRINSICS)} (pixels), and seconds"
        ) from None


def _result(evaluation: Evaluation, account: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that is known: what `--json` prints."""
    numbers = {f.name: getattr(evaluation, f.name) for f in fields(evaluation)}
    del numbers["summary"], numbers["height_errors"]
    return {**account, **asdict(evaluation.summary), **numbers}


def _check(options: Options) -> None:
    if (options.truth is None) == (options.sequence is None):
        received = "neither" if options.truth is None else "both"
        raise UsageError(f"received {received} of --truth and --sequence; give one of them to judge the map by")
    if options.truth is not None:
        for name in FOR_SEQUENCES:
            if getattr(options, name) != getattr(Options, name):
                raise UsageError(f"{flag(name)} belongs to --sequence; against a truth every cell is judged")
    else:
        for name in FOR_TRUTH:
            if getattr(options, name) != getattr(Options, name):
                raise UsageError(f"{flag(name)} belongs to --truth; against a sequence every pixel is judged as it is")
    if options.trajectory is not None and options.sequence is None and options.truth_trajectory is None:
        raise UsageError("--trajectory: received without --truth-trajectory, which it is compared with; give both")
    check_above_0(options, "relief", of=" of metres")
    if options.step < 1:
        raise UsageError(f"--step: received {options.step}, expected at least 1")
    if options.time_offset is not None and not math.isfinite(options.time_offset):
        raise UsageError(f"--time-offset: received {options.time_offset}, expected a finite number of seconds")
    read_depth_noise(options.depth_noise)
    if options.depth_range is not None and not 0 <= options.depth_range[0] < options.depth_range[1]:
        raise UsageError(f"--depth-range: received {_words(options.depth_range)}, expected 0 <= NEAR < FAR (metres)")
    if options.region is not None:
        low, high = options.region[0::2], options.region[1::2]
        if not all(a < b for a, b in zip(low, high, strict=True)):  # NaN is refused as well
            raise UsageError(f"--region: received {_words(options.region)}, expected X0 < X1, Y0 < Y1 and Z0 < Z1")


def _words(values: tuple[float, ...]) -> str:
    return " ".join(f"{value:g}" for value in values)
