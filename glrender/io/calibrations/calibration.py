"""What a calibration file tells, and the lenses that can be read."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glrender.errors import InputError
from glrender.geometry.camera import Camera
from glrender.io.camera_file import CameraFile

Size = tuple[int, int]
"""(width, height), pixels."""

PIXEL_CENTRE = 0.5
"""Column and row of the centre of the first pixel, as COLMAP and transforms.json have it; ours are 0."""

LONGEST_LENS = 8
"""Coefficients of OpenCV's rational model, k1 k2 p1 p2 k3 k4 k5 k6; after it come thin prisms and tilt."""

LENS_NAMES = (
    *("radtan", "radial-tangential", "plumb_bob", "rational_polynomial", "opencv"),
    *("pinhole", "simple_pinhole", "none", ""),
)
"""What files call OpenCV's model, or no lens at all; what else they name, fisheyes above all, is another model."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """The cameras, and where the colour camera sits."""

    cameras: CameraFile
    """As a `camera.yaml` would say it."""
    T_base_camera: NDArray[np.float64] | None = None
    """(4, 4) from the camera to the body that carries it; None: the file does not say."""


def choose_camera(where: str, camera: str | None, known: Iterable[str]) -> str:
    """`camera`, or the only one that the file at `where` knows; InputError lists those there are."""
    names = list(known)
    listed = ", ".join(names)
    if camera is None and len(names) == 1:
        return names[0]
    if camera is None:
        raise InputError(f"{where}: has {len(names)} cameras ({listed}); say which one is meant (--camera)")
    if camera not in names:
        raise InputError(f"{where}: has no camera {camera!r}, but {listed}")
    return camera


def check_lens(where: str, model: str) -> None:
    """InputError for a lens that is not OpenCV's, by its name."""
    if model.lower() not in LENS_NAMES:
        raise InputError(
            f"{where}: the lens model {model!r} is not one that glrender has (OpenCV's k1 k2 p1 p2 k3 …, also called "
            "radtan or plumb_bob); undistort the images first, or calibrate them as pinhole with radtan"
        )


def make_pinhole(where: str, content: Mapping[str, Any], lens: str, size: Size | None) -> Camera:
    """The camera of a mapping as Kalibr and EuRoC have it, with its distortion under the key `lens`."""
    model = str(content["camera_model"])
    if model != "pinhole":
        raise InputError(f"{where}: the camera model {model!r} is not one that glrender has; calibrate as pinhole")
    check_lens(where, str(content.get("distortion_model", "none")))
    given = tuple(content["resolution"]) if "resolution" in content else size
    return make_camera(where, given, content["intrinsics"], content.get(lens, []))


def make_camera(where: str, size: Size | None, intrinsics: Sequence[Any], lens: Sequence[Any]) -> Camera:
    """The camera of fx, fy, cx, cy and OpenCV's coefficients, which may all be 0: no lens; InputError with `where`."""
    if size is None:
        raise InputError(f"{where}: does not say the size of the images, and there is no image to take it from")
    if len(intrinsics) != 4:
        raise InputError(f"{where}: received {len(intrinsics)} intrinsics, expected fx, fy, cx, cy")
    try:
        coefficients = [float(k) for k in lens]
    except (TypeError, ValueError):
        raise InputError(f"{where}: received the distortion {lens!r}, expected numbers") from None
    if any(coefficients[LONGEST_LENS:]):
        raise InputError(
            f"{where}: received {len(coefficients)} coefficients of distortion; those after the eighth (thin prism, "
            "tilt) must be 0. Calibrate without these models"
        )
    coefficients = coefficients[:LONGEST_LENS]
    coefficients += [0.0] * (next((n for n in (4, 5, 8) if n >= len(coefficients)), 0) - len(coefficients))
    try:
        fx, fy, cx, cy = intrinsics
        return Camera(*size, fx, fy, cx, cy, tuple(coefficients) if any(coefficients) else None)
    except (InputError, TypeError, ValueError) as error:
        raise InputError(f"{where}: {error}") from None
