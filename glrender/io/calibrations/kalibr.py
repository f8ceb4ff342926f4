"""Kalibr's camchain: one camera or several, in YAML."""

from collections.abc import Mapping
from typing import Any

from glrender.checks import check_pose
from glrender.geometry import se3
from glrender.io.calibrations.calibration import Calibration, Size, choose_camera, make_pinhole
from glrender.io.camera_file import CameraFile


def is_kalibr(content: Mapping[str, Any]) -> bool:
    """Whether this is a camchain: cameras by name, each with a model."""
    return any(isinstance(entry, Mapping) and "camera_model" in entry for entry in content.values())


def read_kalibr(where: str, content: Mapping[str, Any], camera: str | None, size: Size | None) -> Calibration:
    """The camera named `camera`, or the only one; where the file has T_cam_imu, the imu is the base."""
    entries = {name: entry for name, entry in content.items() if isinstance(entry, Mapping) and "intrinsics" in entry}
    entry = entries[choose_camera(where, camera, entries)]
    color = make_pinhole(where, entry, "distortion_coeffs", size)
    imu = entry.get("T_cam_imu")
    base = None if imu is None else se3.inverse(check_pose(f"{where}: T_cam_imu", imu))
    return Calibration(CameraFile(color), base)
