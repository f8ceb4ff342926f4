"""Where a height map stands upright, so that what its heights say is not what stands there."""

import cv2
import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]


def beside_steps(heights: Float64, spacing: float, steepest: float) -> NDArray[np.bool_]:
    """(rows, cols): vertices of `heights` (rows, cols) beside a step, and those that such a vertex pulls at.

    A step is steeper than `steepest` over two cells of `spacing` metres: millimetres sideways are centimetres of height
    there, and where in a cell it stands a map does not say.
    """
    z, around = heights.astype(np.float32), np.ones((3, 3), np.uint8)
    relief = cv2.dilate(z, around) - cv2.erode(z, around)
    return cv2.dilate((relief > steepest * 2 * spacing).astype(np.uint8), around) > 0
