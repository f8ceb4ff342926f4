"""Numbers that photographs tell beside what is looked for, and that may well be none: a clock's offset, a lens's k1."""

from dataclasses import dataclass
from typing import ClassVar, Self

_CERTAIN = 4.0  # standard deviations from which on it is any


@dataclass(frozen=True)
class Estimate:
    """A number and how well it is known; what it is of, and what it is worth, is for each kind to say."""

    value: float
    sigma: float
    """Its standard deviation; infinite where nothing tells."""
    WORTH: ClassVar[float] = 0.0
    """The smallest number that makes a difference."""

    @property
    def is_certain(self) -> bool:
        """Whether the number is surely not 0, and large enough to matter."""
        return abs(self.value) > max(_CERTAIN * self.sigma, self.WORTH)

    @property
    def applied(self) -> float:
        """The number; 0 where it may be none."""
        return self.value if self.is_certain else 0.0

    def is_confirmed_by(self, later: Self) -> bool:
        """Whether an estimate that is made once this one is applied is the same, as far as that can be told."""
        return abs(later.applied - self.applied) <= max(2 * later.sigma, self.WORTH)


@dataclass(frozen=True)
class TimeEstimate(Estimate):
    """A span of time, seconds: a shutter's readout, or how far a clock is off."""

    WORTH: ClassVar[float] = 1e-3

    @property
    def seconds(self) -> float:
        """`value`, which is only `applied` where it is certain."""
        return self.value


@dataclass(frozen=True)
class RadialError(Estimate):
    """By how much OpenCV's k1 would have to be larger for the lens to fit what moves in its images.

    A lens that bends rays by so much makes photographs of level ground, taken one after the other, turn against each
    other, and bends what is made of them into a dome (James and Robson, *Mitigating Systematic Error in Topographic
    Models Derived from UAV and Ground-Based Image Networks*, 2014).
    """

    WORTH: ClassVar[float] = 3e-4

    @property
    def k1(self) -> float:
        """`value`, which is only `applied` where it is certain."""
        return self.value
