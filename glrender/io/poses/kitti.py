"""KITTI odometry poses: a line an image, without times."""

from pathlib import Path

import numpy as np

from glrender.checks import check_pose
from glrender.errors import InputError
from glrender.io.files import data_lines
from glrender.io.poses.image_poses import ImagePoses
from glrender.io.trajectory import read_numbers

COLUMNS = "r11 r12 r13 tx r21 r22 r23 ty r31 r32 r33 tz"


def read_kitti_poses(path: Path) -> ImagePoses:
    """Read lines of twelve numbers, the rows of T_world_camera (3, 4); the k-th is that of the k-th image.

    All four rows may stand there, as in Replica's traj.txt. Camera axes are as here (x right, y down, z forward). The
    world is what the file has: in KITTI the first camera, whose y points down.
    """
    poses = []
    for number, line in data_lines(path):
        where = f"{path}:{number}"
        words = line.split()
        whole = len(words) == 16
        numbers = read_numbers(where, words, 16 if whole else 12, f"{COLUMNS} 0 0 0 1" if whole else COLUMNS)
        poses.append(check_pose(where, np.reshape(numbers if whole else [*numbers, 0, 0, 0, 1], (4, 4))))
    if not poses:
        raise InputError(f"{path}: holds no pose; expected lines of {COLUMNS}")
    return ImagePoses(np.stack(poses))
