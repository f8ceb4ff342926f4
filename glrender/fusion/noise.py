"""How far a depth camera's readings scatter."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glrender.checks import check_positive
from glrender.errors import InputError


@dataclass(frozen=True)
class DepthNoise:
    """Standard deviation base + quadratic z² of a depth reading z.

    A structured-light camera measures disparity, so its error grows with z². The defaults are those of a
    first Kinect: about 1.4e-3 z² metres (Khoshelham and Oude Elberink, *Accuracy and Resolution of Kinect
    Depth Data*, Sensors 2012), and half a millimetre for what does not depend on distance.
    """

    base: float = 0.0005
    """Metres."""
    quadratic: float = 0.0014
    """1/metres."""

    def __post_init__(self) -> None:
        check_positive("depth noise base", self.base)
        if not (np.isfinite(self.quadratic) and self.quadratic >= 0):
            raise InputError(f"depth noise quadratic: received {self.quadratic!r}, expected a number of at least 0")

    def sigma(self, depth: ArrayLike) -> NDArray[np.float32]:
        """Standard deviation in metres of readings in metres, same shape; NaN and infinity pass through."""
        z = np.asarray(depth, dtype=np.float32)
        with np.errstate(over="ignore"):  # some sensors say "nothing" by the largest number there is
            return np.float32(self.base) + np.float32(self.quadratic) * np.square(z)
