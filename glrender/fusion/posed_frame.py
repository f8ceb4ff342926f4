"""A frame with its pose."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glrender.checks import check_pose


@dataclass(frozen=True, eq=False)
class PosedFrame:
    """What a camera measured from a known pose."""

    T_world_camera: NDArray[np.float64]
    """(4, 4) camera to world."""
    depth: NDArray[np.float32] | None = None
    """(height, width) camera z in metres; 0 or not finite: no measurement."""
    image: NDArray[np.float32] | None = None
    """(height, width, C) linear colour; not finite: no measurement."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "T_world_camera", check_pose("T_world_camera", self.T_world_camera))
