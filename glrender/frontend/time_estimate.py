"""A span of time that photographs tell, which may be none: a shutter's readout, or how far a clock is off."""

from dataclasses import dataclass
from typing import ClassVar

from glrender.frontend.estimate import Estimate


@dataclass(frozen=True)
class TimeEstimate(Estimate):
    """An estimate of a span of time, seconds."""

    WORTH: ClassVar[float] = 1e-3

    @property
    def seconds(self) -> float:
        """Whether it is certain or not."""
        return self.value
