"""What fusion may be told."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from glrender.checks import check_array, check_choice, check_positive
from glrender.errors import InputError, UsageError
from glrender.fusion.shared_errors import PoseSigma
from glrender.fusion.weighting import Weighting

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class FusionOptions(Weighting):
    """How frames are weighed against each other and against what is expected of any ground."""

    slope_sigma: float = 1.0
    """Prior: standard deviation of the slope between neighbouring vertices. 1, that is 45 degrees, hardly
    smooths anything, but keeps cells between sparse measurements from being thrown about by noise."""
    step_slope: float = np.inf
    """Prior: the slope from which on neighbours lie beside a step, whose height it no longer matters for. Depths of a
    few millimetres overrule the prior at steps by themselves; where they scatter by as much as a cell is large, as
    those from motion do, it would bend a wall of 4 m by half a metre."""
    observed_ratio: float = 5.0
    """A cell counts as observed once the data say this many times more about its height than the prior, or as much as
    two usual readings of `depth_noise`. Where depths have their own sigma, as large as cells, as those from motion do,
    0.5 keeps most of what 5 leaves out, and sigma stays calibrated: it is the prior's word too."""
    pose_sigma: PoseSigma | None = None
    """What a whole frame has wrong: its pose, and its sensor; None: estimated from how the frames disagree."""
    intrinsics_covariance: Float64 | None = field(default=None, compare=False)
    """(4, 4) pixels²: of fx, fy, cx, cy, where they were estimated from the frames that are fused; 0 for what was held.
    Where they were not, they count as uncertain only if the frames have errors that last."""
    heights_from: str = "depth"
    """What tells heights: "depth"; "both", depth and photographs; or "color", photographs alone, once depth has made a
    cell observed. Depths that were found in the same photographs are not independent of them: take "color" there."""
    intensity_noise: float = 0.015
    """Standard deviation of an intensity (`glrender.geometry.intensity`), unless photographs differ by more: half as
    much again as noise of two grey levels makes sigma right, since interpolated pixels share their errors."""
    equations: str | None = None
    """Where a frame's normal equations are made: "gpu", "host", or None for where it is faster."""
    window: int = 5
    """Frames that are linearised again before they enter the memory for good. Without a window, rough ground comes
    out with errors well above the Cramer-Rao bound; more than 5 frames bring next to nothing."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("slope_sigma", self.slope_sigma)
        if not self.step_slope > 0:
            raise UsageError(f"step_slope: received {self.step_slope!r}, expected a number greater than 0, or inf")
        check_positive("observed_ratio", self.observed_ratio)
        check_positive("intensity_noise", self.intensity_noise)
        check_choice("heights_from", self.heights_from, ("depth", "color", "both"))
        if self.pose_sigma is not None and not isinstance(self.pose_sigma, PoseSigma):
            raise UsageError(
                f"pose_sigma: received {self.pose_sigma!r}, expected glrender.PoseSigma(translation, rotation) in "
                "metres and degrees"
            )
        if self.intrinsics_covariance is not None:
            covariance = check_array("intrinsics_covariance", self.intrinsics_covariance, (4, 4), finite=True)
            rounding = 1e-8 * float(np.abs(covariance).max())
            symmetric = np.allclose(covariance, covariance.T, rtol=0, atol=rounding)
            if not symmetric or np.linalg.eigvalsh(covariance)[0] < -rounding:
                raise InputError("intrinsics_covariance: expected a symmetric matrix with no variance below 0")
            object.__setattr__(self, "intrinsics_covariance", covariance.copy())
        if self.equations is not None:
            check_choice("equations", self.equations, ("gpu", "host"))
        if not (isinstance(self.window, int) and self.window >= 0):
            raise UsageError(f"window: received {self.window!r}, expected a whole number of at least 0")
