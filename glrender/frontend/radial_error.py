"""Whether the lens that a camera is said to have fits what moves in its images."""

from dataclasses import dataclass
from typing import ClassVar

from glrender.frontend.estimate import Estimate


@dataclass(frozen=True)
class RadialError(Estimate):
    """By how much OpenCV's k1 would have to be larger.

    A lens that bends rays by so much makes photographs of level ground, taken one after the other, turn against each
    other, and bends what is made of them into a dome (James and Robson, *Mitigating Systematic Error in Topographic
    Models Derived from UAV and Ground-Based Image Networks*, 2014).
    """

    WORTH: ClassVar[float] = 3e-4

    @property
    def k1(self) -> float:
        """Whether it is certain or not."""
        return self.value
