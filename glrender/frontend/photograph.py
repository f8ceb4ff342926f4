"""A photograph and where it was taken from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glrender.checks import check_array, check_pose


@dataclass(frozen=True, eq=False)
class Photograph:
    """One pinhole image with its pose."""

    image: NDArray[np.float32]
    """(height, width) intensity, see `glrender.geometry.intensity`; NaN where unknown."""
    T_world_camera: NDArray[np.float64]
    """(4, 4) camera to world."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "image", check_array("photograph", self.image, (None, None), np.float32))
        object.__setattr__(self, "T_world_camera", check_pose("T_world_camera", self.T_world_camera))
