"""What a frame's depths are like beside the map."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SIGMA_PER_MEDIAN = 1.4826
"""The standard deviation of a normal distribution of mean 0, over the median of its absolute values."""


@dataclass(frozen=True)
class FrameStatistics:
    """A frame's depths against the rendered map.

    On the GPU medians are over all that were measured but for what is seen from beside
    (`glrender.assembly.usable.LEAST_DEPTH_SLOPE`), the lower of the two values in the middle; on the host they are over
    every fourth row and column of these.
    """

    measured: int
    """Depths of finite sigma where the map is seen, used or not."""
    trusted: int
    """Of these, those that were used with a robust weight of at least one half."""
    median_residual: float
    """Measured minus predicted depth, metres; NaN where nothing was measured."""
    median_abs_residual: float
    """Its size, metres; NaN where nothing was measured."""
    robust_scale: float
    """max(1, SIGMA_PER_MEDIAN · median |residual| / sigma): how many times its noise a frame scatters about it."""


def median_of(values: NDArray[np.float32]) -> float:
    """The median of (n,) finite values, n > 0: `np.median`, whose partition at two places takes eight times as long."""
    middle = len(values) // 2
    parted = np.partition(values, middle)
    return float(parted[middle] if len(values) % 2 else (parted[:middle].max() + parted[middle]) / 2)
