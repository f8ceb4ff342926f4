"""The pixels of a photograph that have something to tell: those whose intensity is steep, spread over the image."""

from dataclasses import dataclass

import numpy as np
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
    """Of each level the steepest pixel in each of about `most_points` squares, where it is steep at all; half as many
    of each next one, which only leads to the one before it."""
    return tuple(_choose(level, max(most_points >> number, LEAST_POINTS)) for number, level in enumerate(pyramid))


def _choose(level: Level, most_points: int) -> Texture:
    height, width = level.image.shape
    along = np.zeros((height, width, 2), np.float32)
    along[1:-1, 1:-1, 0] = level.image[1:-1, 2:] - level.image[1:-1, :-2]
    along[1:-1, 1:-1, 1] = level.image[2:, 1:-1] - level.image[:-2, 1:-1]
    along /= 2
    steepness = np.hypot(along[..., 0], along[..., 1])
    side = max(int(np.sqrt(height * width / most_points)), 1)
    rows, cols = height // side, width // side
    steep = np.where(steepness > PLAIN, steepness, 0)[: rows * side, : cols * side]  # no NaN is above anything
    squares = steep.reshape(rows, side, cols, side).swapaxes(1, 2).reshape(rows, cols, side * side)
    best = squares.argmax(axis=2)
    has = squares.max(axis=2) > 0
    i, j = np.nonzero(has)
    v, u = i * side + best[has] // side, j * side + best[has] % side
    block = (v * BLOCKS[0] // height) * BLOCKS[1] + u * BLOCKS[1] // width
    order = np.argsort(block, kind="stable")
    u, v, camera = u[order], v[order], level.camera
    rays = np.stack([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, np.ones(len(u))], axis=-1)
    intensity, slope = (values[v, u].astype(np.float64) for values in (level.image, along))
    return Texture(np.stack([u, v], axis=-1), rays, intensity, slope, block[order])
