"""A COLMAP model's images: `images.txt` or `images.bin`."""

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glrender.errors import InputError
from glrender.geometry import se3
from glrender.io.files import read_text
from glrender.io.poses.image_poses import ImagePoses
from glrender.io.trajectory import make_pose, read_numbers

COLUMNS = "IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME"

HEADER = struct.Struct("<I7dI")
"""Of an image in `images.bin`: id, quaternion (w first), translation, camera id; then name, NUL, number of points."""

POINT_SIZE = 24
"""Bytes of one point of an image in `images.bin`: column, row, id of the point in space."""


def find_model(path: Path, stem: str) -> Path:
    """`stem`.bin or `stem`.txt of a COLMAP model: in the folder `path`, its sparse/0, or beside a file of the model."""
    folder = path if path.is_dir() else path.parent
    suffixes = (".bin", ".txt") if path.suffix != ".txt" else (".txt", ".bin")
    places = [place / f"{stem}{suffix}" for place in (folder, folder / "sparse" / "0") for suffix in suffixes]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise InputError(f"{path}: neither {stem}.bin nor {stem}.txt, there or in sparse/0; expected a COLMAP model")
    return found


def read_colmap_poses(path: Path) -> ImagePoses:
    """Read the poses of a COLMAP model by image name: the file has T_camera_world, quaternion first, w first.

    Camera axes are as here. The world is the model's: unless it was aligned, neither its scale nor its up is known.
    """
    file = find_model(path, "images")
    entries = _read_binary(file) if file.suffix == ".bin" else _read_text(file)
    if not entries:
        raise InputError(f"{file}: holds no image")
    names, poses, cameras = zip(*entries, strict=True)
    return ImagePoses(np.stack(poses), names, cameras)


_Entry = tuple[str, NDArray[np.float64], str]
"""An image's name, its pose and the id of its camera."""


def _read_text(path: Path) -> list[_Entry]:
    """Two lines an image, the second its points: it may be empty, so blank lines count."""
    lines = read_text(path).splitlines()
    entries = []
    numbered = ((number, line) for number, line in enumerate(lines, start=1) if not line.startswith("#"))
    for number, line in numbered:
        words = line.split(maxsplit=9)
        if not words:
            continue
        where = f"{path}:{number}"
        if len(words) < 10:
            raise InputError(f"{where}: received {line!r}, expected {COLUMNS}")
        values = read_numbers(where, words[1:8], 7, COLUMNS)
        entries.append((words[9].strip(), _pose(where, values), words[8]))
        next(numbered, None)
    return entries


def _read_binary(path: Path) -> list[_Entry]:
    data = path.read_bytes()
    entries = []
    try:
        (count,) = struct.unpack_from("<Q", data)
        position = 8
        for k in range(count):
            _, *values, camera = HEADER.unpack_from(data, position)
            end = data.index(b"\0", position + HEADER.size)
            name = data[position + HEADER.size : end].decode("utf-8")
            (points,) = struct.unpack_from("<Q", data, end + 1)
            position = end + 9 + POINT_SIZE * points
            entries.append((name, _pose(f"{path}: image {k}", values), str(camera)))
    except (struct.error, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: cut short after {len(entries)} images, or no images.bin of COLMAP") from None
    return entries


def _pose(where: str, values: list[float]) -> NDArray[np.float64]:
    w, x, y, z, *translation = values
    return se3.inverse(make_pose(where, translation, (x, y, z, w), COLUMNS))
