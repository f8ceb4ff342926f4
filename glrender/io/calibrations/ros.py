"""What ROS has of a camera: the YAML of its camera_calibration, and the fields of a CameraInfo message."""

from collections.abc import Mapping, Sequence
from typing import Any

from glrender.errors import InputError
from glrender.io.calibrations.calibration import Calibration, Size, check_lens, make_camera
from glrender.io.camera_file import CameraFile


def is_ros(content: Mapping[str, Any]) -> bool:
    """Whether this is a camera_calibration file, as camera drivers read it."""
    matrix = content.get("camera_matrix")
    return isinstance(matrix, Mapping) and "data" in matrix


def read_ros(where: str, content: Mapping[str, Any], size: Size | None) -> Calibration:
    """The camera of the images as they come, not rectified ones."""
    check_lens(where, str(content.get("distortion_model", "none")))
    if "image_width" in content and "image_height" in content:
        size = int(content["image_width"]), int(content["image_height"])
    lens = content.get("distortion_coefficients") or {}
    intrinsics = matrix_intrinsics(where, content["camera_matrix"]["data"], 3)
    return Calibration(CameraFile(make_camera(where, size, intrinsics, lens.get("data", []))))


def matrix_intrinsics(where: str, data: Sequence[Any], columns: int) -> tuple[Any, Any, Any, Any]:
    """fx, fy, cx, cy of the numbers of K (3 x 3) or P (3 x 4), row by row."""
    if len(data) != 3 * columns:
        raise InputError(f"{where}: received a camera matrix of {len(data)} numbers, expected {3 * columns}")
    return data[0], data[columns + 1], data[2], data[columns + 2]
