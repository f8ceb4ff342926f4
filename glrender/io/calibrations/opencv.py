"""Calibrations that OpenCV's FileStorage holds, in YAML, XML or JSON."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from glrender.errors import InputError
from glrender.io.calibrations.calibration import Calibration, Size, make_camera
from glrender.io.camera_file import CameraFile

MATRIX = ("camera_matrix", "Camera_Matrix", "cameraMatrix", "CameraMatrix", "intrinsics", "K", "M1")
LENS = ("distortion_coefficients", "Distortion_Coefficients", "distCoeffs", "dist_coeffs", "distortion", "D", "D1")
WIDTH = ("image_width", "image_Width", "width", "Width")
HEIGHT = ("image_height", "image_Height", "height", "Height")
"""Names that OpenCV's samples and those who follow them give."""


def read_opencv(path: Path, size: Size | None) -> Calibration:
    """The camera; the size is that of the images where the file has none.

    The lens is taken for OpenCV's pinhole model: the file does not say if it was calibrated as a fisheye.
    """
    where = str(path)
    storage = cv2.FileStorage()
    try:
        if not storage.open(where, cv2.FILE_STORAGE_READ):
            raise InputError(f"{where}: OpenCV cannot open it")
        matrix = _first(storage, MATRIX, lambda node: node.mat())
        lens = _first(storage, LENS, lambda node: node.mat())
        width, height = (_first(storage, names, lambda node: int(node.real())) for names in (WIDTH, HEIGHT))
    except cv2.error as error:
        raise InputError(f"{where}: OpenCV cannot read it: {error.err}") from None
    finally:
        storage.release()
    if matrix is None or matrix.shape != (3, 3):
        raise InputError(f"{where}: no 3 x 3 camera matrix; expected it under one of {', '.join(MATRIX)}")
    if width is not None and height is not None:
        size = width, height
    intrinsics = [float(matrix[i, j]) for i, j in ((0, 0), (1, 1), (0, 2), (1, 2))]
    return Calibration(
        CameraFile(make_camera(where, size, intrinsics, [] if lens is None else np.ravel(lens).tolist()))
    )


def _first(storage: cv2.FileStorage, names: tuple[str, ...], read: Any) -> Any:
    nodes = (storage.getNode(name) for name in names)
    return next((read(node) for node in nodes if not node.empty()), None)
