"""Pictures and films of the window."""

import io
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from glrender.errors import InputError, UsageError
from glrender.io.files import write_bytes
from glrender.io.images import encode_png
from glrender.render.buffers import DerivativeBuffers

FRAME_RATE = 30
"""Frames a second of a film."""


def write_picture(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write (height, width, 3) sRGB bytes as a PNG."""
    write_bytes(path, encode_png(pixels))


def write_depth(path: Path, buffers: DerivativeBuffers) -> None:
    """Write `depth` (height, width) float32 metres, 0 where nothing is, with `K` (3, 3) and `T_world_camera` (4, 4)."""
    file = io.BytesIO()
    np.savez_compressed(file, depth=buffers.depth, K=buffers.camera.matrix, T_world_camera=buffers.T_world_camera)
    write_bytes(path, file.getvalue())


def free_path(folder: Path, stem: str, suffix: str) -> Path:
    """The first of stem-1, stem-2, … that is not there yet."""
    number = 1
    while (path := folder / f"{stem}-{number}{suffix}").exists():
        number += 1
    return path


class Film:
    """An H.264 film that grows picture by picture; needs the extra `video`.

    Raises UsageError without PyAV, InputError where the file cannot be written or its ending names no film.
    """

    def __init__(self, path: Path, size: tuple[int, int]) -> None:
        av = _pyav()
        # Chroma is kept for every second pixel: sizes are even.
        self.size = size[0] // 2 * 2, size[1] // 2 * 2
        self._av = av
        try:
            self._container: Any = av.open(str(path), "w")
            self._stream = self._container.add_stream("libx264", rate=FRAME_RATE)
            self._stream.width, self._stream.height = self.size
            self._stream.pix_fmt = "yuv420p"
            self._stream.options = {"crf": "18", "preset": "veryfast"}
            self._container.start_encoding()  # opens the file
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: no film can be written there: {error}") from None

    def add(self, pixels: NDArray[np.uint8]) -> None:
        """The next picture (height, width, 3) sRGB; one of another size is fitted into the film's."""
        width, height = self.size
        if pixels.shape[:2] != (height, width):
            cropped = pixels[: pixels.shape[0] // 2 * 2, : pixels.shape[1] // 2 * 2]
            pixels = (
                cropped if cropped.shape[:2] == (height, width) else np.asarray(cv2.resize(pixels, self.size), np.uint8)
            )
        frame = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Write what is left and the index, without which players find nothing."""
        self._container.mux(self._stream.encode())
        self._container.close()


def _pyav() -> ModuleType:
    try:
        import av
    except ImportError:
        raise UsageError("--record: films need PyAV; install it with `pip install 'glrender[video]'`") from None
    return av
