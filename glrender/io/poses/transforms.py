"""`transforms.json`, in which radiance fields have their images, poses and intrinsics."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from glrender.checks import check_pose
from glrender.errors import InputError
from glrender.io.files import read_json
from glrender.io.poses.image_poses import ImagePoses

OPENGL_AXES = np.diag([1.0, -1.0, -1.0, 1.0])
"""Takes our camera coordinates (x right, y down, z forward) to OpenGL's (x right, y up, z backward)."""


def read_transforms_poses(path: Path) -> ImagePoses:
    """Read `transform_matrix` of every frame: camera to world, with OpenGL's camera axes, which become ours.

    The world is what the file has, z up by custom. Names are the frames' `file_path`.
    """
    frames = load_transforms(path)["frames"]
    poses = []
    for number, frame in enumerate(frames):
        where = f"{path}: frames[{number}]"
        missing = [key for key in ("file_path", "transform_matrix") if key not in frame]
        if missing:
            raise InputError(f"{where}: no key {', '.join(missing)}")
        poses.append(check_pose(f"{where}: transform_matrix", frame["transform_matrix"]) @ OPENGL_AXES)
    return ImagePoses(np.stack(poses), tuple(str(frame["file_path"]) for frame in frames))


def load_transforms(path: Path) -> Mapping[str, Any]:
    """The content of a `transforms.json` that has frames; InputError otherwise."""
    content = read_json(path)
    frames = content.get("frames") if isinstance(content, Mapping) else None
    if not isinstance(frames, list) or not frames or not all(isinstance(frame, Mapping) for frame in frames):
        raise InputError(f"{path}: no frames; expected a transforms.json, whose key 'frames' lists images with poses")
    return content
