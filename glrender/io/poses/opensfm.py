"""OpenSfM's `reconstruction.json`, which OpenDroneMap leaves in its folder `opensfm`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from glrender.errors import InputError
from glrender.geometry import se3
from glrender.io.files import read_json
from glrender.io.poses.image_poses import ImagePoses
from glrender.io.poses.opendronemap import find_georeference

EXPECTED = "expected a reconstruction.json of OpenSfM or OpenDroneMap, a list of reconstructions with shots and cameras"


def is_opensfm(path: Path) -> bool:
    """Whether a JSON file holds a list, as OpenSfM's does, and not an object."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            return file.read(64).lstrip().startswith("[")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: cannot be read as text: {error}") from None


def read_opensfm_poses(path: Path) -> ImagePoses:
    """Read the poses of the photographs by name: the file has T_camera_world, a rotation vector and a translation.

    Camera axes are as here. The world is metres east, north and up of the file's `reference_lla` where the photographs
    told their places, and the reference system of an OpenDroneMap project that is georeferenced. Of several
    reconstructions, which are in worlds of their own, the one with most photographs.
    """
    shots = load_reconstruction(path)["shots"]
    poses = np.stack([_pose(f"{path}: {name}", shot) for name, shot in shots.items()])
    cameras = tuple(str(shot["camera"]) for shot in shots.values() if "camera" in shot)
    known = find_georeference(path)
    if known is not None:
        poses[:, :3, 3] += known.offset
    own = cameras if len(cameras) == len(shots) else None
    return ImagePoses(poses, tuple(shots), own, None if known is None else known.crs)


def load_reconstruction(path: Path) -> Mapping[str, Any]:
    """The reconstruction with most shots; InputError where there is none."""
    content = read_json(path)
    known = [each for each in content if _is_mapping(each, "shots")] if isinstance(content, list) else []
    if not known:
        raise InputError(f"{path}: no shots; {EXPECTED}")
    return max(known, key=lambda each: len(each["shots"]))


def _is_mapping(content: object, key: str) -> bool:
    return isinstance(content, Mapping) and isinstance(content.get(key), Mapping) and bool(content[key])


def _pose(where: str, shot: Mapping[str, Any]) -> NDArray[np.float64]:
    parts = []
    for key in ("rotation", "translation"):
        try:
            vector = np.array(shot[key], np.float64)
        except (KeyError, TypeError, ValueError):
            vector = np.zeros(0)
        if vector.shape != (3,) or not np.isfinite(vector).all():
            raise InputError(f"{where}: no {key} of three finite numbers; {EXPECTED}")
        parts.append(vector)
    T_camera_world = np.eye(4)
    T_camera_world[:3, :3], T_camera_world[:3, 3] = cv2.Rodrigues(parts[0])[0], parts[1]
    return se3.inverse(T_camera_world)
