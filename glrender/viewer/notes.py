"""A sheet of pixels for what is written and drawn over the scene: text, bars, small pictures, curves."""

from copy import copy
from functools import lru_cache
from pathlib import Path
from typing import Self

import cv2
import matplotlib
import numpy as np
from matplotlib.ft2font import FT2Font
from numpy.typing import NDArray

Color = tuple[int, int, int, int]
"""sRGB and opacity, bytes."""

WHITE: Color = (240, 240, 240, 255)
DIM: Color = (170, 174, 182, 255)
SHADE: Color = (16, 17, 20, 190)

FONT = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
"""DejaVu Sans, which comes with matplotlib and has the letters of mathematics."""

FONT_SIZE = 13.0
"""Pixels an em at a content scale of 1."""


class Notes:
    """(height, width, 4) sRGB bytes multiplied by their opacity; row 0 on top.

    Places and sizes are in units of `scale` pixels: 1 on ordinary displays, 2 where pixels are half as large.
    """

    def __init__(self, size: tuple[int, int], scale: float = 1.0) -> None:
        self.pixels = np.zeros((size[1], size[0], 4), np.uint8)
        self.scale = scale

    @property
    def width(self) -> float:
        """Width of the sheet, in units."""
        return self.pixels.shape[1] / self.scale

    @property
    def height(self) -> float:
        """Height of the sheet, in units."""
        return self.pixels.shape[0] / self.scale

    def smaller(self, factor: float) -> Self:
        """The same sheet, on which everything comes out `factor` times as large."""
        other = copy(self)
        other.scale = factor * self.scale
        return other

    def box(self, x: float, y: float, width: float, height: float, color: Color = SHADE) -> None:
        """Fill a rectangle."""
        area = self._area(x, y, width, height)
        if area.any():
            self._blend(area, np.full(area.shape[:2], 255, np.uint8), color)
        else:  # as most boxes are: the same bytes in a fraction of the time
            area[:] = np.rint(np.array([*color[:3], 255], np.float32) * (color[3] / 255))

    def text(self, x: float, y: float, text: str, color: Color = WHITE) -> None:
        """Write one line whose baseline begins at (x, y)."""
        coverage, descent = _glyphs(text, round(FONT_SIZE * self.scale, 1))
        height = len(coverage)
        left = round(x * self.scale)
        top = round(y * self.scale) - (height - descent)
        rows, columns = self.pixels.shape[:2]
        inside = coverage[max(0, -top) : max(0, rows - top), max(0, -left) : max(0, columns - left)]
        area = self.pixels[max(0, top) :, max(0, left) :][: inside.shape[0], : inside.shape[1]]
        self._blend(area, inside, color)

    def picture(self, x: float, y: float, width: float, height: float, rgb: NDArray[np.uint8]) -> None:
        """Put (rows, columns, 3) sRGB bytes into a rectangle: averaged where more than fit, else as they are."""
        area = self._area(x, y, width, height)
        rows, columns = area.shape[:2]
        if rows and columns:
            smaller = rgb.shape[0] > rows or rgb.shape[1] > columns
            area[..., :3] = cv2.resize(
                rgb, (columns, rows), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_NEAREST
            )
            area[..., 3] = 255

    def curve(self, points: NDArray[np.floating], color: Color) -> None:
        """Draw a line through (n, 2) places."""
        if len(points) >= 2:
            # Sixteenths of a pixel; what lies below is covered as much as the line covers it.
            fixed = np.rint(16 * self.scale * points).astype(np.int32)
            cover = np.zeros(self.pixels.shape[:2], np.uint8)
            cv2.polylines(cover, [fixed], False, 255, max(1, round(self.scale)), cv2.LINE_AA, shift=4)
            x, y, width, height = cv2.boundingRect(cv2.findNonZero(cover)) if cover.any() else (0, 0, 0, 0)
            box = np.s_[y : y + height, x : x + width]
            self._blend(self.pixels[box], cover[box], color)

    def _area(self, x: float, y: float, width: float, height: float) -> NDArray[np.uint8]:
        left, top, right, bottom = (max(0, round(self.scale * value)) for value in (x, y, x + width, y + height))
        return self.pixels[top:bottom, left:right]

    @staticmethod
    def _blend(area: NDArray[np.uint8], coverage: NDArray[np.uint8], color: Color) -> None:
        opacity = coverage[..., None].astype(np.float32) * (color[3] / 255**2)
        over = np.array([*color[:3], 255], np.float32) * opacity
        area[:] = np.rint(over + area * (1 - opacity)).astype(np.uint8)


def text_width(text: str, scale: float) -> float:
    """Width of a line of text on a sheet of this scale, in units."""
    return _glyphs(text, round(FONT_SIZE * scale, 1))[0].shape[1] / scale


@lru_cache(maxsize=512)
def _glyphs(text: str, pixels: float) -> tuple[NDArray[np.uint8], int]:
    """How far a line of text covers each pixel, 0 to 255, and how many rows lie below its baseline."""
    if not text.strip():
        return np.zeros((1, round(0.3 * pixels * len(text))), np.uint8), 0
    font = _font()
    font.set_size(pixels, 72)
    font.set_text(text, 0.0)
    font.draw_glyphs_to_bitmap(antialiased=True)
    return np.array(font.get_image()), round(font.get_descent() / 64)


@lru_cache(maxsize=1)
def _font() -> FT2Font:
    return FT2Font(str(FONT))
