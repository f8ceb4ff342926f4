"""The boundary between sRGB, as files and screens hold it, and the linear colour that glrender computes with."""

import cv2
import numpy as np
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
    """sRGB bytes of linear colour, rounded to nearest; the colours must not be NaN."""
    return np.rint(255 * linear_to_srgb(linear)).astype(np.uint8)


LINEAR_OF_BYTE = srgb_to_linear(np.arange(256, dtype=np.uint8)).astype(np.float32)
"""(256,) linear colour of each sRGB byte."""
