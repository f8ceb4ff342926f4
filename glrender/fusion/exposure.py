"""How much brighter one photograph is than another: a gain and a bias, found robustly.

Cameras change their exposure as they go, which multiplies an image, and some the level of their black, which shifts it.
A gain is told by how bright an image is as a whole, a bias only by how strong its contrasts are; but these seem weaker
too where images are interpolated or do not quite match. So of no change at all, a gain, and a gain with a bias, the
simplest counts that explains nearly all that the last does.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glrender.assembly.statistics import SIGMA_PER_MEDIAN

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

FEWEST = 50
"""Points in common that an exposure can be told from."""

_BETTER = 1.1  # times less that a gain has to leave than nothing does, of the mean loss of the residuals
_MUCH_BETTER = 1.5  # and a bias less than a gain: images that are out of place leave up to 1.3 times less with one
_MOST_PIXELS = 2000  # of which it is found: more do not change it by as much as noise does
_PASSES = 5
_TAIL = 3.0  # standard deviations at which a residual weighs one half
_LARGEST_GAIN = 8.0


@dataclass(frozen=True)
class RelativeExposure:
    """An image is `gain` times the other, plus `bias`; the front end's `Exposure` is what undoes that."""

    gain: float = 1.0
    bias: float = 0.0

    def residual(self, reference: Float64, image: Float64) -> Float64:
        """What is left of intensities `image` of the same points as `reference`'s (alike in shape) without that."""
        return image - self.gain * reference - self.bias

    def undone(self, image: Float32) -> Float32:
        """The intensities `image`, of any shape, as they would be without."""
        return ((image - np.float32(self.bias)) / np.float32(self.gain)).astype(np.float32, copy=False)


NOMINAL = RelativeExposure()
"""Of a photograph against itself, and of any two that have too little in common."""


def estimate_exposure(reference: Float32, image: Float32) -> RelativeExposure | None:
    """The exposure of intensities `image` (n,) against those of the same points in `reference` (n,), all finite.

    Up to two fifths of them may show something else. None where they have nothing to do with each other, as with a
    black image: the gain would be beyond 8 or below 1/8.
    """
    if len(image) < FEWEST:
        return NOMINAL
    step = max(1, len(image) // _MOST_PIXELS)
    there, here = reference[::step].astype(np.float64), image[::step].astype(np.float64)
    level = float(np.median(here)) / max(float(np.median(there)), 1e-6)
    if not 1 / _LARGEST_GAIN <= level <= _LARGEST_GAIN:
        return None
    gain = affine = RelativeExposure(level)
    for _ in range(_PASSES):
        gain = _fit_gain(there, here, _weights(gain.residual(there, here)))
        affine = _fit_affine(there, here, _weights(affine.residual(there, here)))
    scale = _scale(affine.residual(there, here))
    left, left_by_gain, left_by_both = (
        float(np.mean(np.log1p(np.square(exposure.residual(there, here) / (_TAIL * scale)))))
        for exposure in (NOMINAL, gain, affine)
    )
    if left_by_gain > _MUCH_BETTER * left_by_both and 1 / _LARGEST_GAIN <= affine.gain <= _LARGEST_GAIN:
        return affine
    return gain if left > _BETTER * left_by_gain else NOMINAL


def _fit_gain(reference: Float64, image: Float64, weight: Float64) -> RelativeExposure:
    weighted = weight * reference
    return RelativeExposure(float(weighted @ image) / max(float(weighted @ reference), 1e-12))


def _fit_affine(reference: Float64, image: Float64, weight: Float64) -> RelativeExposure:
    """The gain that makes contrasts alike; least squares would take any that do not match for less contrast."""
    total = float(weight.sum())
    means = weight @ reference / total, weight @ image / total
    contrast = weight @ np.square(reference - means[0]), weight @ np.square(image - means[1])
    gain = math.sqrt((float(contrast[1]) + 1e-12) / (float(contrast[0]) + 1e-12))
    return RelativeExposure(gain, float(means[1] - gain * means[0]))


def _weights(residual: Float64) -> Float64:
    """Cauchy's."""
    return 1 / (1 + np.square(residual / (_TAIL * _scale(residual))))


def _scale(residual: Float64) -> float:
    """Robust standard deviation, at least that of rounding."""
    return max(SIGMA_PER_MEDIAN * float(np.median(np.abs(residual))), 1e-4)
