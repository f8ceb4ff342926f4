"""Whether what was seen of a cell first is what was seen of it since."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.assembly.statistics import SIGMA_PER_MEDIAN

Float64 = NDArray[np.float64]

_LEAST = 3
"""Sightings that make a majority possible."""


def disputed(heights: Float64, sightings: Float64, spacing: float) -> Float64:
    """(cells,): what most sightings say where they contradict `heights` (cells,); NaN where they do not.

    A robust estimate keeps to where it began: had the first frame seen a passer-by, every later frame would count as
    the outlier. `sightings` (cells, N) are mean heights around each vertex, one a frame, NaN where it saw nothing.
    Means may differ from the height of the vertex by the ground within a cell, so a contradiction is more than one
    `spacing`, and five times the spread of the sightings.
    """
    result = np.full(heights.shape, np.nan)
    if sightings.shape[1] >= _LEAST:
        _contradict(sightings, heights, spacing, result)
    return result


@njit(cache=True, nogil=True)
def _contradict(sightings: Float64, heights: Float64, spacing: float, result: Float64) -> None:
    seen = np.empty(sightings.shape[1])
    for i in range(len(heights)):
        count = 0
        for height in sightings[i]:
            if np.isfinite(height):
                seen[count] = height
                count += 1
        if count < _LEAST:
            continue
        median = _median(seen[:count])
        off = abs(heights[i] - median)
        if off <= spacing:
            continue
        for k in range(count):
            seen[k] = abs(seen[k] - median)
        if off > spacing + 5.0 * SIGMA_PER_MEDIAN * _median(seen[:count]):
            result[i] = median


@njit(cache=True, nogil=True)
def _median(values: Float64) -> float:
    """Of a few values, which end up in order."""
    for k in range(1, len(values)):
        value, at = values[k], k
        while at > 0 and values[at - 1] > value:
            values[at] = values[at - 1]
            at -= 1
        values[at] = value
    half = len(values) // 2
    return values[half] if len(values) % 2 else 0.5 * (values[half - 1] + values[half])
