"""EuRoC's csv of poses: those of a body that carries the camera, at nanoseconds."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glrender.errors import InputError
from glrender.io.files import data_lines
from glrender.io.trajectory import Trajectory, collect_poses, make_pose, read_numbers

COLUMNS = "timestamp [ns], px, py, pz, qw, qx, qy, qz"


def read_euroc_poses(path: Path) -> Trajectory:
    """Read lines of `timestamp, px, py, pz, qw, qx, qy, qz`, commas between, nanoseconds; further columns are unused.

    The poses are T_world_body, those of the body's frame: `T_base_camera` takes them to the camera.
    """
    trajectory = collect_poses(
        (f"{path}:{number}", *_parse(f"{path}:{number}", line)) for number, line in data_lines(path)
    )
    if trajectory is None:
        raise InputError(f"{path}: holds no pose; expected lines of {COLUMNS}")
    return trajectory


def _parse(where: str, line: str) -> tuple[float, NDArray[np.float64]]:
    words = [word.strip() for word in line.split(",")]
    time, *position, w, x, y, z = read_numbers(where, words[:8], 8, COLUMNS)
    if not time.is_integer():
        raise InputError(f"{where}: received the time {words[0]}, expected whole nanoseconds ({COLUMNS})")
    return time * 1e-9, make_pose(where, position, (x, y, z, w), COLUMNS)
