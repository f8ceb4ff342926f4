"""The intrinsics of a `transforms.json`."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from glrender.errors import InputError
from glrender.io.calibrations.calibration import PIXEL_CENTRE, Calibration, Size, check_lens, make_camera
from glrender.io.camera_file import CameraFile
from glrender.io.poses.transforms import load_transforms

KEYS = ("w", "h", "fl_x", "fl_y", "cx", "cy", "k1", "k2", "p1", "p2", "k3", "camera_angle_x", "camera_angle_y")


def read_transforms(path: Path, size: Size | None) -> Calibration:
    """The camera that all frames share; focal lengths are pixels or angles of view, the centre the middle if unsaid."""
    content = load_transforms(path)
    values = _shared(path, content)
    check_lens(str(path), str(content.get("camera_model", "pinhole")))
    if "w" in values and "h" in values:
        size = int(values["w"]), int(values["h"])
    if size is None:
        raise InputError(f"{path}: does not say w and h, and there is no image to take them from")
    width, height = size
    fx = values.get("fl_x") or _focal(width, values.get("camera_angle_x"))
    fy = values.get("fl_y") or _focal(height, values.get("camera_angle_y")) or fx
    if fx is None:
        raise InputError(f"{path}: no focal length; expected fl_x, or camera_angle_x in radians")
    centre = values.get("cx", width / 2) - PIXEL_CENTRE, values.get("cy", height / 2) - PIXEL_CENTRE
    lens = [values.get(key, 0.0) for key in ("k1", "k2", "p1", "p2", "k3")]
    return Calibration(CameraFile(make_camera(str(path), size, (fx, fy, *centre), lens)))


def _shared(path: Path, content: Mapping[str, Any]) -> dict[str, float]:
    """The intrinsics at the top, else those that every frame repeats."""
    values = {}
    for key in KEYS:
        found = {content[key]} if key in content else {frame[key] for frame in content["frames"] if key in frame}
        if len(found) > 1:
            raise InputError(f"{path}: {key} differs between frames; expected one camera for all images")
        if found:
            values[key] = found.pop()
    wrong = [key for key, value in values.items() if not isinstance(value, int | float) or not math.isfinite(value)]
    if wrong:
        raise InputError(f"{path}: {wrong[0]}: received {values[wrong[0]]!r}, expected a number")
    return values


def _focal(pixels: int, angle: float | None) -> float | None:
    """Pixels, of an angle of view in radians."""
    return None if angle is None else pixels / 2 / math.tan(angle / 2)
