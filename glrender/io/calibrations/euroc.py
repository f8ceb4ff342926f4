"""EuRoC's `sensor.yaml` of a camera."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from glrender.checks import check_pose
from glrender.errors import InputError
from glrender.io.calibrations.calibration import Calibration, Size, make_pinhole
from glrender.io.camera_file import CameraFile


def is_euroc(content: Mapping[str, Any]) -> bool:
    """Whether this is a camera's sensor.yaml."""
    return "camera_model" in content and "intrinsics" in content


def read_euroc(where: str, content: Mapping[str, Any], size: Size | None) -> Calibration:
    """The camera, and T_BS: from the camera (the sensor) to the body."""
    color = make_pinhole(where, content, "distortion_coefficients", size)
    base = content.get("T_BS")
    if base is None:
        return Calibration(CameraFile(color))
    data = base.get("data") if isinstance(base, Mapping) else None
    if not isinstance(data, list) or len(data) != 16:
        raise InputError(f"{where}: T_BS: expected 'data' of 16 numbers")
    return Calibration(CameraFile(color), check_pose(f"{where}: T_BS", np.reshape(data, (4, 4))))
