"""Whether the lens that a camera is said to have fits what moves in its images."""

from dataclasses import dataclass

_CERTAIN, _WORTH = 4.0, 3e-4  # standard deviations, and k1, from which on it is any


@dataclass(frozen=True)
class RadialError:
    """By how much OpenCV's k1 would have to be larger.

    A lens that bends rays by so much makes photographs of level ground, taken one after the other, turn against each
    other, and bends what is made of them into a dome (James and Robson, *Mitigating Systematic Error in Topographic
    Models Derived from UAV and Ground-Based Image Networks*, 2014).
    """

    k1: float
    sigma: float
    """Standard deviation."""

    @property
    def is_certain(self) -> bool:
        """Whether the lens is surely another one, and by so much that it matters."""
        return abs(self.k1) > max(_CERTAIN * self.sigma, _WORTH)

    @property
    def applied(self) -> float:
        """k1 to add; 0 where it may be none."""
        return self.k1 if self.is_certain else 0.0

    def is_confirmed_by(self, later: "RadialError") -> bool:
        """Whether what is told once this one is applied is the same, as far as that can be told."""
        return abs(later.applied - self.applied) <= max(2 * later.sigma, _WORTH)
