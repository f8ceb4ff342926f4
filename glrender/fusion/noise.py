"""How far a depth camera's readings scatter."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glrender.checks import check_array, check_positive
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
            sigma = np.square(z)
            sigma *= np.float32(self.quadratic)  # in place: images of a frame are fetched from the system page by page
            sigma += np.float32(self.base)
        return np.asarray(sigma)


def check_depth_sigma(depth_sigma: ArrayLike, depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """`depth_sigma` as float32 metres in the shape of `depth`, greater than 0 wherever that is a measurement.

    Infinite is allowed: such a pixel says nothing. What it is where `depth` is 0 or not finite does not matter. Raises
    InputError for another shape or a measurement with a sigma that is not greater than 0.
    """
    sigma = check_array("depth_sigma", depth_sigma, depth.shape, np.float32)
    measured = (depth > 0) & (depth < np.inf)
    bad = int(np.count_nonzero(measured & ~(sigma > 0)))
    if bad:
        raise InputError(
            f"depth_sigma: {bad} of {np.count_nonzero(measured)} measured pixels have a value that is not greater "
            "than 0; expected metres, or a depth of 0 where nothing was measured"
        )
    return sigma
