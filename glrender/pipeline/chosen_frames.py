"""Which frames of a sequence can be used, with which camera, and how far the trajectory's clock is off."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from glrender.errors import InputError
from glrender.fusion.noise import DepthNoise
from glrender.geometry.camera import INTRINSICS
from glrender.gl.context import Context
from glrender.io.selection import selected_lines
from glrender.io.sequence import FrameEntry, Sequence, Skipped
from glrender.pipeline.calibrate import Calibration, CalibrationOptions, Nominal, calibrate
from glrender.pipeline.depth_points import DepthPoints
from glrender.pipeline.placement import GivenPlacement, place_map
from glrender.pipeline.time_offset import TimeOffset, estimate_time_offset

USES = ("depth", "color", "both")
"""What of its frames a map is made of."""

_HIDDEN = 3.0
"""The median depth must be so many times the least noise of a depth: no sensor looks at anything nearer."""


@dataclass(frozen=True, eq=False)
class ChosenFrames:
    """Of the frames that were selected, those with their files and a pose."""

    sequence: Sequence
    """To read them from: with the calibrated camera where there is one."""
    posed: tuple[FrameEntry, ...]
    skipped: tuple[Skipped, ...]
    """The others, with the reason for each."""
    offset: TimeOffset
    """To be added to a frame's time before its pose is looked up."""
    points: DepthPoints | None
    """Of some of the selected frames, to see how their poses, their clock and the scale fit; None: none has depth."""
    calibration: Calibration | None
    """What was estimated of the camera and the clock; None: nothing was to be."""

    def description(self) -> dict[str, Any]:
        """The camera and the clock, how well they are known and where they are from, for `report.json`."""
        camera, calibration = self.sequence.camera, self.calibration
        result: dict[str, Any] = {
            "camera": {name: getattr(camera, name) for name in INTRINSICS},
            "depth_scale": self.sequence.depth_scale,
            "time_offset": self.offset.seconds,
            "time_offset_from": self.offset.reason,
        }
        if calibration is None:
            return result | {"camera_from": "camera.yaml"}
        sigma, reasons = calibration.sigma, calibration.reasons
        sources = [f"{group} {reasons[group]}" for group in reasons if group != "time offset"]
        return result | {
            "camera_from": "; ".join(sources),
            "camera_sigma": {name: sigma[name] for name in INTRINSICS},
            "time_offset_sigma": sigma["time_offset"],
            "calibration": calibration.description(),
        }


def choose_frames(
    context: Context,
    sequence: Sequence,
    selection: str,
    *,
    calibration: CalibrationOptions | None,
    noise: DepthNoise,
    of_depth: bool,
    time_offset: float | None,
    placement: GivenPlacement,
    strict: bool,
) -> ChosenFrames:
    """Select frames (even, odd, first, second or a:b:c) and pose them.

    A `time_offset` of None is estimated, in the map frame that `placement` gives or `place_map` finds. With
    `calibration` the camera is estimated, too, whose readings have the `noise`. Where heights come from depth images
    (`of_depth`), some of their points are returned. Raises InputError where no frame has a pose, where depths are
    smaller than their noise or, with `strict`, where any frame cannot be used.
    """
    selected = sequence.select(selection)
    points = _read_points(sequence, selected, noise) if of_depth or time_offset is None else None
    if time_offset is not None:
        offset = TimeOffset(time_offset, time_offset, np.nan, np.nan, "given")
    elif points is None:
        reason = "kept at 0: depth images tell it, or photographs whose poses are refined"
        offset = TimeOffset(0.0, np.nan, np.nan, np.nan, reason)
    else:
        # Any frame with about the right vertical will do; the offset hardly moves it.
        if placement.T_world_map is None:
            posed, _ = sequence.with_poses(selected)
            placement = replace(placement, T_world_map=place_map(sequence, posed, placement).T_world_map)
        offset = estimate_time_offset(points, np.asarray(placement.T_world_map))
    found = None
    if calibration is not None:
        posed, _ = sequence.with_poses(selected, offset.seconds)
        if not any(entry.depth_path is not None for entry in posed):
            raise InputError(
                f"{sequence.folder}: none of the {len(selected)} selected frames has a pose and a depth image, which a "
                "camera is calibrated by; leave calibration out"
            )
        nominal = Nominal(sequence.camera, offset.seconds, time_offset is not None, sequence.depth_scale)
        found = calibrate(context, sequence, posed, nominal, calibration, placement, noise)
        sequence, offset = sequence.with_camera(found.camera, found.depth_scale), _calibrated(offset, found)
        if found.height_offsets is not None:
            assert sequence.trajectory is not None
            sequence = replace(sequence, trajectory=found.height_offsets.applied(sequence.trajectory))
    posed, without_pose = sequence.with_poses(selected, offset.seconds)
    if points is not None and found is not None:
        points = DepthPoints.of(sequence, posed)  # as the camera is now
    skipped = (*missing_frames(sequence, selection), *without_pose)
    if strict:
        refuse_skipped(sequence, skipped)
    return ChosenFrames(sequence, posed, skipped, offset, points, found)


def _read_points(sequence: Sequence, selected: tuple[FrameEntry, ...], noise: DepthNoise) -> DepthPoints | None:
    """Some points of the depth images; None without any, InputError where they are of no use."""
    if not any(entry.depth_path is not None for entry in selected):
        return None
    points = DepthPoints.of(sequence, selected)
    if points.depth < _HIDDEN * noise.base:
        raise InputError(
            f"{sequence.folder}: the depth images measured {points.depth:.3g} m, in the median, less than "
            f"{_HIDDEN:g} times their noise of {noise.base:.3g} m; check depth_scale in camera.yaml, "
            f"{sequence.depth_scale:g} counts a metre, and --depth-noise"
        )
    return points


def _calibrated(offset: TimeOffset, found: Calibration) -> TimeOffset:
    if "time offset" not in found.determined:
        return offset
    seconds = found.time_offset
    return replace(offset, seconds=seconds, estimate=seconds, reason=found.reasons["time offset"])


def refuse_skipped(sequence: Sequence, skipped: tuple[Skipped, ...]) -> None:
    """Raise InputError if any frame was skipped."""
    if skipped:
        raise InputError(
            f"{sequence.folder}: {len(skipped)} frames cannot be used, the first is {describe_skipped(skipped[0])}"
        )


def describe_skipped(skipped: Skipped) -> str:
    """Which frame and why, in words."""
    return f"frame {skipped.index} ({skipped.name}): {skipped.reason}"


def missing_frames(sequence: Sequence, selection: str) -> list[Skipped]:
    """The selected frames whose file is listed and not there; a photograph that is missing only leaves out colour."""
    there = {entry.index for entry in sequence.frames}
    lines = [line for line in selected_lines(selection, sequence.line_count) if line not in there]
    # Of two files of one number the depth image comes first, and it is what makes a frame.
    reasons = {problem.index: problem for problem in reversed(sequence.problems)}
    return [reasons.get(line, Skipped(line, f"line {line}", "not there")) for line in lines]
