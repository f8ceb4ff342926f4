"""The depth camera's intrinsics and the trajectory's clock, from the frames of a sequence."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glrender.fusion.calibration import (
    CalibrationPrior,
    CalibrationProblem,
    Estimate,
    TimedDepth,
    Undetermined,
)
from glrender.fusion.grid import Grid
from glrender.fusion.height_offsets import HeightOffsets
from glrender.fusion.noise import DepthNoise
from glrender.fusion.shared_unknowns import NAMES
from glrender.geometry import se3
from glrender.geometry.camera import INTRINSICS, Camera
from glrender.gl.context import Context
from glrender.io.images import FrameError
from glrender.io.selection import spread
from glrender.io.sequence import FrameEntry, Sequence
from glrender.io.trajectory import Trajectory
from glrender.pipeline.placement import GivenPlacement, place_map

Float64 = NDArray[np.float64]

GROUPS = {
    "focal length": ("fx", "fy"),
    "principal point": ("cx", "cy"),
    "time offset": ("time_offset",),
    "depth scale": ("depth_scale",),
}
"""What is determined, or kept, together."""

_PRIORS = {
    "focal length": "focal",
    "principal point": "centre",
    "time offset": "time_offset",
    "depth scale": "depth_scale",
}
"""The field of `CalibrationPrior` that holds a group where it is 0."""

_FRAMES, _PIXELS = 40, 8000  # looked at: in all, and of each frame; 3 s for fr1_floor
_OFFSETS, _MOST_OFFSETS = "height offsets", 120  # of frames: each is a solution for the map a pass, 0.3 s for all
_CELL = 0.5  # of the spacing that would suit the used pixels by itself: finer, since they are few
_OVERLAP = 0.5  # least share of the cells seen that two frames see
_NEAR = 0.005  # seconds: time offsets from which one comes to the same estimate
_TELLS = {"time offset": 0.3}  # of its prior sigma, which is no more than how far one looks
_OTHERS_TELL = 0.85  # what the data leave uncertain by more than this they say nothing about
_STILL = 0.02  # as a part of the depth, and radians: a camera that moves by less in all stands still
_CREDIBLE = 4.0  # prior sigmas from the nominal value; beyond, what the frames disagree about is something else
_UNSETTLED = 1.0  # sigmas that the last pass still moved


@dataclass(frozen=True)
class CalibrationOptions:
    """What is estimated beside the intrinsics, and the time offset where it is not given."""

    depth_scale: bool = False
    """The scale of the sensor's depths."""
    height_offsets: bool = False
    """By how much each frame's camera stands higher than its pose says."""


