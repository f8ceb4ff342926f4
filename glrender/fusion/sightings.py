"""Whether what was seen of a cell first is what was seen of it since."""

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

Float64 = NDArray[np.float64]

_LEAST = 3
"""Sightings that make a majority possible."""


def disputed(heights: Float64, sightings: Sequence[Float64], cells: NDArray[np.bool_], spacing: float) -> Float64:
    """(rows, cols): what most sightings say where they contradict `heights` (rows, cols); NaN where they do not.

    A robust estimate keeps to where it began: had the first frame seen a passer-by, every later frame would count as
    the outlier. `sightings` are mean heights (rows, cols) around each vertex, one a frame, NaN where that frame
    saw nothing; only `cells` (rows, cols) are looked at. Means may differ from the height of the vertex by the ground
    within a cell, so a contradiction is more than one `spacing`, and five times the spread of the sightings.
    """
    result = np.full(heights.shape, np.nan)
    if len(sightings) >= _LEAST:
        found = np.full(int(np.count_nonzero(cells)), np.nan)
        _contradict(np.stack([seen[cells] for seen in sightings], axis=-1), heights[cells], spacing, found)
        result[cells] = found
    return result


@njit(cache=True, nogil=True)
def _contradict(sightings: Float64, heights: Float64, spacing: float, result: Float64) -> None:
    """The result (cells,) from sightings (cells, frames) and heights (cells,)."""
    seen = np.empty(sightings.shape[1])
    for cell in range(len(heights)):
        count = 0
        for k in range(sightings.shape[1]):
            if np.isfinite(sightings[cell, k]):
                seen[count] = sightings[cell, k]
                count += 1
        if count < _LEAST:
            continue
        median = _median(seen[:count])
        off = abs(heights[cell] - median)
        if off <= spacing:
            continue
        for k in range(count):
            seen[k] = abs(seen[k] - median)
        if off > spacing + 5.0 * 1.4826 * _median(seen[:count]):
            result[cell] = median


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
