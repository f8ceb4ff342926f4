"""How measurements are weighed, whether frames are fused one by one or fitted together."""

from dataclasses import dataclass, field

from glrender.checks import check_positive
from glrender.errors import UsageError
from glrender.fusion.noise import DepthNoise
from glrender.solve.losses import Cauchy, Huber, Loss, check_loss


@dataclass(frozen=True)
class Weighting:
    """Noise and robust losses of depth and colour, and which pixels are left out."""

    depth_noise: DepthNoise = field(default_factory=DepthNoise)
    """Standard deviation of a depth reading."""
    color_noise: float = 0.05
    """Standard deviation of one linear colour channel; exposure and shading count as noise here."""
    depth_loss: Loss = field(default_factory=lambda: Cauchy(3.5))
    """Robust loss of a depth residual over its standard deviation; this one keeps 98 % of the efficiency of
    least squares where the noise is Gaussian."""
    color_loss: Loss = field(default_factory=Huber)
    """Robust loss of the length of a pixel's colour residual over its standard deviation."""
    max_depth_slope: float = 20.0
    """Pixels whose depth changes by more than this many metres a metre of height see the ground at a grazing angle,
    where a linearisation holds over too short a distance; they are left out."""

    def __post_init__(self) -> None:
        if not isinstance(self.depth_noise, DepthNoise):
            raise UsageError(f"depth_noise: received {self.depth_noise!r}, expected glrender.DepthNoise(base, …)")
        check_positive("color_noise", self.color_noise)
        check_loss("depth_loss", self.depth_loss)
        check_loss("color_loss", self.color_loss)
        check_positive("max_depth_slope", self.max_depth_slope)