@dataclass(frozen=True)
class Nominal:
    """What a calibration starts from."""

    camera: Camera
    """Of the depth images."""
    time_offset: float
    """Seconds."""
    time_offset_given: bool
    """Whether the offset is known, and so held."""
    depth_scale: float
    """Counts per metre."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """The outcome: nominal values, but for what the frames determine."""

    nominal: Nominal
    camera: Camera
    """Of the depth images."""
    time_offset: float
    """Seconds."""
    depth_scale: float
    """Counts per metre."""
    reasons: Mapping[str, str]
    """Of each group that was to be estimated: how it was found, or why it is kept."""
    final: Estimate | None
    """The last pass; None where nothing could be estimated."""

    @property
    def height_offsets(self) -> HeightOffsets | None:
        """Those of the frames; None where they are not estimated."""
        return None if self.final is None else self.final.height_offsets

    @property
    def sigma(self) -> dict[str, float | None]:
        """Standard deviation of each of NAMES (pixels, seconds, share of the depth); None where it is not estimated."""
        if self.final is None:
            return dict.fromkeys(NAMES)
        return {name: float(sigma) or None for name, sigma in zip(NAMES, self.final.sigma, strict=True)}

    @property
    def determined(self) -> tuple[str, ...]:
        """The groups that were estimated."""
        return tuple(group for group, members in GROUPS.items() if self.sigma[members[0]] is not None)

    def description(self) -> dict[str, Any]:
        """For `report.json`."""
        result: dict[str, Any] = {
            "reasons": dict(self.reasons),
            "nominal": {name: getattr(self.nominal.camera, name) for name in INTRINSICS}
            | {"time_offset": self.nominal.time_offset, "depth_scale": self.nominal.depth_scale},
        }
        if self.final is not None:
            result |= {
                "unknowns": NAMES,
                "sigma": self.sigma,
                "prior_sigma": dict(zip(NAMES, self.final.prior_sigma, strict=True)),
                "covariance": self.final.covariance,
                "disagreement": self.final.disagreement,
                "frames": self.final.frames,
                "measurements": self.final.measurements,
                "median_abs_m": self.final.median_abs_residual,
            }
        offsets = self.height_offsets
        if offsets is not None:
            result["height_offsets"] = {
                "times": offsets.times,
                "metres": offsets.metres,
                "sigma": offsets.sigma,
                "prior_sigma": offsets.prior_sigma,
                "covariance": offsets.covariance,
            }
        return result


def calibrate(
    context: Context,
    sequence: Sequence,
    posed: tuple[FrameEntry, ...],
    nominal: Nominal,
    options: CalibrationOptions,
    placement: GivenPlacement,
    noise: DepthNoise,
) -> Calibration:
    """Estimate what the frames `posed` determine; a map of up to 40 of them is estimated beside.

    It lies in the given frame and within the given bounds, where there are any; its spacing is its own.

    Something is determined where the data make it less uncertain than its prior by a tenth at least, which depends on
    the motion; what is not is kept, with the reason. Raises InputError where there is no depth to see, and
    KeyboardInterrupt between two passes.
    """
    held = {"time offset": nominal.time_offset_given, "depth scale": not options.depth_scale}
    wanted = [group for group in GROUPS if not held.get(group)]
    reasons: dict[str, str] = {"time offset": "given"} if nominal.time_offset_given else {}
    count = sum(entry.depth_path is not None for entry in posed)
    offsets = options.height_offsets
    if offsets and count > _MOST_OFFSETS:
        reasons[_OFFSETS] = f"kept: {count} frames, of which up to {_MOST_OFFSETS} can have one; choose fewer"
        offsets = False
    step = sequence.camera.step_leaving(_PIXELS)
    try:
        most = _MOST_OFFSETS if offsets else _FRAMES
        problem = _problem(context, sequence, posed, nominal, step, most, placement, noise)
        while wanted or offsets:
            final = _solve(problem, wanted, nominal, offsets)
            _check_credible(problem, final)
            silent = _undetermined(final, wanted)
            reasons |= silent
            if not silent:
                break
            wanted = [group for group in wanted if group not in silent]
            offsets = offsets and _OFFSETS not in silent
        else:
            return _kept(nominal, reasons)
    except Undetermined as error:
        groups = [*wanted, _OFFSETS] if offsets else wanted
        return _kept(nominal, reasons | dict.fromkeys(groups, f"kept: {error}"))
    return _estimated(nominal, final, step, wanted, reasons)


def _kept(nominal: Nominal, reasons: Mapping[str, str]) -> Calibration:
    return Calibration(nominal, nominal.camera, nominal.time_offset, nominal.depth_scale, reasons, None)


def _estimated(
    nominal: Nominal, final: Estimate, step: int, found: list[str], reasons: Mapping[str, str]
) -> Calibration:
    """The outcome of a last pass in pixels of the images on file, of which every `step`-th was used."""
    pixels = np.array([step] * len(INTRINSICS) + [1, 1])
    final = replace(
        final, covariance=final.covariance * np.outer(pixels, pixels), prior=final.prior * np.outer(pixels, pixels)
    )
    values = dict(zip(NAMES, final.unknowns.values * pixels, strict=True))
    estimated = {name: float(values[name]) for group in found for name in GROUPS[group]}
    fx, fy, cx, cy = (estimated.get(name, getattr(nominal.camera, name)) for name in INTRINSICS)
    words = f"estimated with the map from {final.frames} frames"
    if final.height_offsets is not None:
        reasons = {**reasons, _OFFSETS: words}
    return Calibration(
        nominal,
        replace(nominal.camera, fx=fx, fy=fy, cx=cx, cy=cy),
        estimated.get("time_offset", nominal.time_offset),
        # What reads s times the true depth has s times the counts per metre.
        nominal.depth_scale * estimated.get("depth_scale", 1.0),
        dict(reasons) | dict.fromkeys(found, words),
        final,
    )


def _solve(problem: CalibrationProblem, groups: list[str], nominal: Nominal, offsets: bool) -> Estimate:
    """The estimate of `groups`, and of height offsets if wanted.

    Of the time offset it starts from 0 and from what the nominal camera suggests. With a wrong camera the offset that
    seems best may be far from the right one, and from there the camera that seems best is wrong likewise.
    """
    prior = CalibrationPrior(**{_PRIORS[group]: 0.0 for group in GROUPS if group not in groups})
    if not offsets:
        prior = replace(prior, height_offset=0.0)
    if not prior.time_offset:
        return problem.solve(prior, nominal.time_offset)
    far = abs(nominal.time_offset) > _NEAR
    return problem.solve(prior, 0.0, [0.0, nominal.time_offset] if far else [0.0])


def _undetermined(final: Estimate, groups: list[str]) -> dict[str, str]:
    """The groups that the data say next to nothing about, with the reason."""
    silent = {}
    for group in groups:
        members = [NAMES.index(name) for name in GROUPS[group]]
        left = min(final.sigma[members] / final.prior_sigma[members])
        if left > _TELLS.get(group, _OTHERS_TELL):
            silent[group] = f"kept: this motion leaves {left:.0%} of what is uncertain about it"
    if final.height_offsets is not None:
        left = float(np.median(final.height_offsets.sigma)) / final.height_offsets.prior_sigma
        if left > _OTHERS_TELL:
            silent[_OFFSETS] = f"kept: the frames leave {left:.0%} of what is uncertain about them"
    return silent


def _check_credible(problem: CalibrationProblem, final: Estimate) -> None:
    """Raise Undetermined where the estimate cannot be one."""
    start = np.array([*(getattr(problem.camera, name) for name in INTRINSICS), 0.0, 1.0])
    free = final.prior_sigma > 0
    away = np.abs(final.unknowns.values - start)[free] / final.prior_sigma[free]
    if away.size and away.max() > _CREDIBLE:
        name = np.array(NAMES)[free][away.argmax()]
        raise Undetermined(
            f"the frames would agree best with a {name} {away.max():.1f} times as far off as is usual, "
            "so they disagree about something else"
        )
    if final.step > _UNSETTLED:
        raise Undetermined(f"the estimate does not settle: its last step was one of {final.step:.1f} sigma")


def _problem(
    context: Context,
    sequence: Sequence,
    posed: tuple[FrameEntry, ...],
    nominal: Nominal,
    step: int,
    most: int,
    placement: GivenPlacement,
    noise: DepthNoise,
) -> CalibrationProblem:
    """Frames spread over as much of the sequence as lets them see the same ground, and the map of what they see.

    All of them, where that is not more than `most`.
    """
    assert sequence.trajectory is not None
    camera = nominal.camera.every_nth_pixel(step)
    entries = tuple(entry for entry in posed if entry.depth_path is not None)
    while True:
        chosen = [entries[k] for k in spread(len(entries), most)]
        frames = _read(sequence, chosen, step)
        grid = _grid(sequence, tuple(chosen), nominal.time_offset, step, placement)
        seen = np.zeros(grid.shape, np.int64)
        for frame in frames:
            pose = sequence.trajectory.at(frame.time + nominal.time_offset)
            seen += np.isfinite(grid.means(camera, pose, frame.depth)[..., 0])
        if np.count_nonzero(seen >= 2) >= _OVERLAP * np.count_nonzero(seen) or len(entries) <= most:
            _check_moves(sequence.trajectory, frames, nominal.time_offset)
            return CalibrationProblem(context, camera, grid, frames, sequence.trajectory, noise)
        quarter = len(entries) // 4
        entries = entries[quarter : len(entries) - quarter]


def _check_moves(trajectory: Trajectory, frames: list[TimedDepth], time_offset: float) -> None:
    """Raise Undetermined where all frames are the same view, which any camera explains by some map."""
    poses = [trajectory.at(frame.time + time_offset) for frame in frames]
    twists = np.array([se3.log(se3.inverse(poses[0]) @ pose) for pose in poses])
    depth = float(np.median(np.concatenate([frame.depth[frame.depth > 0] for frame in frames])))
    if np.abs(twists[:, :3]).max() < _STILL * depth and np.abs(twists[:, 3:]).max() < _STILL:
        raise Undetermined("the camera stands still")


def _read(sequence: Sequence, entries: list[FrameEntry], step: int) -> list[TimedDepth]:
    """Every `step`-th pixel of the depth images that can be read; damaged ones are left to whoever fuses them."""
    frames = []
    for entry in entries:
        try:
            depth = sequence.read_depth(entry)
        except FrameError:
            continue
        frames.append(TimedDepth(entry.time, np.ascontiguousarray(depth[::step, ::step])))
    return frames


def _grid(
    sequence: Sequence,
    posed: tuple[FrameEntry, ...],
    time_offset: float,
    step: int,
    placement: GivenPlacement,
) -> Grid:
    """Cells two of the used pixels wide, where the frames see and the map is to lie."""
    placed = place_map(sequence, posed, GivenPlacement(placement.T_world_map), time_offset=time_offset)
    x0, x1, y0, y1 = placed.bounds
    if (bounds := placement.bounds) is not None:
        x0, x1, y0, y1 = max(x0, bounds[0]), min(x1, bounds[1]), max(y0, bounds[2]), min(y1, bounds[3])
    if not (x0 < x1 and y0 < y1):
        raise Undetermined("the frames see nothing within the bounds")
    return Grid.covering((x0, x1, y0, y1), _CELL * step * placed.spacing, placed.T_world_map)
