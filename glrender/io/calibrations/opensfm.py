"""The cameras of an OpenSfM `reconstruction.json`, whose lengths are in units of the longer side of the image."""

from collections.abc import Mapping
from pathlib import Path

from glrender.errors import InputError
from glrender.io.calibrations.calibration import Calibration, Size, choose_camera, make_camera
from glrender.io.camera_file import CameraFile
from glrender.io.poses.opensfm import EXPECTED, load_reconstruction

PROJECTIONS = ("perspective", "brown", "radial", "simple_radial")
"""Those that are OpenCV's model: `perspective` has one `focal` and its centre in the middle."""

ASPECT = 0.01
"""By how much, as a share, the sides of images may be otherwise than the file's, as whole pixels make them."""


def read_opensfm(path: Path, camera: str | None, size: Size | None) -> Calibration:
    """The camera with the name `camera`, or the only one, for images of `size`; as large as the file has them if None.

    Photographs that were made smaller since have the same camera here, in other units.
    """
    cameras = load_reconstruction(path).get("cameras")
    if not isinstance(cameras, Mapping) or not cameras:
        raise InputError(f"{path}: no cameras; {EXPECTED}")
    name = choose_camera(str(path), camera, cameras)
    where, values = f"{path}: {name}", cameras[name]
    if not isinstance(values, Mapping):
        raise InputError(f"{where}: received {values!r}, expected the camera's projection_type, width, height and lens")
    projection = values.get("projection_type", "perspective")
    if projection not in PROJECTIONS:
        raise InputError(
            f"{where}: the projection {projection!r} is not one that glrender has ({', '.join(PROJECTIONS)}); take "
            "the undistorted images and their reconstruction (opensfm/undistorted)"
        )

    def number(key: str, default: float | None = None) -> float:
        value = values.get(key, default)
        if not isinstance(value, int | float):
            raise InputError(f"{where}: {key}: received {value!r}, expected a number")
        return float(value)

    own = number("width"), number("height")
    if not min(own) > 0:
        raise InputError(f"{where}: received {own[0]:g} x {own[1]:g} pixels, expected a width and a height above 0")
    width, height = size or (int(own[0]), int(own[1]))
    if abs(width * own[1] / (height * own[0]) - 1) > ASPECT:
        raise InputError(
            f"{where}: is for {own[0]:g} x {own[1]:g} pixels, but the images have {width} x {height}: not the same, "
            "made larger or smaller"
        )
    unit = max(width, height)
    single = projection == "perspective"
    fx, fy = (unit * number("focal" if single else f"focal_{axis}") for axis in "xy")
    cx, cy = (
        unit * (0.0 if single else number(f"c_{axis}", 0.0)) + (side - 1) / 2
        for axis, side in zip("xy", (width, height), strict=True)
    )
    lens = [number(key, 0.0) for key in ("k1", "k2", "p1", "p2", "k3")]
    return Calibration(CameraFile(make_camera(where, (width, height), (fx, fy, cx, cy), lens)))
