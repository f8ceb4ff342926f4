"""Calibrations of any format that is known, by what the file holds."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from glrender.checks import check_choice
from glrender.errors import InputError, UsageError
from glrender.io.calibrations.calibration import Calibration, Size
from glrender.io.calibrations.colmap import read_colmap
from glrender.io.calibrations.euroc import is_euroc, read_euroc
from glrender.io.calibrations.kalibr import is_kalibr, read_kalibr
from glrender.io.calibrations.opencv import read_opencv
from glrender.io.calibrations.opensfm import read_opensfm
from glrender.io.calibrations.ros import is_ros, read_ros
from glrender.io.calibrations.transforms import read_transforms
from glrender.io.camera_file import parse_yaml, read_camera
from glrender.io.files import read_text
from glrender.io.poses.opensfm import is_opensfm

FORMATS = {
    "camera": "camera.yaml of a sequence",
    "kalibr": "Kalibr camchain",
    "opencv": "OpenCV FileStorage, YAML or XML",
    "ros": "ROS camera_calibration YAML",
    "euroc": "EuRoC sensor.yaml",
    "colmap": "COLMAP model, text or binary",
    "transforms": "transforms.json",
    "opensfm": "reconstruction.json of OpenSfM or OpenDroneMap",
}
RECOGNISED: Mapping[str, Callable[[Mapping[str, Any]], bool]] = {
    "kalibr": is_kalibr,
    "ros": is_ros,
    "euroc": is_euroc,
    "camera": lambda content: "fx" in content,
}
"""By what a YAML mapping is known."""

WITH_BASE = ("kalibr", "euroc")
"""Formats that may say where the camera sits on what carries it."""

SEVERAL = ("kalibr", "colmap", "opensfm")
"""Formats whose files may hold several cameras."""


def read_calibration(
    path: str | Path, format: str | None = None, *, camera: str | None = None, size: Size | None = None
) -> Calibration:
    """The camera in `path`, a file or a COLMAP model's folder; without `format`, one of FORMATS, by its content.

    `camera` names one of several; `size` (width, height) is that of the images, for files that do not say it.
    InputError if the file is missing, malformed, of no known format, or has a lens that glrender does not have.
    """
    path = Path(path)
    format = calibration_format(path, format)
    if camera is not None and format not in SEVERAL:
        raise UsageError(f"camera: received {camera!r}, but {path} ({FORMATS[format]}) has one camera; leave it out")
    match format:
        case "camera":
            return Calibration(read_camera(path))
        case "opencv":
            return read_opencv(path, size)
        case "colmap":
            return read_colmap(path, camera)
        case "transforms":
            return read_transforms(path, size)
        case "opensfm":
            return read_opensfm(path, camera, size)
    content = _parse(path, read_text(path))
    try:
        match format:
            case "kalibr":
                return read_kalibr(str(path), content, camera, size)
            case "ros":
                return read_ros(str(path), content, size)
            case _:
                return read_euroc(str(path), content, size)
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: no {FORMATS[format]}: {error}") from None


def calibration_format(path: Path, format: str | None = None) -> str:
    """The format of the calibration in `path`: `format` if given, else by content; InputError if it is none."""
    if format is not None:
        return check_choice("calibration format", format, FORMATS)
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; expected a calibration")
    if path.is_dir() or path.name in ("cameras.txt", "cameras.bin", "images.txt", "images.bin"):
        return "colmap"
    if path.suffix.lower() == ".json":
        return "opensfm" if is_opensfm(path) else "transforms"
    text = read_text(path)
    if text.startswith("<?xml") or "!!opencv-matrix" in text:
        return "opencv"
    content = _parse(path, text)
    known = next((name for name, is_it in RECOGNISED.items() if is_it(content)), None)
    if known is None:
        raise InputError(f"{path}: no calibration that glrender knows; expected one of {'; '.join(FORMATS.values())}")
    return known


def _parse(path: Path, text: str) -> Mapping[str, Any]:
    content = parse_yaml(path, text)
    return content if isinstance(content, Mapping) else {}
