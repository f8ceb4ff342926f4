"""The boundary between sRGB, as files and screens hold it, and the linear colour that glrender computes with."""

from typing import Any

import cv2
import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray


def srgb_to_linear(srgb: ArrayLike) -> NDArray[np.float64]:
    """Linear colour in [0, 1] of sRGB in [0, 1], or of sRGB bytes, by IEC 61966-2-1; NaN stays NaN."""
    received = np.asarray(srgb)
    values = received / (255.0 if received.dtype == np.uint8 else 1.0)
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(linear: ArrayLike) -> NDArray[np.float64]:
    """sRGB in [0, 1] of linear colour, which is clipped to [0, 1]; NaN stays NaN."""
    values = np.clip(np.asarray(linear, dtype=np.float64), 0, 1)
    return np.where(values <= 0.0031308, 12.92 * values, 1.055 * values ** (1 / 2.4) - 0.055)


def bytes_to_linear(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Linear colour of an image of sRGB bytes (height, width, channels) by table: for every frame that is read."""
    return np.asarray(cv2.LUT(image, LINEAR_OF_BYTE), np.float32)


def linear_to_bytes(linear: ArrayLike, channels: int | None = None) -> NDArray[np.uint8]:
    """sRGB bytes of linear colour, rounded to nearest: rint(255 linear_to_srgb), by table; NaN gives 0.

    Of (…, more) numbers the first `channels` are converted: an image whose pixels have something else, too.
    """
    values = np.asarray(linear)
    values = np.ascontiguousarray(values, np.float32 if values.dtype == np.float32 else np.float64)
    columns = values.shape[-1] if values.ndim else 1
    of_each = columns if channels is None else channels
    rises = RISES_FLOAT32 if values.dtype == np.float32 else RISES
    result = np.empty((values.size // max(columns, 1), of_each), np.uint8)
    _write_bytes(values.reshape(-1), columns, FIRST, rises, result)
    return result.reshape((*values.shape[:-1], of_each) if values.ndim else ())


@njit(cache=True, nogil=True)
def _write_bytes(
    linear: NDArray[Any], columns: int, first: NDArray[np.uint8], rises: NDArray[Any], result: NDArray[np.uint8]
) -> None:
    # Clipped by vector instructions and then looked up, a block at a time: one loop for both takes longer.
    rows = len(result)
    values, parts = np.empty(_BLOCK * columns, linear.dtype), np.empty(_BLOCK * columns, np.uint32)
    for start in range(0, rows, _BLOCK):
        end = min(start + _BLOCK, rows)
        clip(linear[start * columns : end * columns], values, parts)
        look_up(values, parts, columns, first, rises, result[start:end])


@njit(cache=True, nogil=True)
def clip(linear: NDArray[Any], values: NDArray[Any], parts: NDArray[np.uint32]) -> None:
    """Write to `values` what is clipped to [0, 1], and to `parts` which of _PARTS each is in."""
    zero, one, scale = values.dtype.type(0), values.dtype.type(1), values.dtype.type(_PARTS)
    for k in range(len(linear)):
        value = linear[k]
        value = value if value > zero else zero  # where it is NaN, too
        value = value if value < one else one
        values[k] = value
        parts[k] = np.int32(value * scale)


@njit(cache=True, nogil=True)
def look_up(
    values: NDArray[Any],
    parts: NDArray[np.uint32],
    columns: int,
    first: NDArray[np.uint8],
    rises: NDArray[Any],
    result: NDArray[np.uint8],
) -> None:
    """The bytes (n, channels) of the first of each `columns` of what `clip` has made; tables are FIRST and RISES."""
    rows, channels = result.shape
    step = np.uintp(columns)  # without signs, or places would be checked for being counted from the end
    at = np.uintp(0)
    for row in range(rows):
        if channels == 3:  # written out, it takes less time
            result[row, 0] = _byte(values[at], parts[at], first, rises)
            result[row, 1] = _byte(values[at + np.uintp(1)], parts[at + np.uintp(1)], first, rises)
            result[row, 2] = _byte(values[at + np.uintp(2)], parts[at + np.uintp(2)], first, rises)
        else:
            for channel in range(np.uintp(channels)):
                result[row, channel] = _byte(values[at + channel], parts[at + channel], first, rises)
        at += step


@njit(cache=True, nogil=True, inline="always")
def _byte(value: Any, part: np.uint32, first: NDArray[np.uint8], rises: NDArray[Any]) -> int:
    byte = first[part]
    return byte + (rises[byte] <= value)


_BLOCK = 128
"""Pixels that are converted together."""

_PARTS = 4096

LINEAR_OF_BYTE = srgb_to_linear(np.arange(256, dtype=np.uint8)).astype(np.float32)
"""(256,) linear colour of each sRGB byte."""

RISES = np.append(srgb_to_linear((np.arange(255) + 0.5) / 255), np.inf)
"""(256,) linear colour from which on each sRGB byte is followed by the next."""

_NEAREST = RISES.astype(np.float32)
RISES_FLOAT32 = np.where(_NEAREST < RISES, np.nextafter(_NEAREST, np.float32(np.inf)), _NEAREST)
"""(256,) the same in float32: the least that is no less."""

FIRST = np.searchsorted(RISES, np.arange(_PARTS + 1) / _PARTS, side="right").astype(np.uint8)
"""(4097,) the byte at which each 4096th of [0, 1] begins: in none of them is there a second rise."""
