"""Image files: 8-bit sRGB colour and 16-bit depth, decoded only if they are whole."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from glrender.errors import InputError
from glrender.io.color import linear_to_bytes
from glrender.io.files import write_bytes
from glrender.io.png_decoder import PNG_SIGNATURE, decode_plain_png, png_damage

JPEG_SIGNATURE = b"\xff\xd8"
JPEG_END = b"\xff\xd9"

SATURATED = 65535
"""The count of a depth image that only says 'too far'."""


class FrameError(InputError):
    """One image of a sequence cannot be used; the others may."""


def read_color(path: str | Path) -> NDArray[np.uint8]:
    """(height, width, 3) sRGB bytes, red first, as stored; FrameError if the file is missing, damaged or no image."""
    return decode_color(str(path), read_file(path))


def read_depth(path: str | Path) -> NDArray[np.uint16]:
    """(height, width) counts, 0 where nothing was measured; FrameError if it is no whole 16-bit image."""
    return decode_depth(str(path), read_file(path))


def decode_color(name: str, data: bytes) -> NDArray[np.uint8]:
    """(height, width, 3) sRGB bytes, red first, of a PNG or JPEG.

    FrameError, with its `name`, if it is not whole, or a depth image.

    Rows and columns are those that are stored, as calibrations and reconstructions count them: a tag that asks
    viewers to turn a photograph is not followed.
    """
    rgb = _plain(name, data)
    if rgb is not None and rgb.ndim != 3:
        raise FrameError(
            f"{name}: received 16 bits of one channel, as depth images have, expected a photograph of 8 bits a channel"
        )
    if rgb is None:
        bgr = _decode(name, data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
    return np.asarray(rgb, dtype=np.uint8)


def decode_depth(name: str, data: bytes) -> NDArray[np.uint16]:
    """(height, width) counts of a 16-bit PNG of one channel; FrameError, with its `name`, if it is not that."""
    if not data.startswith(PNG_SIGNATURE):
        raise FrameError(f"{name}: no PNG ({len(data)} bytes), expected a 16-bit image of one channel as PNG")
    counts = _plain(name, data)
    if counts is None:
        counts = _decode(name, data, cv2.IMREAD_UNCHANGED)
    if counts.dtype != np.uint16 or counts.ndim != 2:
        raise FrameError(
            f"{name}: received {counts.dtype} of shape {counts.shape}, expected a 16-bit image of one channel"
        )
    return counts


def on_orientation(data: bytes, size: tuple[int, int]) -> str:
    """What to add to a complaint about a PNG or JPEG that a tag would turn to `size` (width, height); '' of another."""
    shown = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)  # unlike above, as viewers show it
    if shown is None or shown.shape[1::-1] != size:
        return ""
    return ": its orientation tag would turn it to that, but pixels count as they are stored"


def read_file(path: str | Path) -> bytes:
    """The bytes of an image file; FrameError if they cannot be read."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise FrameError(f"{path}: cannot be read: {error.strerror or error}") from None


def write_color(path: str | Path, linear: NDArray[np.floating]) -> None:
    """Write linear colour (height, width, 1 or 3), clipped to [0, 1], as an 8-bit sRGB PNG."""
    write_bytes(path, encode_png(linear_to_bytes(linear)))


def write_depth(path: str | Path, counts: NDArray[np.uint16]) -> None:
    """Write (height, width) counts as a 16-bit PNG."""
    write_bytes(path, encode_png(counts))


def encode_png(pixels: NDArray[Any]) -> bytes:
    """A PNG of sRGB bytes (height, width, 1 or 3), red first, or of grey bytes or 16-bit counts (height, width).

    By OpenCV, for which nothing is compiled; `glrender.io.png`, for images by the thousand, is quicker once it is.
    """
    bgr = np.ascontiguousarray(pixels[..., ::-1]) if pixels.ndim == 3 else pixels
    return cv2.imencode(".png", bgr)[1].tobytes()


def _plain(name: str, data: bytes) -> NDArray[Any] | None:
    """The pixels of a file that needs no other decoder, None of another one; FrameError if it is not whole."""
    # OpenCV's decoder gives a half-decoded image, and no error, for a file that was cut off.
    is_png = data.startswith(PNG_SIGNATURE)
    damage = png_damage(data) if is_png else _jpeg_damage(data)
    if damage:
        raise FrameError(f"{name}: {damage}")
    return decode_plain_png(data) if is_png else None


def _decode(name: str, data: bytes, flags: int) -> NDArray[Any]:
    try:
        pixels = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags)
    except cv2.error:  # a header that claims more pixels than any image has
        pixels = None
    if pixels is None:
        raise FrameError(f"{name}: cannot be decoded; the file is damaged")
    return pixels


def _jpeg_damage(data: bytes) -> str | None:
    if not data.startswith(JPEG_SIGNATURE):
        return f"neither PNG nor JPEG ({len(data)} bytes)"
    return None if JPEG_END in data[-64:] else f"truncated JPEG: {len(data)} bytes, and no end"
