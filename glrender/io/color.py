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


def linear_to_bytes(linear: ArrayLike) -> NDArray[np.uint8]:
    """sRGB bytes of linear colour, rounded to nearest: rint(255 linear_to_srgb), by table; NaN gives 0."""
    values = np.asarray(linear)
    if values.dtype != np.float32:
        values = values.astype(np.float64)
    result = np.empty(values.shape, np.uint8)
    rises = _RISES_FLOAT32 if values.dtype == np.float32 else _RISES
    _write_bytes(values.reshape(-1, values.shape[-1] if values.ndim else 1), result.reshape(-1), _FIRST, rises)
    return result


@njit(cache=True, nogil=True)
def _write_bytes(
    linear: NDArray[Any], result: NDArray[np.uint8], first: NDArray[np.uint8], rises: NDArray[Any]
) -> None:
    # Fetched, clipped by vector instructions and then looked up, a block at a time: one loop for all takes longer.
    rows, columns = linear.shape
    values, parts = np.empty(_BLOCK * columns, linear.dtype), np.empty(_BLOCK * columns, np.uint32)
    for start in range(0, rows, _BLOCK):
        count = min(_BLOCK, rows - start)
        _fetch(linear, start, count, values)
        _clip(values, parts)
        _look_up(values, parts, first, rises, result[start * columns : (start + count) * columns])


@njit(cache=True, nogil=True)
def _fetch(linear: NDArray[Any], start: int, count: int, values: NDArray[Any]) -> None:
    columns = linear.shape[1]
    for row in range(count):
        if columns == 3:  # written out, it takes half of the time
            values[3 * row] = linear[start + row, 0]
            values[3 * row + 1] = linear[start + row, 1]
            values[3 * row + 2] = linear[start + row, 2]
        else:
            for column in range(columns):
                values[row * columns + column] = linear[start + row, column]


@njit(cache=True, nogil=True)
def _clip(values: NDArray[Any], parts: NDArray[np.uint32]) -> None:
    """Clip to [0, 1], and find which of _PARTS each value is in."""
    zero, one, scale = values.dtype.type(0), values.dtype.type(1), values.dtype.type(_PARTS)
    for k in range(len(values)):
        value = values[k]
        value = value if value > zero else zero  # where it is NaN, too
        value = value if value < one else one
        values[k] = value
        parts[k] = np.int32(value * scale)


@njit(cache=True, nogil=True)
def _look_up(
    values: NDArray[Any],
    parts: NDArray[np.uint32],
    first: NDArray[np.uint8],
    rises: NDArray[Any],
    result: NDArray[np.uint8],
) -> None:
    for k in range(len(result)):
        byte = first[parts[k]]
        result[k] = byte + (rises[byte] <= values[k])


_BLOCK = 128
"""Pixels that are converted together."""

_PARTS = 4096

LINEAR_OF_BYTE = srgb_to_linear(np.arange(256, dtype=np.uint8)).astype(np.float32)
"""(256,) linear colour of each sRGB byte."""

_RISES = np.append(srgb_to_linear((np.arange(255) + 0.5) / 255), np.inf)
"""(256,) linear colour from which on each sRGB byte is followed by the next."""

_NEAREST = _RISES.astype(np.float32)
_RISES_FLOAT32 = np.where(_NEAREST < _RISES, np.nextafter(_NEAREST, np.float32(np.inf)), _NEAREST)
"""(256,) the same in float32: the least that is no less."""

_FIRST = np.searchsorted(_RISES, np.arange(_PARTS + 1) / _PARTS, side="right").astype(np.uint8)
"""(4097,) the byte at which each 4096th of [0, 1] begins: in none of them is there a second rise."""
