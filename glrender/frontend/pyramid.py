"""Photographs at several resolutions: on small ones a frame is found from further off, and quickly."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from glrender.checks import check_array
from glrender.geometry.camera import Camera

SMALLEST = 24
"""Rows or columns, whichever are fewer, of the coarsest level at least: what remains of less is no picture."""


@dataclass(frozen=True, eq=False)
class Level:
    """One resolution of a photograph."""

    camera: Camera
    image: NDArray[np.float32]
    """(height, width) intensity, see `glrender.geometry.intensity`; NaN where the lens saw nothing."""


def build_pyramid(camera: Camera, image: NDArray[np.float32]) -> tuple[Level, ...]:
    """`image` (height, width) of `camera`, finest first, each level with half the rows and columns of the one before.

    A level's pixel centres are every second ones of the level before it, so that depths are passed on by leaving out.
    """
    image = check_array("image", image, camera.shape, np.float32)
    levels = [Level(camera, image)]
    while min(levels[-1].image.shape) >= 2 * SMALLEST:
        # 5 x 5 binomial weights about every second pixel (Burt and Adelson 1983).
        smaller = np.asarray(cv2.pyrDown(levels[-1].image), np.float32)
        levels.append(Level(_halved(levels[-1].camera), smaller))
    return tuple(levels)


@lru_cache(maxsize=16)
def _halved(camera: Camera) -> Camera:
    # The same ones of every photograph, and checked when they are made.
    return camera.every_nth_pixel(2)
