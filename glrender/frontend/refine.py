"""The last step of depth from motion: a few hypotheses around a surface already found, to fractions of a step.

Windows follow the surface that was found, so slopes no longer blur the scores. Sources that match agree on one
parabola through the scores beside their peak. Its bend says how well the texture along the epipolar lines places the
match. Let V be a window's sum of squared deviations: residuals have the variance 2 (1 - peak) V / N at each of its N
pixels, and the squared changes of intensity that a step brings add up to V bend, so that the match is placed to
2 (1 - peak) / (N bend) steps², whatever V. m sources share the noise of the reference's window but not their own:
(m + 1) / 2m of one source's variance is left.
"""

from typing import NamedTuple

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.frontend.motion_depth import Verdict
from glrender.parallel import even_parts, run_parts

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

# Compiled loops know no enumerations.
_OUT_OF_VIEW, _NO_TEXTURE, _INCONSISTENT = map(int, (Verdict.OUT_OF_VIEW, Verdict.NO_TEXTURE, Verdict.INCONSISTENT))


class Refined(NamedTuple):
    """What became of each pixel."""

    offset: Float32
    """(height, width) of the peak from the middle hypothesis, in steps."""
    sigma: Float32
    """(height, width) its standard deviation, in steps."""
    verdict: NDArray[np.uint8]
    """(height, width) CONFIDENT, OUT_OF_VIEW, NO_TEXTURE or INCONSISTENT."""


class Agreement(NamedTuple):
    """When enough sources agree on a match."""

    sources: int
    """So many must agree, or all that see the pixel's window where they are fewer."""
    score: float
    """A source agrees if its best hypothesis has this score, or a higher one."""
    image_sigma: float
    """Noise of the intensity: residuals are never taken for smaller."""
    radius: int
    """Of the windows, pixels."""


def refined(reference: Float32, scores: Float32, agreement: Agreement) -> Refined:
    """`scores` are those of `all_scores` (sources, height, width, count), count odd and at least 3."""
    shape = reference.shape
    result = Refined(np.zeros(shape, np.float32), np.zeros(shape, np.float32), np.zeros(shape, np.uint8))
    variances = _variances(reference, agreement.radius)
    run_parts(_refine_rows, even_parts(shape[0]), variances, scores, agreement, *result)
    return result


@njit(cache=True, nogil=True, error_model="numpy")
def _refine_rows(
    variances: Float64,
    scores: Float32,
    agreement: Agreement,
    offset: Float32,
    sigma: Float32,
    verdict: NDArray[np.uint8],
    first: int,
    last: int,
) -> None:
    sources, _, width, count = scores.shape
    mean = np.empty(count, np.float64)
    for v in range(first, last):
        for u in range(width):
            mean[:] = 0
            seen, agreeing = 0, 0
            for s in range(sources):
                best, worst = scores[s, v, u, 0], scores[s, v, u, 0]
                for k in range(1, count):
                    best = max(best, scores[s, v, u, k])
                    worst = min(worst, scores[s, v, u, k])
                if worst < -1.5:  # not all of it is seen
                    continue
                seen += 1
                if best >= agreement.score:
                    agreeing += 1
                    for k in range(count):
                        mean[k] += scores[s, v, u, k]
            variance = variances[v, u]
            if variance < 2 * agreement.image_sigma**2:
                verdict[v, u] = _NO_TEXTURE
                continue
            if seen == 0:
                verdict[v, u] = _OUT_OF_VIEW
                continue
            if agreeing < min(agreement.sources, seen):
                verdict[v, u] = _INCONSISTENT
                continue
            k = int(np.argmax(mean))
            if k == 0 or k == count - 1:
                verdict[v, u] = _INCONSISTENT
                continue
            before, peak, after = mean[k - 1] / agreeing, mean[k] / agreeing, mean[k + 1] / agreeing
            bend = 2 * peak - before - after
            if bend <= 1e-6:
                verdict[v, u] = _NO_TEXTURE
                continue
            slope = (after - before) / 2
            offset[v, u] = k - count // 2 + slope / bend
            unexplained = max(1 - (peak + slope * slope / (2 * bend)), agreement.image_sigma**2 / variance)
            pixels = (2 * agreement.radius + 1) ** 2
            sigma[v, u] = np.sqrt(2 * unexplained / (pixels * bend) * (agreeing + 1) / (2 * agreeing))


def _variances(image: Float32, radius: int) -> Float64:
    """(height, width): variance of each pixel's window, as far as it is in the image; NaN where that has a NaN."""
    known = np.isfinite(image)
    filled = np.where(known, image, np.float32(0))
    once, square, count, unknown = (
        cv2.boxFilter(each, cv2.CV_64F, (2 * radius + 1,) * 2, normalize=False, borderType=cv2.BORDER_CONSTANT)
        for each in (filled, np.square(filled, dtype=np.float64), np.ones_like(filled), np.float32(1) - known)
    )
    return np.where(unknown > 0.5, np.nan, square / count - np.square(once / count))


def smoothed(w: Float32, within: Float32, radius: int) -> Float32:
    """(height, width): the mean of the neighbours up to `radius` pixels away that differ by `within` at most."""
    out = np.empty_like(w)
    run_parts(_smooth_rows, even_parts(len(w)), w, within, radius, out)
    return out


def roughness(w: Float32, radius: int) -> Float32:
    """(height, width): root mean square deviation of each pixel's window from the plane that fits it best."""
    # Sums of squares lose digits that are far from the mean.
    off = w.astype(np.float64) - w.mean(dtype=np.float64)
    ones, ramp = np.ones(2 * radius + 1), np.arange(-radius, radius + 1, dtype=np.float64)
    pixels = ones.size**2

    def summed(values: Float64, across: Float64, down: Float64) -> Float64:
        sums = cv2.sepFilter2D(values, cv2.CV_64F, across, down, borderType=cv2.BORDER_REPLICATE)
        return np.asarray(sums, np.float64)

    by_plane = np.square(summed(off, ones, ones))
    # Mean square of a column's, or row's, distance from the middle.
    lever = radius * (radius + 1) / 3
    by_plane += (np.square(summed(off, ramp, ones)) + np.square(summed(off, ones, ramp))) / lever
    left = summed(np.square(off), ones, ones) - by_plane / pixels
    return np.sqrt(np.maximum(left, 0) / pixels).astype(np.float32)


@njit(cache=True, nogil=True)
def _smooth_rows(w: Float32, within: Float32, radius: int, out: Float32, first: int, last: int) -> None:
    height, width = w.shape
    for v in range(first, last):
        for u in range(width):
            total, count = 0.0, 0
            for i in range(max(v - radius, 0), min(v + radius + 1, height)):
                for j in range(max(u - radius, 0), min(u + radius + 1, width)):
                    if abs(w[i, j] - w[v, u]) <= within[v, u]:
                        total += w[i, j]
                        count += 1
            out[v, u] = total / count if count > 0 else w[v, u]
