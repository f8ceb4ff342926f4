"""What a set of errors amounts to, and whether their standard deviations were right."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glrender.assembly.statistics import SIGMA_PER_MEDIAN

BAND = 0.05
"""Metres: errors beyond are of another surface (an edge, a thing that moved), not of this one's accuracy."""
WIDE_BAND = 0.25
"""The same of a surface seen from the air."""


@dataclass(frozen=True)
class SigmaQuartile:
    """A quarter of the errors, by their standard deviation. If it is right, 68 % lie within 1 sigma, 95 % within 2."""

    count: int
    sigma_median_mm: float
    rmse_mm: float
    within_1_sigma: float
    """Share, 0 to 1."""
    within_2_sigma: float
    """Share, 0 to 1."""


@dataclass(frozen=True)
class ErrorSummary:
    """Millimetres, and shares from 0 to 1; NaN for what nothing is known of."""

    count: int
    """Errors."""
    median_abs_mm: float
    mae_mm: float
    """Mean of |error|."""
    rmse_mm: float
    rmse_5cm_band_mm: float
    """RMSE of the errors of less than 5 cm."""
    within_5cm_band: float
    """Share of the errors of less than 5 cm."""
    within_25cm_band: float
    """Share of the errors of less than 25 cm."""
    robust_sigma_mm: float
    """SIGMA_PER_MEDIAN times the median absolute deviation of the errors from their median."""
    offset_mm: float
    """Mean error: what all have in common."""
    rmse_without_offset_mm: float
    """RMSE after the mean error is taken off."""
    sigma_median_mm: float
    within_1_sigma: float
    """Share of the errors whose standard deviation is known."""
    within_2_sigma: float
    sigma_quartiles: tuple[SigmaQuartile, ...]
    """From the smallest standard deviations to the largest; empty where fewer than four are known."""


def summarize(errors: NDArray[np.floating], sigma: NDArray[np.floating]) -> ErrorSummary:
    """Summarise `errors` (N,) in metres whose standard deviations are `sigma` (N,), NaN where unknown."""
    magnitude = np.abs(errors)
    in_band = magnitude < BAND
    known = np.isfinite(sigma)
    judged, sigma = magnitude[known], sigma[known]
    return ErrorSummary(
        count=len(errors),
        median_abs_mm=1000 * median(magnitude),
        mae_mm=1000 * _mean(magnitude),
        rmse_mm=1000 * _rms(errors),
        rmse_5cm_band_mm=1000 * _rms(errors[in_band]),
        within_5cm_band=_mean(in_band),
        within_25cm_band=_mean(magnitude < WIDE_BAND),
        robust_sigma_mm=1000 * SIGMA_PER_MEDIAN * median(np.abs(errors - median(errors))),
        offset_mm=1000 * _mean(errors),
        rmse_without_offset_mm=1000 * _rms(errors - _mean(errors)),
        sigma_median_mm=1000 * median(sigma),
        within_1_sigma=_mean(judged <= sigma),
        within_2_sigma=_mean(judged <= 2 * sigma),
        sigma_quartiles=_quartiles(judged, sigma),
    )


def _quartiles(magnitude: NDArray[np.floating], sigma: NDArray[np.floating]) -> tuple[SigmaQuartile, ...]:
    if len(sigma) < 4:
        return ()
    # By rank, not by value: where many are equal the quarters are still of equal size.
    quarters = np.array_split(np.argsort(sigma, kind="stable"), 4)
    return tuple(
        SigmaQuartile(
            count=len(quarter),
            sigma_median_mm=1000 * median(sigma[quarter]),
            rmse_mm=1000 * _rms(magnitude[quarter]),
            within_1_sigma=_mean(magnitude[quarter] <= sigma[quarter]),
            within_2_sigma=_mean(magnitude[quarter] <= 2 * sigma[quarter]),
        )
        for quarter in quarters
    )


def median(values: NDArray[np.floating]) -> float:
    """The median; NaN of nothing."""
    return float(np.median(values)) if values.size else np.nan


def _mean(values: NDArray[np.floating] | NDArray[np.bool_]) -> float:
    return float(np.mean(values, dtype=np.float64)) if values.size else np.nan


def _rms(values: NDArray[np.floating]) -> float:
    return float(np.sqrt(_mean(np.square(values, dtype=np.float64))))
