"""Image files: 8-bit sRGB colour and 16-bit depth, decoded only if they are whole."""

import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from glrender.errors import InputError
from glrender.io.color import linear_to_bytes
from glrender.io.files import write_bytes

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_SIGNATURE = b"\xff\xd8"
JPEG_END = b"\xff\xd9"

SATURATED = 65535
"""The count of a depth image that only says 'too far'."""


class FrameError(InputError):
    """One image of a sequence cannot be used; the others may."""


def read_color(path: Path) -> NDArray[np.uint8]:
    """(height, width, 3) sRGB bytes, red first; FrameError if the file is missing, damaged or no image."""
    bgr = _decode(path, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def read_depth(path: Path) -> NDArray[np.uint16]:
    """(height, width) counts, 0 where nothing was measured; FrameError if it is no whole 16-bit image."""
    counts = _decode(path, cv2.IMREAD_UNCHANGED)
    if counts.dtype != np.uint16 or counts.ndim != 2:
        raise FrameError(
            f"{path}: received {counts.dtype} of shape {counts.shape}, expected a 16-bit image of one channel"
        )
    return counts


def write_color(path: Path, linear: NDArray[np.floating]) -> None:
    """Write linear colour (height, width, 1 or 3), clipped to [0, 1], as an 8-bit sRGB PNG."""
    _write_png(path, np.ascontiguousarray(linear_to_bytes(linear)[..., ::-1]))


def write_depth(path: Path, counts: NDArray[np.uint16]) -> None:
    """Write (height, width) counts as a 16-bit PNG."""
    _write_png(path, counts)


def _write_png(path: Path, pixels: NDArray[Any]) -> None:
    write_bytes(path, cv2.imencode(".png", pixels)[1].tobytes())


def _decode(path: Path, flags: int) -> NDArray[Any]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FrameError(f"{path}: cannot be read: {error.strerror or error}") from None
    # The decoder gives a half-decoded image, and no error, for a file that was cut off.
    damage = _png_damage(data) if data.startswith(PNG_SIGNATURE) else _jpeg_damage(data)
    if damage:
        raise FrameError(f"{path}: {damage}")
    pixels = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags)
    if pixels is None:
        raise FrameError(f"{path}: cannot be decoded; the file is damaged")
    return pixels


def _png_damage(data: bytes) -> str | None:
    """What is wrong with the chunks of a PNG (each: length, type, content, checksum), or None."""
    position, kind = len(PNG_SIGNATURE), b""
    while kind != b"IEND":
        if position + 12 > len(data):
            return f"truncated PNG: {len(data)} bytes, and no end"
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 8 + length
        if end + 4 > len(data):
            return f"truncated PNG: {len(data)} bytes of at least {end + 16}"
        (checksum,) = struct.unpack_from(">I", data, end)
        if zlib.crc32(memoryview(data)[position + 4 : end]) != checksum:
            return f"damaged PNG: wrong checksum at byte {position}"
        position = end + 4
    return None


def _jpeg_damage(data: bytes) -> str | None:
    if not data.startswith(JPEG_SIGNATURE):
        return f"neither PNG nor JPEG ({len(data)} bytes)"
    return None if JPEG_END in data[-64:] else f"truncated JPEG: {len(data)} bytes, and no end"
