"""A COLMAP model's cameras: `cameras.txt` or `cameras.bin`."""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from glrender.errors import InputError
from glrender.io.calibrations.calibration import PIXEL_CENTRE, Calibration, choose_camera, make_camera
from glrender.io.camera_file import CameraFile
from glrender.io.files import data_lines
from glrender.io.poses.colmap import find_model
from glrender.io.trajectory import read_numbers

COLUMNS = "CAMERA_ID MODEL WIDTH HEIGHT PARAMS"

HEADER = struct.Struct("<iiQQ")
"""Of a camera in `cameras.bin`: id, model, width, height; the parameters follow."""


@dataclass(frozen=True)
class Model:
    """One of COLMAP's camera models."""

    number: int
    """What `cameras.bin` has for it."""
    count: int
    """How many parameters it has."""
    split: Callable[[Sequence[float]], tuple[Sequence[float], Sequence[float]]] | None
    """Parameters to (fx, fy, cx, cy) and OpenCV's coefficients; None: a lens that glrender does not have."""


MODELS = {
    "SIMPLE_PINHOLE": Model(0, 3, lambda p: ((p[0], p[0], p[1], p[2]), ())),
    "PINHOLE": Model(1, 4, lambda p: (p, ())),
    "SIMPLE_RADIAL": Model(2, 4, lambda p: ((p[0], p[0], p[1], p[2]), (p[3], 0, 0, 0))),
    "RADIAL": Model(3, 5, lambda p: ((p[0], p[0], p[1], p[2]), (p[3], p[4], 0, 0))),
    "OPENCV": Model(4, 8, lambda p: (p[:4], p[4:])),
    "OPENCV_FISHEYE": Model(5, 8, None),
    "FULL_OPENCV": Model(6, 12, lambda p: (p[:4], p[4:])),
    "FOV": Model(7, 5, None),
    "SIMPLE_RADIAL_FISHEYE": Model(8, 4, None),
    "RADIAL_FISHEYE": Model(9, 5, None),
    "THIN_PRISM_FISHEYE": Model(10, 12, None),
}


@dataclass(frozen=True)
class _Camera:
    model: str
    size: tuple[int, int]
    parameters: tuple[float, ...]


def read_colmap(path: Path, camera: str | None) -> Calibration:
    """The camera with the id `camera`, or the only one, of a COLMAP model."""
    file = find_model(path, "cameras")
    cameras = _read_binary(file) if file.suffix == ".bin" else _read_text(file)
    if not cameras:
        raise InputError(f"{file}: holds no camera")
    chosen = cameras[choose_camera(str(file), camera, cameras)]
    split = MODELS[chosen.model].split
    if split is None:
        raise InputError(
            f"{file}: the camera model {chosen.model} is not one that glrender has; undistort the images first "
            "(colmap image_undistorter), and give the model that this makes"
        )
    (fx, fy, cx, cy), lens = split(chosen.parameters)
    intrinsics = fx, fy, cx - PIXEL_CENTRE, cy - PIXEL_CENTRE
    return Calibration(CameraFile(make_camera(str(file), chosen.size, intrinsics, lens)))


def _read_text(path: Path) -> dict[str, _Camera]:
    cameras = {}
    for number, line in data_lines(path):
        where = f"{path}:{number}"
        words = line.split()
        if len(words) < 4 or words[1] not in MODELS:
            raise InputError(f"{where}: received {line!r}, expected {COLUMNS} with one of {', '.join(MODELS)}")
        count = MODELS[words[1]].count
        width, height, *parameters = read_numbers(where, words[2:], 2 + count, f"{COLUMNS} ({count} of {words[1]})")
        cameras[words[0]] = _Camera(words[1], (int(width), int(height)), tuple(parameters))
    return cameras


def _read_binary(path: Path) -> dict[str, _Camera]:
    data = path.read_bytes()
    names = {model.number: name for name, model in MODELS.items()}
    cameras = {}
    try:
        (count,) = struct.unpack_from("<Q", data)
        position = 8
        for _ in range(count):
            identity, number, width, height = HEADER.unpack_from(data, position)
            if number not in names:
                raise InputError(f"{path}: camera {identity} has the unknown model {number}")
            parameters = struct.unpack_from(f"<{MODELS[names[number]].count}d", data, position + HEADER.size)
            position += HEADER.size + 8 * len(parameters)
            cameras[str(identity)] = _Camera(names[number], (width, height), parameters)
    except struct.error:
        raise InputError(f"{path}: cut short after {len(cameras)} cameras, or no cameras.bin of COLMAP") from None
    return cameras
