"""A frame with its pose."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glrender.checks import check_pose
from glrender.errors import UsageError
from glrender.fusion.noise import check_depth_sigma


@dataclass(frozen=True, eq=False)
class PosedFrame:
    """What a camera measured from a known pose."""

    T_world_camera: NDArray[np.float64]
    """(4, 4) camera to world."""
    depth: NDArray[np.float32] | None = None
    """(height, width) camera z in metres; 0 or not finite: no measurement."""
    image: NDArray[np.float32] | None = None
    """(height, width, C) linear colour; not finite: no measurement."""
    depth_sigma: NDArray[np.float32] | None = None
    """(height, width) metres: standard deviation of each depth; None: that of the sensor's noise."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "T_world_camera", check_pose("T_world_camera", self.T_world_camera))
        if self.depth_sigma is not None:
            if self.depth is None:
                raise UsageError("depth_sigma: received one for a frame without depth; give both or neither")
            object.__setattr__(self, "depth_sigma", check_depth_sigma(self.depth_sigma, self.depth))
