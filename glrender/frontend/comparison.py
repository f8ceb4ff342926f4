"""All references of a level compared with a frame at once, down to the normal equations, in one compiled call.

This is most of what following a camera takes: loops of some tens of microseconds, one after the other from the
interpreter, would wait longer for it than they run, and for its lock where other threads want that, too.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.assembly.statistics import SIGMA_PER_MEDIAN
from glrender.frontend.normal_equations import add_products
from glrender.frontend.pyramid import Level
from glrender.frontend.reference import ReferencePoints
from glrender.frontend.residuals import FEWEST, LEAST_SIGMA, Exposure, Residuals, middle, weigh
from glrender.frontend.texture import BLOCKS
from glrender.frontend.warp import FEWEST_ROWS, PIECE, Lens, Sighting, look_up, new_scratch, side_by_side

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

_DEPTH, _EXPECTED, _SLOPE, _BLOCK = 2, 3, 4, 6  # rows of `ReferencePoints.pieces`
_GRADIENT, _INTENSITY, _VALUE, _WEIGHT, _ROWS = 3, 6, 7, 8, 9  # and of what is found, as by `look_up` first


class References:
    """The points of some references on one level, put together so that one compiled call goes through all of them."""

    def __init__(self, points: Sequence[ReferencePoints]) -> None:
        self.points = tuple(points)
        parts = [each.pieces for each in self.points]
        self.pieces = np.concatenate(parts) if len(parts) > 1 else parts[0]
        self.counts = np.array([len(each.points) for each in self.points])
        self.first = np.cumsum([0, *map(len, parts)])
        """(R + 1,): the first piece of each reference, and that behind the last."""


class Summary(NamedTuple):
    """What a frame shows of a reference's points, as sums over those that are seen."""

    seen: int
    """How many."""
    fitting: int
    """Those whose robust weight is above one half."""
    reference_square: float
    """Squares of the reference's intensities, about their mean."""
    frame_square: float
    """Of the frame's."""
    product: float
    """Of both."""
    reference_slopes: tuple[float, float, float]
    """Products of the slopes of the reference's intensities, along u and u, u and v, v and v, 1/pixel²."""
    frame_slopes: tuple[float, float, float]
    """Of the frame's."""

    @property
    def gain(self) -> float:
        """What the frame's intensities are to be multiplied by to spread as widely as the reference's."""
        return _gain(self.seen, self.reference_square, self.frame_square)


@dataclass(frozen=True, eq=False)
class Comparison:
    """R references and a frame at one pose."""

    references: References
    level: Level
    T_camera_reference: Float64
    """(R, 4, 4)."""
    exposures: Float64
    """(R, 2): gain and bias of the frame with each."""
    sigmas: Float64
    """(R,) see `Residuals`."""
    costs: Float64
    """(R,) see `Residuals`."""
    matrix: Float64
    """(6 + 2 R, 6 + 2 R): normal equations of the twist, then of gain and bias for each reference."""
    vector: Float64
    """(6 + 2 R,)."""
    found: Float64
    """(pieces, rows, PIECE): points, gradient and intensity of a `Sighting`, value and weight of `Residuals`."""

    def exposure(self, k: int) -> Exposure:
        """Of the frame with one of the references."""
        gain, bias = self.exposures[k].tolist()
        return Exposure(gain, bias)

    def sighting(self, k: int) -> Sighting:
        """What the frame shows of a reference's points."""
        rows = side_by_side(self._own(k), self.references.counts[k])
        return Sighting(rows[_INTENSITY], rows[_GRADIENT:_INTENSITY].T, rows[:_GRADIENT].T)

    def residuals(self, k: int) -> Residuals:
        """The intensities of a reference's points against the frame's."""
        own, count = self._own(k), self.references.counts[k]
        columns = np.empty((len(own), 9, PIECE))
        for piece, rows in zip(own, columns, strict=True):
            _differentiate(piece, self.exposures[k, 0], rows)
        value, weight = side_by_side(own[:, _VALUE:_ROWS], count)
        by = side_by_side(columns[:, :8], count).T
        return Residuals(value, weight, by, float(self.sigmas[k]), float(self.costs[k]))

    def _own(self, k: int) -> Float64:
        first, last = self.references.first[k : k + 2]
        return self.found[first:last]

    def scores(self, step: Float64) -> Float64:
        """(R · blocks, 6 + 2 R): the scores, see `BlockEquations.scores`, of each block of each reference after a step
        (6 + 2 R,)."""
        scores, references = np.zeros((len(self.sigmas), BLOCKS[0] * BLOCKS[1], len(step))), self.references
        _score(references.pieces, self.found, references.first, self.exposures, step, scores)
        return scores.reshape(-1, len(step))

    @cached_property
    def summaries(self) -> tuple[Summary, ...]:
        """Of each reference."""
        references, camera, sums = self.references, self.level.camera, np.empty((len(self.sigmas), 11))
        _summarize(references.pieces, self.found, references.first, (camera.fx, camera.fy), self.sigmas, sums)
        return tuple(
            Summary(int(seen), int(fitting), a, b, ab, (uu, uv, vv), (found_uu, found_uv, found_vv))
            for seen, fitting, a, b, ab, uu, uv, vv, found_uu, found_uv, found_vv in sums.tolist()
        )


