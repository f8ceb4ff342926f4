"""Fractions of a step, their standard deviation, and what windows of uneven ground do to it."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from glrender.frontend.motion_depth import Verdict
from glrender.frontend.refine import Agreement, refined, roughness, smoothed

AGREEMENT = Agreement(sources=2, score=0.6, image_sigma=0.004, radius=2)
TEXTURE = np.random.default_rng(0).normal(0.5, 0.1, (6, 7)).astype(np.float32)


def parabolas(peaks: list[tuple[float, float, float]]) -> NDArray[np.float32]:
    """(sources, 6, 7, 5): of each source a score, where it is, in steps from the middle, and its bend."""
    k = np.arange(5) - 2
    curves = np.array([score - bend / 2 * (k - place) ** 2 for score, place, bend in peaks])
    return np.broadcast_to(curves[:, None, None], (len(peaks), 6, 7, 5)).astype(np.float32)


def test_the_peak_of_what_agrees_and_its_sigma() -> None:
    found = refined(TEXTURE, parabolas([(0.9, 0.3, 0.1), (0.8, 0.3, 0.1), (0.4, -1.0, 0.2)]), AGREEMENT)
    assert (found.verdict == Verdict.CONFIDENT).all()
    np.testing.assert_allclose(found.offset, 0.3, atol=1e-5)
    np.testing.assert_allclose(found.sigma, np.sqrt(2 * (1 - 0.85) / (25 * 0.1) * 3 / 4), rtol=1e-3)


@pytest.mark.parametrize(
    ("peaks", "verdict"),
    [
        ([(0.9, 0.0, 0.1), (0.5, 0.0, 0.1)], Verdict.INCONSISTENT),
        ([(0.9, 2.0, 0.1), (0.9, 2.0, 0.1)], Verdict.INCONSISTENT),
        ([(0.9, 0.0, 0.0), (0.9, 0.0, 0.0)], Verdict.INCONSISTENT),
        ([(-2.0, 0.0, 0.0), (-2.0, 0.0, 0.0)], Verdict.OUT_OF_VIEW),
        ([(0.9, 0.0, 0.1), (-2.0, 0.0, 0.0)], Verdict.CONFIDENT),
    ],
)
def test_verdicts(peaks: list[tuple[float, float, float]], verdict: Verdict) -> None:
    assert (refined(TEXTURE, parabolas(peaks), AGREEMENT).verdict == verdict).all()


def test_noise_is_no_texture() -> None:
    faint = (0.5 + 0.01 * (TEXTURE - 0.5)).astype(np.float32)
    found = refined(faint, parabolas([(0.9, 0.0, 0.1), (0.9, 0.0, 0.1)]), AGREEMENT)
    assert (found.verdict == Verdict.NO_TEXTURE).all()


def test_sigma_is_that_of_noisy_windows() -> None:
    """Of a texture of which two noisy copies are found in a noisy window: how far off they are, and what sigma says.

    By small steps: texture is not symmetric, and half a pixel apart a parabola is off by 0.04 pixels without any noise.
    """
    rng = np.random.default_rng(1)
    size, step, noise = 300, 0.25, 0.004
    texture = ndimage.gaussian_filter(rng.normal(size=(size, size)), 1.5) * 0.3 + 0.5

    def noisy(image: NDArray[np.float64]) -> NDArray[np.float64]:
        return image + noise * rng.normal(size=image.shape)

    reference = noisy(texture)
    sources = [noisy(texture) for _ in range(2)]
    scores = np.empty((2, size, size, 7), np.float32)
    for s, source in enumerate(sources):
        for k in range(7):
            shifted = ndimage.shift(source, (0, (k - 3) * step), order=3, mode="nearest")
            scores[s, ..., k] = _correlation(reference, shifted)
    found = refined(reference.astype(np.float32), scores, AGREEMENT)
    inner = np.zeros((size, size), bool)
    inner[10:-10, 10:-10] = True
    known = inner & (found.verdict == Verdict.CONFIDENT)
    assert known.sum() > 0.9 * inner.sum()
    pulls = found.offset[known] / found.sigma[known]
    assert np.mean(np.abs(pulls) < 1) == pytest.approx(0.68, abs=0.08)
    assert np.mean(np.abs(pulls) < 2) == pytest.approx(0.95, abs=0.06)


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    def mean(image: NDArray[np.float64]) -> NDArray[np.float64]:
        return ndimage.uniform_filter(image, 5)

    covariance = mean(a * b) - mean(a) * mean(b)
    return covariance / np.sqrt((mean(a * a) - mean(a) ** 2) * (mean(b * b) - mean(b) ** 2))


def test_planes_are_not_rough_and_bumps_are() -> None:
    y, x = np.mgrid[0:12, 0:15].astype(np.float32)
    assert roughness(0.3 * x - 0.2 * y, 2)[2:-2, 2:-2].max() < 1e-3
    rng = np.random.default_rng(0)
    w = rng.normal(size=(12, 15)).astype(np.float32)
    window = w[3:8, 4:9].ravel()
    plane = np.stack([np.ones(25), x[3:8, 4:9].ravel(), y[3:8, 4:9].ravel()], axis=1)
    left = window - plane @ np.linalg.lstsq(plane, window, rcond=None)[0]
    assert roughness(w, 2)[5, 6] == pytest.approx(np.sqrt(np.mean(left**2)), rel=1e-4)


def test_smoothing_stops_at_steps() -> None:
    w = np.zeros((8, 10), np.float32)
    w[:, 5:] = 1
    w += 0.01 * np.random.default_rng(0).normal(size=w.shape).astype(np.float32)
    even = smoothed(w, np.full(w.shape, 0.1, np.float32), 1)
    assert even[:, :5].max() < 0.05
    assert even[:, 5:].min() > 0.95
    assert even[:, :5].std() < 0.7 * w[:, :5].std()
