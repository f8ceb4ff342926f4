"""Points looked up in a photograph, and how what they find there changes with them.

Loops over points take them by pieces of `PIECE`, each quantity of a piece a row of its own, padded with NaN: of a
length that is known when they are compiled, from memory that is near, they become vector instructions.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

NEAREST = 1e-3
"""Metres: what is nearer to the camera is not in its image."""
PIECE = 128
"""Points of a piece."""
FEWEST_ROWS = 4
"""Or columns, of an image that shows anything: places lie between the second and the last but one."""


class Sighting(NamedTuple):
    """What a photograph shows where it should show some points."""

    intensity: Float64
    """(N,) NaN where a point is out of the image, or beside pixels that saw nothing."""
    gradient: Float64
    """(N, 3) d intensity / d point, 1/m in camera axes; orthogonal to the point's ray."""
    points: Float64
    """(N, 3) camera coordinates, metres."""

    @property
    def seen(self) -> NDArray[np.bool_]:
        """(N,)."""
        return ~np.isnan(self.intensity)


def pieces_of(*quantities: NDArray[Any]) -> Float64:
    """(pieces, rows, PIECE): quantities (N,) or (N, columns), one below the other, NaN beyond the last point."""
    rows = np.concatenate([np.atleast_2d(values.T) for values in quantities])
    height, count = rows.shape
    number = -(-count // PIECE)
    padded = np.full((height, number * PIECE), np.nan)
    padded[:, :count] = rows
    return np.ascontiguousarray(padded.reshape(height, number, PIECE).swapaxes(0, 1))


def side_by_side(pieces: Float64, count: int) -> Float64:
    """(rows, count): `pieces` (pieces, rows, PIECE) of that many points put together again."""
    number, height, _ = pieces.shape
    return pieces.swapaxes(0, 1).reshape(height, number * PIECE)[:, :count]


class Lens(NamedTuple):
    """A camera, for compiled loops."""

    rows: int
    cols: int
    fx: float
    fy: float
    cx: float
    cy: float


class Scratch(NamedTuple):
    """What is known of a piece's points between two loops over them; for compiled loops."""

    corner: Int64
    """(PIECE,) the first of the 4 x 4 pixels around each."""
    place: Float64
    """(2, PIECE) how far from the second of them each is, in u and v; NaN where a point is out of the image."""
    samples: Float32
    """(16, PIECE) their intensities, row by row."""


@njit(cache=True, nogil=True)
def new_scratch() -> Scratch:
    """For one thread; in compiled loops."""
    return Scratch(np.empty(PIECE, np.int64), np.empty((2, PIECE)), np.empty((16, PIECE), np.float32))


@njit(cache=True, nogil=True)
def look_up(
    pixels: Float32,
    lens: Lens,
    T_camera_points: Float64,
    points: Float64,
    found: Float64,
    scratch: Scratch,
) -> None:
    """A piece's `points` (3 or more, PIECE) in an image, `pixels` row by row, by Catmull-Rom splines and their slopes.

    The first seven rows of `found` become those of a `Sighting`: points, gradient, intensity. The image has at least
    `FEWEST_ROWS` rows and columns.
    """
    _project(lens, T_camera_points, points, found, scratch.corner, scratch.place)
    _gather(pixels, lens.cols, scratch.corner, scratch.samples)
    _interpolate(lens, scratch.samples, scratch.place, found)


# Within the caller, as `normal_equations.add_products`.
@njit(cache=True, nogil=True, forceinline=True, error_model="numpy", fastmath={"contract", "arcp"})
def _project(lens: Lens, T: Float64, points: Float64, found: Float64, corner: Int64, place: Float64) -> None:
    fx, fy, cx, cy = lens.fx, lens.fy, lens.cx, lens.cy
    rows, cols = float(lens.rows), float(lens.cols)
    for k in range(PIECE):
        px, py, pz = points[0, k], points[1, k], points[2, k]
        x = T[0, 0] * px + T[0, 1] * py + T[0, 2] * pz + T[0, 3]
        y = T[1, 0] * px + T[1, 1] * py + T[1, 2] * pz + T[1, 3]
        z = T[2, 0] * px + T[2, 1] * py + T[2, 2] * pz + T[2, 3]
        u, v = fx * x / z + cx, fy * y / z + cy
        inside = (z > NEAREST) & (u >= 1) & (v >= 1) & (u < cols - 2) & (v < rows - 2)
        # Elsewhere a pixel that there is, and a place that makes everything of it NaN.
        u, v = u if inside else 1.0, v if inside else 1.0
        j, i = np.floor(u), np.floor(v)
        corner[k] = np.int64((i - 1) * cols + j - 1)
        place[0, k], place[1, k] = u - j if inside else np.nan, v - i
        found[0, k], found[1, k], found[2, k] = x, y, z


@njit(cache=True, nogil=True)
def _gather(pixels: Float32, cols: int, corner: Int64, samples: Float32) -> None:
    for k in range(PIECE):
        for i in range(4):
            for j in range(4):
                # Unsigned indices wrap round nowhere.
                samples[4 * i + j, k] = pixels[np.uint64(corner[k] + i * cols + j)]


@njit(cache=True, nogil=True, forceinline=True, error_model="numpy", fastmath={"contract", "arcp"})
def _interpolate(lens: Lens, samples: Float32, place: Float64, found: Float64) -> None:
    for k in range(PIECE):
        across, across_slopes = _weights(place[0, k]), _slopes(place[0, k])
        down, down_slopes = _weights(place[1, k]), _slopes(place[1, k])
        value = du = dv = 0.0
        for i in range(4):
            along = _along(across, samples, 4 * i, k)
            value += down[i] * along
            dv += down_slopes[i] * along
            du += down[i] * _along(across_slopes, samples, 4 * i, k)
        x, y, z = found[0, k], found[1, k], found[2, k]
        seen = not np.isnan(value)
        gx, gy = du * lens.fx / z if seen else 0.0, dv * lens.fy / z if seen else 0.0
        found[3, k], found[4, k], found[5, k] = gx, gy, -(gx * x + gy * y) / z if seen else 0.0
        found[6, k] = value


@njit(cache=True, nogil=True, inline="always")
def _along(weights: tuple[float, float, float, float], samples: Float32, first: int, k: int) -> float:
    return (
        weights[0] * samples[first, k]
        + weights[1] * samples[first + 1, k]
        + weights[2] * samples[first + 2, k]
        + weights[3] * samples[first + 3, k]
    )


@njit(cache=True, nogil=True, inline="always")
def _weights(s: float) -> tuple[float, float, float, float]:
    """Of four samples at -1, 0, 1, 2, for the value at s in [0, 1) (Catmull and Rom 1974)."""
    return (
        0.5 * s * (s * (2 - s) - 1),
        0.5 * (s * s * (3 * s - 5) + 2),
        0.5 * s * (s * (4 - 3 * s) + 1),
        0.5 * s * s * (s - 1),
    )


@njit(cache=True, nogil=True, inline="always")
def _slopes(s: float) -> tuple[float, float, float, float]:
    """The derivatives of `_weights`."""
    return (
        0.5 * (s * (4 - 3 * s) - 1),
        0.5 * s * (9 * s - 10),
        0.5 * (s * (8 - 9 * s) + 1),
        0.5 * s * (3 * s - 2),
    )
