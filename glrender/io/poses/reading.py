"""Poses of any format that is known, by what the file holds."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glrender.checks import check_choice, check_pose
from glrender.errors import InputError
from glrender.io.files import data_lines
from glrender.io.poses.colmap import read_colmap_poses
from glrender.io.poses.euroc import read_euroc_poses
from glrender.io.poses.image_poses import ImagePoses
from glrender.io.poses.kitti import read_kitti_poses
from glrender.io.poses.opensfm import is_opensfm, read_opensfm_poses
from glrender.io.poses.transforms import read_transforms_poses
from glrender.io.trajectory import Trajectory, read_trajectory

Poses = Trajectory | ImagePoses
"""By time, or by image."""


@dataclass(frozen=True)
class PoseFormat:
    """A way in which files hold poses."""

    what: str
    """In words, for messages."""
    read: Callable[[Path], Poses]
    """Reads a file of this format; raises InputError where it is malformed."""
    caveat: str = ""
    """What to mind about the world of such poses."""


SCALE_UNKNOWN = "its scale and its up are those of the reconstruction, not metres and z unless it was aligned"

FORMATS = {
    "tum": PoseFormat("TUM: timestamp tx ty tz qx qy qz qw", read_trajectory),
    "kitti": PoseFormat("KITTI: 3 x 4 or 4 x 4 matrices, one a line", read_kitti_poses, "in KITTI's files y is down"),
    "euroc": PoseFormat("EuRoC csv: nanoseconds, position, quaternion w first", read_euroc_poses),
    "colmap": PoseFormat("COLMAP model, text or binary", read_colmap_poses, SCALE_UNKNOWN),
    "transforms": PoseFormat("transforms.json, OpenGL camera axes", read_transforms_poses, SCALE_UNKNOWN),
    "opensfm": PoseFormat(
        "reconstruction.json of OpenSfM or OpenDroneMap",
        read_opensfm_poses,
        "metres east, north and up of its reference_lla where photographs told their places, else it is as wide and "
        "lies as it happens; of several reconstructions in the file, it is the one with most photographs",
    ),
}


def read_poses(path: str | Path, format: str | None = None) -> Poses:
    """The poses in `path`, a file or a COLMAP model's folder; without `format`, one of FORMATS, by its content.

    InputError if the file is missing, malformed or of no known format.
    """
    path = Path(path)
    return FORMATS[pose_format(path, format)].read(path)


def pose_format(path: Path, format: str | None = None) -> str:
    """The format of the poses in `path`: `format` where it is given, else by content; InputError if it is none."""
    if format is not None:
        return check_choice("pose format", format, FORMATS)
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; expected poses")
    if path.is_dir() or path.name in ("images.txt", "images.bin"):
        return "colmap"
    if path.suffix.lower() == ".json":
        return "opensfm" if is_opensfm(path) else "transforms"
    line = next((line for _, line in data_lines(path)), None)
    if line is None:
        raise InputError(f"{path}: holds no pose; {_known()}")
    if "," in line:
        return "euroc"
    by_columns = {8: "tum", 12: "kitti", 16: "kitti"}
    columns = len(line.split())
    if columns not in by_columns:
        raise InputError(f"{path}: its first line of data has {columns} columns; {_known()}")
    return by_columns[columns]


def carried(poses: Poses, T_base_camera: NDArray[np.float64]) -> Poses:
    """Poses of the camera where `poses` are T_world_base, those of what carries it."""
    return replace(poses, poses=poses.poses @ check_pose("T_base_camera", T_base_camera))


def _known() -> str:
    return "expected one of " + "; ".join(format.what for format in FORMATS.values())
