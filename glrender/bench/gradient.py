"""What our stages and the peers are compared by."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Gradient(NamedTuple):
    """The loss's gradient with respect to the map."""

    heights: NDArray[np.float64]
    """(rows, cols)"""
    colors: NDArray[np.float64]
    """(rows, cols, 3)"""

    def errors(self, reference: "Gradient") -> tuple[float, float]:
        """How far heights and colours are from a reference, relative L2."""
        heights, colors = (
            float(np.linalg.norm(own - other) / np.linalg.norm(other))
            for own, other in zip(self, reference, strict=True)
        )
        return heights, colors
