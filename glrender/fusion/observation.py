"""From when on what is measured says enough about a height for its cell to count as observed."""

import numpy as np
from numpy.typing import NDArray

from glrender.assembly.statistics import median_of
from glrender.fusion.noise import DepthNoise
from glrender.solve.patch import Patch

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

_READINGS = 2.0
"""A cell that as much is said of as two readings say is observed, however little that is beside the prior: its sigma
knows. (With the prior alone as measure, a stereo camera's cells of 1 cm would have to be known to 2 mm, and six of
seven were left out, bench/NOTES.md.)"""
_EVERY = np.s_[::8, ::8]


class Threshold:
    """Information about a height, 1/m², above which its cell is observed: `ratio` times as much as a prior says, or as
    much as two of the sensor's readings where that is less.

    `level` (rows, cols) 1/m² is what the prior says about each height, were its neighbours known.
    """

    def __init__(self, level: Float64, ratio: float) -> None:
        self._most = ratio * level
        self._variance, self._frames = 0.0, 0  # of a usual reading, summed over frames

    def add_readings(self, depth: Float32, noise: DepthNoise) -> None:
        """Count in a frame's `depth` (height, width), metres; 0 or not finite where nothing was measured."""
        read = depth[_EVERY]
        read = read[(read > 0) & (read < np.inf)]
        if read.size:
            self._variance += float(noise.sigma(median_of(read))) ** 2
            self._frames += 1

    def at(self, patch: Patch) -> Float64:
        """(rows, cols) 1/m² of a patch; before any frame it is what the prior makes it."""
        most = self._most[patch.slices]
        return np.minimum(most, _READINGS * self._frames / self._variance) if self._frames else most