def compare(
    references: References, level: Level, T_camera_reference: Float64, exposures: Float64, sigmas: Float64
) -> Comparison:
    """Compare a frame at one pose, `T_camera_reference` (R, 4, 4), with R references.

    Where `exposures` (R, 2) or `sigmas` (R,) are NaN, they are estimated from the intensities.
    """
    R, P, camera, image = len(sigmas), 6 + 2 * len(sigmas), level.camera, level.image
    if min(image.shape) < FEWEST_ROWS:
        image = np.full((FEWEST_ROWS, FEWEST_ROWS), np.nan, np.float32)
    lens = Lens(image.shape[0], image.shape[1], camera.fx, camera.fy, camera.cx, camera.cy)
    inputs = (image.ravel(), lens, references.pieces, references.first, references.counts, T_camera_reference)
    exposures, sigmas, costs = exposures.copy(), sigmas.copy(), np.empty(R)
    matrix, vector, found = np.zeros((P, P)), np.zeros(P), np.empty((len(references.pieces), _ROWS, PIECE))
    _compare(*inputs, exposures, sigmas, costs, matrix, vector, found)
    return Comparison(references, level, T_camera_reference, exposures, sigmas, costs, matrix, vector, found)


def photometric(
    reference: ReferencePoints,
    level: Level,
    T_camera_reference: Float64,
    exposure: Exposure | None,
    sigma: float | None = None,
) -> tuple[Residuals, Sighting, Exposure]:
    """`compare` with a single reference, whose `T_camera_reference` is (4, 4).

    Where exposure or sigma is None, it is estimated from the intensities.
    """
    exposures = np.array([[np.nan] * 2 if exposure is None else [exposure.gain, exposure.bias]])
    sigmas = np.array([np.nan if sigma is None else sigma])
    found = compare(References([reference]), level, np.array([T_camera_reference]), exposures, sigmas)
    return found.residuals(0), found.sighting(0), found.exposure(0)


@njit(cache=True, nogil=True)
def _compare(
    pixels: Float32,
    lens: Lens,
    pieces: Float64,
    first: Int64,
    counts: Int64,
    T: Float64,
    exposures: Float64,
    sigmas: Float64,
    costs: Float64,
    matrix: Float64,
    vector: Float64,
    found: Float64,
) -> None:
    """Fill in what a `Comparison` has; `matrix` and `vector` are 0."""
    scratch, rows, weighted = new_scratch(), np.empty((9, PIECE)), np.empty(PIECE)
    for r in range(len(T)):
        expected, there = pieces[first[r] : first[r + 1]], found[first[r] : first[r + 1]]
        for c in range(len(there)):
            look_up(pixels, lens, T[r], expected[c], there[c], scratch)
        if np.isnan(exposures[r, 0]):
            exposures[r, 0], exposures[r, 1] = _exposure(_moments(expected, there))
        for c in range(len(there)):
            for k in range(PIECE):
                off = expected[c, _EXPECTED, k] - exposures[r, 0] * there[c, _INTENSITY, k] - exposures[r, 1]
                there[c, _VALUE, k] = off
        if np.isnan(sigmas[r]):
            sigmas[r] = max(SIGMA_PER_MEDIAN * _middle_size(there), LEAST_SIGMA)
        own_matrix, own_vector, seen, rho = np.zeros((8, 8)), np.zeros(8), 0, 0.0
        for c in range(len(there)):
            own_seen, own_rho = weigh(there[c, _VALUE], sigmas[r], there[c, _WEIGHT])
            seen, rho = seen + own_seen, rho + own_rho
            _differentiate(there[c], exposures[r, 0], rows)
            add_products(rows, there[c, _WEIGHT], PIECE, weighted, own_matrix, own_vector)
        costs[r] = rho / seen * counts[r] if seen else np.inf
        for a in range(8):
            to = a if a < 6 else a + 2 * r
            vector[to] += own_vector[a]
            for b in range(8):
                matrix[to, b if b < 6 else b + 2 * r] += own_matrix[a, b]


@njit(cache=True, nogil=True)
def _differentiate(found: Float64, gain: float, rows: Float64) -> None:
    """Fill in, of a piece's differences, their derivatives by the twist of the frame's camera, by gain and by bias, and
    then the differences themselves: `rows` (9, PIECE). What is not seen is 0, but for the derivative by the bias."""
    # Loops over few rows each: of many, whether they overlap takes longer to tell than what vectors gain.
    for axis in range(3):
        for k in range(PIECE):
            rows[axis, k] = -gain * found[_GRADIENT + axis, k]
    for k in range(PIECE):
        rows[3, k] = _or_0(found[1, k] * rows[2, k] - found[2, k] * rows[1, k])
    for k in range(PIECE):
        rows[4, k] = _or_0(found[2, k] * rows[0, k] - found[0, k] * rows[2, k])
    for k in range(PIECE):
        rows[5, k] = _or_0(found[0, k] * rows[1, k] - found[1, k] * rows[0, k])
    for k in range(PIECE):
        rows[6, k] = _or_0(-found[_INTENSITY, k])
        rows[7, k] = -1.0
        rows[8, k] = found[_VALUE, k]


