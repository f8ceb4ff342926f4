"""The pixels of a photograph that have something to tell: those whose intensity is steep, spread over the image."""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.frontend.pyramid import Level

Float64 = NDArray[np.float64]

BLOCKS = (6, 8)
"""Rows and columns of the blocks of an image that are taken to err independently of each other."""
PLAIN = 0.004
"""Intensity a pixel: a weaker slope is noise (one grey level in the darks is 0.003)."""

LEAST_POINTS = 600
"""Points of the coarsest levels."""


@dataclass(frozen=True, eq=False)
class Texture:
    """Pixels of one level, in the order of their blocks."""

    pixels: NDArray[np.int64]
    """(N, 2) columns u and rows v of the level."""
    rays: Float64
    """(N, 3) r = ((u-cx)/fx, (v-cy)/fy, 1)."""
    intensity: Float64
    """(N,)."""
    slope: Float64
    """(N, 2) of the intensity along u and v, 1/pixel of the level."""
    block: NDArray[np.int64]
    """(N,) block of the image, 0 to BLOCKS[0]·BLOCKS[1] - 1."""


def choose_texture(pyramid: tuple[Level, ...], most_points: int) -> tuple[Texture, ...]:
    """Of each level, the pixel at which the intensity is steepest in each of some squares, unless none there is steep.

    There are about `most_points` squares on the finest level, and half as many on each coarser one, which only leads to
    the one before it; but no fewer than `LEAST_POINTS`.
    """
    return tuple(_choose(level, max(most_points >> number, LEAST_POINTS)) for number, level in enumerate(pyramid))


def _choose(level: Level, most_points: int) -> Texture:
    height, width = level.image.shape
    side = max(int(np.sqrt(height * width / most_points)), 1)
    squares = (height // side) * (width // side)
    pixels, slope = np.empty((squares, 2), np.int64), np.empty((squares, 2))
    count = _steepest(level.image, side, pixels, slope)
    u, v = pixels[:count].T
    block = (v * BLOCKS[0] // height) * BLOCKS[1] + u * BLOCKS[1] // width
    order = np.argsort(block, kind="stable")
    chosen, intensity = pixels[order], level.image[v, u][order].astype(np.float64)
    return Texture(chosen, level.camera.rays_through(chosen), intensity, slope[order], block[order])


@njit(cache=True, nogil=True)
def _steepest(image: NDArray[np.float32], side: int, pixels: NDArray[np.int64], slope: Float64) -> int:
    """Fill in the steepest pixel (u, v) of each square that is steep anywhere, and its slopes; returns how many these
    are."""
    (height, width), rows, cols = image.shape, image.shape[0] // side, image.shape[1] // side
    steepness, best = np.zeros(width, np.float32), np.empty(cols, np.float32)
    at, count = np.empty((cols, 2), np.int64), 0
    for i in range(rows):
        for j in range(cols):
            best[j] = np.float32(PLAIN) ** 2
            at[j, 0] = -1
        for v in range(max(i * side, 1), min((i + 1) * side, height - 1)):
            above, own, below = image[v - 1], image[v], image[v + 1]
            for k in range(width - 2):
                du, dv = own[k + 2] - own[k], below[k + 1] - above[k + 1]
                steepness[k + 1] = np.float32(0.25) * (du * du + dv * dv)
            for j in range(cols):
                for u in range(j * side, (j + 1) * side):
                    if steepness[u] > best[j]:  # no NaN is above anything
                        best[j], at[j, 0], at[j, 1] = steepness[u], u, v
        for j in range(cols):
            u, v = at[j]
            if u >= 0:
                pixels[count, 0], pixels[count, 1] = u, v
                slope[count, 0] = np.float32(0.5) * (image[v, u + 1] - image[v, u - 1])
                slope[count, 1] = np.float32(0.5) * (image[v + 1, u] - image[v - 1, u])
                count += 1
    return count
