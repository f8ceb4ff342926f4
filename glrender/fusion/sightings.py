"""Whether what was seen of a cell first is what was seen of it since."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.parallel import even_parts, run_parts

Float64 = NDArray[np.float64]

_LEAST = 3
"""Sightings that make a majority possible."""


def disputed(heights: Float64, sightings: Float64, cells: NDArray[np.bool_], spacing: float) -> Float64:
    """(rows, cols): what most sightings say where they contradict `heights` (rows, cols); NaN where they do not.

    A robust estimate keeps to where it began: had the first frame seen a passer-by, every later frame would count as
    the outlier. `sightings` (N, rows, cols) are mean heights around each vertex, of one frame each, NaN where it saw
    nothing; only `cells` (rows, cols) are looked at. Means may differ from the height of the vertex by the ground
    within a cell, so a contradiction is more than one `spacing`, and five times the spread of the sightings.
    """
    result = np.full(heights.shape, np.nan)
    if len(sightings) >= _LEAST:
        arguments = sightings, np.ascontiguousarray(heights), cells, spacing, result
        run_parts(_contradict, even_parts(len(heights)), *arguments)
    return result


@njit(cache=True, nogil=True)
def _contradict(
    sightings: Float64,
    heights: Float64,
    cells: NDArray[np.bool_],
    spacing: float,
    result: Float64,
    first: int,
    last: int,
) -> None:
    seen = np.empty(len(sightings))
    for i in range(first, last):
        for j in range(heights.shape[1]):
            if not cells[i, j]:
                continue
            count = 0
            for k in range(len(sightings)):
                if np.isfinite(sightings[k, i, j]):
                    seen[count] = sightings[k, i, j]
                    count += 1
            if count < _LEAST:
                continue
            median = _median(seen[:count])
            off = abs(heights[i, j] - median)
            if off <= spacing:
                continue
            for k in range(count):
                seen[k] = abs(seen[k] - median)
            if off > spacing + 5.0 * 1.4826 * _median(seen[:count]):
                result[i, j] = median


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
