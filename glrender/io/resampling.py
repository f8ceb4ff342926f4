"""Resampling images of one camera onto the pixels of another that stands in the same place, or stands still."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from glrender.geometry.camera import Camera
from glrender.geometry.row_motion import RowMotion


@dataclass(frozen=True, eq=False)
class Resampling:
    """Where every pixel of the target camera finds its value in an image of the source camera."""

    columns: NDArray[np.float32]
    """(height, width) column in the source image."""
    rows: NDArray[np.float32]
    """(height, width) row in the source image."""
    outside: NDArray[np.bool_]
    """(height, width) True where the source image has no pixel."""

    @staticmethod
    @lru_cache(maxsize=4)  # photographs of a few cameras are read in turns
    def between(source: Camera, target: Camera) -> "Resampling | None":
        """From `source`, which may have a lens, to the pinhole camera `target`; None where they are the same."""
        if source == target:
            return None
        lens = None if source.distortion is None else np.array(source.distortion)
        columns, rows = cv2.initUndistortRectifyMap(
            source.matrix, lens, None, target.matrix, (target.width, target.height), cv2.CV_32FC1
        )
        inside = (columns >= -0.5) & (columns <= source.width - 0.5) & (rows >= -0.5) & (rows <= source.height - 0.5)
        return Resampling(np.asarray(columns, np.float32), np.asarray(rows, np.float32), ~inside)

    @staticmethod
    def unrolled(camera: Camera, motion: RowMotion, lens: "Resampling | None") -> "Resampling":
        """From images whose rows `camera`, pinhole, exposed one after the other, to what it would see at once.

        `lens` leads from the images to the camera's pixels; None: they are the camera's.
        """
        columns, rows = motion.pixels(camera)
        inside = (columns >= -0.5) & (columns <= camera.width - 0.5) & (rows >= -0.5) & (rows <= camera.height - 0.5)
        if lens is None:
            return Resampling(columns, rows, ~inside)
        at, border = (columns, rows), cv2.BORDER_REPLICATE
        outside = cv2.remap(lens.outside.astype(np.uint8), *at, cv2.INTER_NEAREST, borderMode=border)
        return Resampling(
            np.asarray(cv2.remap(lens.columns, *at, cv2.INTER_LINEAR, borderMode=border), np.float32),
            np.asarray(cv2.remap(lens.rows, *at, cv2.INTER_LINEAR, borderMode=border), np.float32),
            ~inside | (outside > 0),
        )

    def color(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bilinear look-up in a linear image (height, width, 3); NaN outside."""
        return self._look_up(image, cv2.INTER_LINEAR, np.nan)

    def depth(self, depth: NDArray[np.float32]) -> NDArray[np.float32]:
        """Nearest look-up in a depth image (height, width), since a mean of two surfaces is neither; 0 outside."""
        return self._look_up(depth, cv2.INTER_NEAREST, 0)

    def _look_up(self, image: NDArray[np.float32], method: int, nothing: float) -> NDArray[np.float32]:
        result = cv2.remap(image, self.columns, self.rows, method, borderMode=cv2.BORDER_REPLICATE)
        result[self.outside] = nothing
        return np.asarray(result, np.float32)
