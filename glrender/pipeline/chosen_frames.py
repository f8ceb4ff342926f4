"""Which frames of a sequence can be used, and how far the trajectory's clock is off."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glrender.errors import InputError
from glrender.io.selection import selected_lines
from glrender.io.sequence import FrameEntry, Sequence, Skipped
from glrender.pipeline.placement import Bounds, place_map
from glrender.pipeline.time_offset import TimeOffset, estimate_time_offset


@dataclass(frozen=True)
class ChosenFrames:
    """Of the frames that were selected, those with their files and a pose."""

    posed: tuple[FrameEntry, ...]
    skipped: tuple[Skipped, ...]
    """The others, with the reason for each."""
    offset: TimeOffset
    """To be added to a frame's time before its pose is looked up."""


def choose_frames(
    sequence: Sequence,
    selection: str,
    *,
    time_offset: float | None,
    T_world_map: NDArray[np.float64] | None,
    bounds: Bounds | None,
    spacing: float | None,
    strict: bool,
) -> ChosenFrames:
    """Select frames (even, odd, first, second or a:b:c) and pose them.

    A `time_offset` of None is estimated, in the map frame that is given or that `place_map` finds. Raises InputError
    where no frame has a pose or, with `strict`, any cannot be used.
    """
    selected = sequence.select(selection)
    if time_offset is not None:
        offset = TimeOffset(time_offset, time_offset, np.nan, np.nan, "given")
    elif not any(entry.depth_path is not None for entry in selected):
        offset = TimeOffset(0.0, np.nan, np.nan, np.nan, "kept at 0: no depth images to estimate it from")
    else:
        if T_world_map is None:
            # Any frame with about the right vertical will do; the offset hardly moves it.
            posed, _ = sequence.with_poses(selected)
            T_world_map = place_map(sequence, posed, bounds=bounds, spacing=spacing).T_world_map
        offset = estimate_time_offset(sequence, selected, T_world_map)
    posed, without_pose = sequence.with_poses(selected, offset.seconds)
    chosen = ChosenFrames(posed, (*_missing(sequence, selection), *without_pose), offset)
    if strict:
        refuse_skipped(sequence, chosen.skipped)
    return chosen


def refuse_skipped(sequence: Sequence, skipped: tuple[Skipped, ...]) -> None:
    """Raise InputError if any frame was skipped."""
    if skipped:
        raise InputError(
            f"{sequence.folder}: {len(skipped)} frames cannot be used, the first is {describe_skipped(skipped[0])}"
        )


def describe_skipped(skipped: Skipped) -> str:
    """Which frame and why, in words."""
    return f"frame {skipped.index} ({skipped.name}): {skipped.reason}"


def _missing(sequence: Sequence, selection: str) -> list[Skipped]:
    """The selected frames whose file is listed and not there; a photograph that is missing only leaves out colour."""
    there = {entry.index for entry in sequence.frames}
    lines = [line for line in selected_lines(selection, sequence.line_count) if line not in there]
    # Of two files of one number the depth image comes first, and it is what makes a frame.
    reasons = {problem.index: problem for problem in reversed(sequence.problems)}
    return [reasons.get(line, Skipped(line, f"line {line}", "not there")) for line in lines]
