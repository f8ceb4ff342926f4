"""Whether what was seen of a cell first is what was seen of it since."""

from collections.abc import Sequence

import numpy as np
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
    if len(sightings) < _LEAST:
        return result
    seen = np.stack([sighting[cells] for sighting in sightings], axis=-1)
    enough = np.count_nonzero(np.isfinite(seen), axis=-1) >= _LEAST
    row, column = (index[enough] for index in np.nonzero(cells))
    seen = seen[enough]
    median = np.nanmedian(seen, axis=-1)
    spread = 1.4826 * np.nanmedian(np.abs(seen - median[:, None]), axis=-1)
    wrong = np.abs(heights[row, column] - median) > spacing + 5 * spread
    result[row[wrong], column[wrong]] = median[wrong]
    return result
