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
    columns = linear.shape[1]
    for row in range(linear.shape[0]):
        if columns == 3:  # written out, it takes half of the time
            result[3 * row] = _byte(linear[row, 0], first, rises)
            result[3 * row + 1] = _byte(linear[row, 1], first, rises)
            result[3 * row + 2] = _byte(linear[row, 2], first, rises)
        else:
            for column in range(columns):
                result[row * columns + column] = _byte(linear[row, column], first, rises)


@njit(cache=True, nogil=True, inline="always")
def _byte(value: Any, first: NDArray[np.uint8], rises: NDArray[Any]) -> int:
    zero, one = rises.dtype.type(0), rises.dtype.type(1)
    value = value if value > zero else zero  # where it is NaN, too
    value = value if value < one else one
    byte = first[np.int32(value * rises.dtype.type(_PARTS))]
    return byte + (rises[byte] <= value)


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
