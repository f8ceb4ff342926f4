"""How a sequence that becomes a map before one's eyes is weighed: what sliders change."""

from dataclasses import dataclass, replace
from typing import Protocol, Self, runtime_checkable

from glrender.fusion.options import FusionOptions
from glrender.solve.losses import Cauchy


@dataclass(frozen=True)
class Weights:
    """The robust loss of depths, and the prior of what ground is like."""

    loss_scale: float
    """The depth residual whose weight is one half, in standard deviations."""
    slope_sigma: float
    """As `FusionOptions` has it."""
    step_slope: float
    """As `FusionOptions` has it."""

    @classmethod
    def of(cls, options: FusionOptions) -> Self:
        """The weights that a fusion has."""
        loss = options.depth_loss
        return cls(loss.k if isinstance(loss, Cauchy) else Cauchy().k, options.slope_sigma, options.step_slope)

    def put_into(self, options: FusionOptions) -> FusionOptions:
        """The options of the same fusion, but with these weights."""
        loss = Cauchy(self.loss_scale)
        return replace(options, depth_loss=loss, slope_sigma=self.slope_sigma, step_slope=self.step_slope)


@runtime_checkable
class Weighed(Protocol):
    """A source that can begin again with other weights: what a map has forgotten cannot be weighed again."""

    largest_step: float
    """The largest `step_slope` that makes a difference: all larger ones count as this one."""

    @property
    def weights(self) -> Weights:
        """How frames are weighed now."""

    def restart(self, weights: Weights) -> None:
        """Fuse everything again, with other weights."""