@njit(cache=True, nogil=True, inline="always")
def _or_0(value: float) -> float:
    return 0.0 if np.isnan(value) else value


@njit(cache=True, nogil=True)
def _score(pieces: Float64, found: Float64, first: Int64, exposures: Float64, step: Float64, scores: Float64) -> None:
    """Add to the scores (R, blocks, 6 + 2 R) those of what is left of the differences after a step."""
    rows = np.empty((9, PIECE))
    for r in range(len(exposures)):
        for c in range(first[r], first[r + 1]):
            _differentiate(found[c], exposures[r, 0], rows)
            for k in range(PIECE):
                weight, left = found[c, _WEIGHT, k], rows[8, k]
                if weight == 0:
                    continue
                for a in range(8):
                    left += rows[a, k] * step[a if a < 6 else a + 2 * r]
                own = scores[r, int(pieces[c, _BLOCK, k])]
                for a in range(8):
                    own[a if a < 6 else a + 2 * r] += weight * left * rows[a, k]


@njit(cache=True, nogil=True)
def _middle_size(found: Float64) -> float:
    """The median of the differences' sizes."""
    sizes, count = np.empty(len(found) * PIECE), 0
    for c in range(len(found)):
        for k in range(PIECE):
            sizes[count] = abs(found[c, _VALUE, k])
            count += not np.isnan(found[c, _VALUE, k])
    return middle(sizes, count)


# Sums may be taken in any order, within the caller, for the reasons that `normal_equations.add_products` has.
@njit(cache=True, nogil=True, forceinline=True, fastmath={"contract", "reassoc", "nsz"})
def _moments(expected: Float64, found: Float64) -> tuple[int, float, float, float, float, float]:
    """Of the points that are seen: their number, the means of what is expected and of what is found, the sums of their
    squares about these, and of their products."""
    count, mean, found_mean = 0, 0.0, 0.0
    for c in range(len(found)):
        for k in range(PIECE):
            seen = not np.isnan(found[c, _INTENSITY, k])
            mean += expected[c, _EXPECTED, k] if seen else 0.0
            found_mean += found[c, _INTENSITY, k] if seen else 0.0
            count += seen
    mean, found_mean = mean / max(count, 1), found_mean / max(count, 1)
    square = found_square = product = 0.0
    for c in range(len(found)):
        for k in range(PIECE):
            seen = not np.isnan(found[c, _INTENSITY, k])
            a = expected[c, _EXPECTED, k] - mean if seen else 0.0
            b = found[c, _INTENSITY, k] - found_mean if seen else 0.0
            square, found_square, product = square + a * a, found_square + b * b, product + a * b
    return count, mean, found_mean, square, found_square, product


@njit(cache=True, nogil=True)
def _exposure(moments: tuple[int, float, float, float, float, float]) -> tuple[float, float]:
    """Gain and bias that give the frame the mean and spread of the reference: good before they are aligned, too."""
    count, mean, found_mean, square, found_square = moments[:5]
    if count < FEWEST:
        return 1.0, 0.0
    gain = _gain(count, square, found_square)
    return gain, mean - gain * found_mean


@njit(cache=True, nogil=True)
def _gain(count: int, square: float, found_square: float) -> float:
    return math.sqrt(square / found_square) if found_square > 1e-12 * count else 1.0


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"})
def _summarize(
    pieces: Float64, found: Float64, first: Int64, focal: tuple[float, float], sigmas: Float64, sums: Float64
) -> None:
    """Fill in what a `Summary` has (R, 11), in its order."""
    for r in range(len(sigmas)):
        expected, there = pieces[first[r] : first[r + 1]], found[first[r] : first[r + 1]]
        count, _, _, square, found_square, product = _moments(expected, there)
        fitting, half = 0, 0.5 / sigmas[r] ** 2
        uu = uv = vv = found_uu = found_uv = found_vv = 0.0
        for c in range(len(there)):
            for k in range(PIECE):
                fitting += there[c, _WEIGHT, k] > half
                seen = not np.isnan(there[c, _INTENSITY, k])
                u, v = expected[c, _SLOPE, k] if seen else 0.0, expected[c, _SLOPE + 1, k] if seen else 0.0
                uu, uv, vv = uu + u * u, uv + u * v, vv + v * v
                z = there[c, _DEPTH, k] if seen else 0.0
                u, v = there[c, _GRADIENT, k] * z / focal[0], there[c, _GRADIENT + 1, k] * z / focal[1]
                found_uu, found_uv, found_vv = found_uu + u * u, found_uv + u * v, found_vv + v * v
        sums[r, 0], sums[r, 1], sums[r, 2], sums[r, 3], sums[r, 4] = count, fitting, square, found_square, product
        sums[r, 5], sums[r, 6], sums[r, 7] = uu, uv, vv
        sums[r, 8], sums[r, 9], sums[r, 10] = found_uu, found_uv, found_vv
