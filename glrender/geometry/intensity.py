"""What photographs are compared by: one channel whose noise is about the same in the dark and in the light."""

import numpy as np
from numpy.typing import NDArray

from glrender.errors import InputError

LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)
"""Of linear red, green and blue (ITU-R BT.709)."""


def intensity(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """(height, width) in [0, 1]: the square root of the luminance of a linear image (height, width, 3 or 1).

    Shot noise grows with the square root of the light, and files are quantised on about that scale too, so that one
    standard deviation holds for all pixels after it. NaN, where the lens saw nothing, stays NaN.
    """
    if image.ndim != 3 or image.shape[2] not in (1, 3):
        raise InputError(f"image: received shape {image.shape}, expected (height, width, 3 or 1)")
    light = image[..., 0] if image.shape[2] == 1 else image @ LUMINANCE
    return np.sqrt(np.clip(light, 0, 1))
