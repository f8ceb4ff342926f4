"""What the options of several verbs share.

What belongs to fusion is imported where it is needed: the other verbs start in half of the time without it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from tyro.conf import arg

from glrender.checks import LARGEST
from glrender.errors import InputError, UsageError

if TYPE_CHECKING:
    from glrender.fusion.noise import DepthNoise
    from glrender.io.sequence import Skipped
    from glrender.pipeline.calibrate import CalibrationOptions


def option(metavar: str, default: str) -> Any:
    """An option whose default is found at run time, and is told in words."""
    return arg(metavar=metavar, help_behavior_hint=f"(default: {default})")


def flag(field: str) -> str:
    """What is typed for a field of a verb's options."""
    return f"--{field.replace('_', '-')}"


def check_magnitudes(options: Any, hint: str) -> None:
    """UsageError for a number among a verb's options that is larger than anything it could be of."""
    for field in fields(options):
        value = getattr(options, field.name)
        for number in value if isinstance(value, tuple) else (value,):
            if isinstance(number, int | float) and LARGEST < abs(number) < math.inf:
                raise UsageError(
                    f"{flag(field.name)}: received {number}, expected at most {LARGEST:g}, whatever its sign {hint}"
                )


def check_above_0(options: Any, *names: str, of: str = "") -> None:
    """UsageError unless each of a verb's options that is given is a finite number greater than 0, `of` some unit."""
    for name in names:
        value = getattr(options, name)
        if value is not None and not 0 < value < math.inf:
            raise UsageError(f"{flag(name)}: received {value:g}, expected a finite number{of} greater than 0")


def read_time_offset(text: str) -> float | None:
    """Seconds, or None for auto; UsageError for anything else."""
    if text == "auto":
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds):
        raise UsageError(f"--time-offset: received {text!r}, expected a number of seconds or auto")
    return seconds


def read_calibration(camera: bool, depth_scale: bool, height_offsets: bool) -> CalibrationOptions | None:
    """What to calibrate; UsageError for what else there is without the camera."""
    from glrender.pipeline.calibrate import CalibrationOptions

    for name, wanted in (("--calibrate-depth-scale", depth_scale), ("--calibrate-height-offsets", height_offsets)):
        if wanted and not camera:
            raise UsageError(f"{name}: received without --calibrate, which it adds to; give both")
    return CalibrationOptions(depth_scale, height_offsets) if camera else None


def describe_camera(report: Mapping[str, Any]) -> str:
    """The depth camera of a report in words."""
    sigma = report.get("camera_sigma", {})
    values = (
        f"{name} {value:.1f}" + (f" ± {sigma[name]:.1f}" if sigma.get(name) else "")
        for name, value in report["camera"].items()
    )
    return f"camera {', '.join(values)} ({report['camera_from']})"


def describe_time_offset(report: Mapping[str, Any]) -> str:
    """The time offset of a report in words."""
    sigma = report.get("time_offset_sigma")
    known = f" ± {1e3 * sigma:.1f}" if sigma else ""
    return f"time offset {1e3 * report['time_offset']:+.1f}{known} ms ({report['time_offset_from']})"


def print_skipped(skipped: Sequence[Skipped]) -> None:
    """The first frames that were left out, and why, a line each."""
    from glrender.pipeline.chosen_frames import describe_skipped

    for frame in skipped[:5]:
        print(f"  skipped {describe_skipped(frame)}")
    if len(skipped) > 5:
        print(f"  … and {len(skipped) - 5} more, see report.json")


def check_grid(spacing: float | None, bounds: tuple[float, float, float, float] | None) -> None:
    """UsageError unless what is given of a map's grid, metres, makes one."""
    if spacing is not None and not 0 < spacing < math.inf:
        raise UsageError(f"--spacing: received {spacing:g}, expected a finite number greater than 0")
    if bounds is not None:
        x0, x1, y0, y1 = bounds
        if not (all(map(math.isfinite, bounds)) and x0 < x1 and y0 < y1):
            received = " ".join(f"{number:g}" for number in bounds)
            raise UsageError(f"--bounds: received {received}, expected X0 X1 Y0 Y1 with X0 < X1 and Y0 < Y1")


def read_depth_noise(noise: tuple[float, float]) -> DepthNoise:
    """A + B z²; UsageError for numbers that are no noise."""
    from glrender.fusion.noise import DepthNoise

    try:
        return DepthNoise(*noise)
    except InputError as error:
        raise UsageError(f"--depth-noise: {error}") from None
