"""Pixels of ROS image messages: sensor_msgs/Image and sensor_msgs/CompressedImage."""

import struct
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from glrender.io.images import SATURATED, FrameError, decode_depth
from glrender.io.png_decoder import PNG_SIGNATURE

DEPTH_ENCODINGS = ("16UC1", "32FC1")
"""Encodings that tell depth images: whole millimetres, or metres as floats (REP 118)."""

LIKE_DEPTH = "mono16"
"""An encoding that is 16UC1 where a topic is said to be depth; infrared images have it too."""

MILLIMETRES = 1000.0
"""Counts per metre of 16-bit depth."""

COLOR_ENCODINGS: dict[str, tuple[int, int | None]] = {
    "rgb8": (3, None),
    "8UC3": (3, cv2.COLOR_BGR2RGB),
    "bgr8": (3, cv2.COLOR_BGR2RGB),
    "rgba8": (4, cv2.COLOR_RGBA2RGB),
    "bgra8": (4, cv2.COLOR_BGRA2RGB),
    "8UC4": (4, cv2.COLOR_BGRA2RGB),
    "mono8": (1, cv2.COLOR_GRAY2RGB),
    "8UC1": (1, cv2.COLOR_GRAY2RGB),
    "bayer_rggb8": (1, cv2.COLOR_BayerRGGB2RGB),
    "bayer_bggr8": (1, cv2.COLOR_BayerBGGR2RGB),
    "bayer_gbrg8": (1, cv2.COLOR_BayerGBRG2RGB),
    "bayer_grbg8": (1, cv2.COLOR_BayerGRBG2RGB),
    "yuv422": (2, cv2.COLOR_YUV2RGB_UYVY),
    "uyvy": (2, cv2.COLOR_YUV2RGB_UYVY),
    "yuv422_yuy2": (2, cv2.COLOR_YUV2RGB_YUY2),
    "yuyv": (2, cv2.COLOR_YUV2RGB_YUY2),
}
"""Bytes a pixel, and how OpenCV makes RGB of them; None: they are."""

COMPRESSED_DEPTH_HEADER = struct.Struct("<iff")
"""What compressed_depth_image_transport puts before its PNG: a format, and A and B of 1 / depth = (count - B) / A."""


def is_depth(message: Any) -> bool:
    """Whether an image message is a depth image, by its encoding."""
    if hasattr(message, "encoding"):
        return str(message.encoding) in DEPTH_ENCODINGS
    return "compressedDepth" in message.format or message.format.split(";")[0].strip() in ("16UC1", "32FC1")


def color_content(message: Any) -> bytes | NDArray[np.uint8]:
    """The file that a compressed message holds, or (height, width, 3) sRGB of another; FrameError if it is damaged."""
    if not hasattr(message, "encoding"):
        return bytes(message.data)
    encoding = str(message.encoding)
    if encoding not in COLOR_ENCODINGS:
        known = ", ".join(COLOR_ENCODINGS)
        raise FrameError(f"the encoding {encoding!r} is not one of a photograph that glrender reads: {known}")
    channels, conversion = COLOR_ENCODINGS[encoding]
    pixels = _rows(message, np.dtype(np.uint8), channels)
    if conversion is None:
        return np.ascontiguousarray(pixels)
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels), conversion), np.uint8)


def depth_counts(message: Any, depth_scale: float) -> NDArray[np.uint16]:
    """(height, width) counts: 16-bit ones as they are, metres by `depth_scale`; FrameError if it is no depth image.

    NaN and what is not positive becomes 0, nothing measured; what does not fit into 16 bits 'too far'.
    """
    if not hasattr(message, "encoding"):
        return _compressed_depth(bytes(message.data), message.format, depth_scale)
    encoding = str(message.encoding)
    if encoding not in (*DEPTH_ENCODINGS, LIKE_DEPTH):
        raise FrameError(f"the encoding {encoding!r} is not one of a depth image: {', '.join(DEPTH_ENCODINGS)}")
    order = ">" if message.is_bigendian else "<"
    if encoding == "32FC1":
        return _counts(_rows(message, np.dtype(f"{order}f4"), 1)[..., 0], depth_scale)
    return np.ascontiguousarray(_rows(message, np.dtype(f"{order}u2"), 1)[..., 0], np.uint16)


def is_metric(message: Any) -> bool:
    """Whether a depth image has metres as floats."""
    return "32FC1" in (message.encoding if hasattr(message, "encoding") else message.format)


def _rows(message: Any, dtype: np.dtype[Any], channels: int) -> NDArray[Any]:
    """(height, width, channels) of a message whose rows may be longer than their pixels."""
    width = message.width * channels * dtype.itemsize
    data = np.asarray(message.data, np.uint8)
    if message.step < width or data.size < message.height * message.step or message.height == 0 or width == 0:
        raise FrameError(
            f"{data.size} bytes for {message.width} x {message.height} pixels of {channels * dtype.itemsize} bytes, "
            f"{message.step} a row"
        )
    rows = data[: message.height * message.step].reshape(message.height, message.step)[:, :width]
    return np.ascontiguousarray(rows).view(dtype).reshape(message.height, message.width, channels)


def _compressed_depth(data: bytes, format: str, depth_scale: float) -> NDArray[np.uint16]:
    start = data.find(PNG_SIGNATURE, 0, COMPRESSED_DEPTH_HEADER.size + len(PNG_SIGNATURE))
    if start < 0:
        raise FrameError(f"a compressed depth image of the format {format!r} that is no PNG; expected PNG")
    counts = decode_depth("compressed depth", data[start:])
    if "32FC1" not in format:
        return counts
    if start != COMPRESSED_DEPTH_HEADER.size:
        raise FrameError(f"a compressed depth image of the format {format!r} without the head that gives its scale")
    _, a, b = COMPRESSED_DEPTH_HEADER.unpack_from(data)
    with np.errstate(divide="ignore", invalid="ignore"):
        return _counts(np.where(counts > 0, a / (counts - b), 0.0), depth_scale)


def _counts(metres: NDArray[np.floating], depth_scale: float) -> NDArray[np.uint16]:
    scaled = np.rint(metres * np.float64(depth_scale))
    return np.where(scaled > 0, np.minimum(scaled, SATURATED), 0).astype(np.uint16)
