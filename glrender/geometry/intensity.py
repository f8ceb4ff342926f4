"""What photographs are compared by: one channel whose noise is about the same in the dark and in the light."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.checks import check_linear
from glrender.errors import InputError

LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)
"""Weights of linear red, green and blue in the luminance (ITU-R BT.709)."""
_RED, _GREEN, _BLUE = LUMINANCE


def intensity(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """(height, width) in [0, 1]: the square root of the luminance of a linear image (height, width, 3 or 1).

    Shot noise grows with the square root of the light, and files are quantised on about that scale too: after taking
    the root, one standard deviation holds for all pixels. NaN, where the lens saw nothing, stays NaN. InputError for
    another shape, and for bytes.
    """
    image = check_linear("image", image, (None, None, None))
    if image.shape[2] not in (1, 3):
        raise InputError(f"image: received shape {image.shape}, expected (height, width, 3 or 1)")
    if image.shape[2] == 1:
        return np.sqrt(np.clip(image[..., 0], 0, 1))
    result = np.empty(image.shape[:2], image.dtype)
    _roots(image.reshape(-1), result.reshape(-1))
    return result


@njit(cache=True, nogil=True, fastmath={"contract"})
def _roots(colors: NDArray[np.float32], result: NDArray[np.float32]) -> None:
    """All steps for one pixel before the next: in numpy, each step would read all pixels from memory again."""
    for k in range(len(result)):
        light = _RED * colors[3 * k] + _GREEN * colors[3 * k + 1] + _BLUE * colors[3 * k + 2]
        light = min(max(light, np.float32(0)), np.float32(1)) if not np.isnan(light) else light
        result[k] = np.sqrt(light)
